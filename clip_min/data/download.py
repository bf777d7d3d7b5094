"""The benchmarks from their servers onto a disk, in the layout that CoOp's code prescribes.

    sources.py → sizes, and a question → DATA/downloads/<archive> → unpacked → DATA/<benchmark>/

A broken download goes on where it stopped. A file gets its name when its checksum fits. An archive
is unpacked beside the place where it belongs, and moved there when it is whole. So the same
command, given again, goes on from wherever it stopped. Not yet tried against the real servers.
"""

import shutil
from pathlib import Path

from clip_min.data.benchmarks import BENCHMARKS
from clip_min.data.fetch import fetch, problem_of_disk, size_on_server, wrong_sum
from clip_min.data.layouts import benchmark_folder, picture_folder
from clip_min.data.names import shown
from clip_min.data.sources import SOURCES
from clip_min.data.splits import find_classnames, read_split
from clip_min.data.unpack import move_into, remove, unpack
from clip_min.files import lock

GIGABYTE = 1e9
ROOM = 50e6  # bytes that stay free


def is_agreed(root, names, without_question=False):
    """The root folder and keys of BENCHMARKS → whether to download them into it.

    Prints where each comes from and how large it is; looks whether the disk has room; and asks,
    unless `without_question`. Raises ValueError if the disk has no room or cannot be written.
    """
    folder = Path(root).expanduser() / "downloads"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(problem_of_disk(folder, error)) from error
    needed = sum(announce(name, folder) for name in names)
    check_room(folder, needed)
    return without_question or asked(folder, needed)


def download_benchmarks(root, names):
    """The root folder and keys of BENCHMARKS → whether all of them are there now.

    What cannot be had is said in one sentence, and does not stop the others. Raises ValueError if
    another process downloads into the same folder, or the disk cannot be written.
    """
    folder = Path(root).expanduser() / "downloads"
    try:
        with lock(folder / "lock", wait=False) as is_alone:
            are_there = [get(name, folder) for name in names] if is_alone else []
    except BrokenPipeError:  # nobody reads what is printed: this is not the disk
        raise
    except OSError as error:
        raise ValueError(problem_of_disk(folder, error)) from error
    if not is_alone:
        raise ValueError(f"Another download into {root} is running: wait until it ends.")
    if any(folder.glob("*.*")):
        print(shown(f"The archives stay in {folder}: remove that folder when all is whole."))
    return all(are_there)


def announce(name, folder):
    """Prints where a benchmark comes from, and its size → how many bytes of the disk it needs."""
    archive = SOURCES[name].archive
    print(f"{name:15} {BENCHMARKS[name].home} (its terms of use are there)")
    if archive is None:
        print(f"{'':15} its pictures are to be had by hand only")
        return 0
    if is_unpacked(name, folder.parent):
        print(f"{'':15} its pictures are there already")
        return 0
    size = archive.size
    try:
        size = size_on_server(archive, folder / archive.name) or size
    except ValueError:
        pass  # the download will say why
    print(f"{'':15} {archive.name}, {in_words(size) if size else 'of unknown size'}")
    unpacked = 2 * size if SOURCES[name].wrapped else size
    return max(0, size - bytes_there(folder / archive.name)) + unpacked


def bytes_there(path):
    """How much of a file was downloaded already."""
    part = path.with_name(f"{path.name}.part")
    return sum(file.stat().st_size for file in (path, part) if file.is_file())


def in_words(size):
    """A number of bytes → words.

    >>> in_words(137_414_764), in_words(37_000_000_000)
    ('137 MB', '37.0 GB')
    """
    return f"{size / 1e6:.0f} MB" if size < GIGABYTE else f"{size / GIGABYTE:.1f} GB"


def check_room(folder, needed):
    """Raises ValueError if the disk has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed + ROOM > free:
        counted = f"about {in_words(needed)} are needed, and {in_words(free)} are free"
        problem = "make room, name fewer data sets, or give another folder."
        raise ValueError(f"The disk of {folder.parent} is too small: {counted}: {problem}")


def asked(folder, needed):
    """Whether the answer to the question is yes. Without a keyboard it is no."""
    free = in_words(shutil.disk_usage(folder).free)
    part = f"At least {in_words(needed)}" if needed else "An unknown part"
    question = f"{part} of the disk, of which {free} are free. Go on? [y/N] "
    try:
        answer = input(question)
    except EOFError:
        print("\nNobody can answer here: give --yes.")
        return False
    if answer.strip().lower() not in ("y", "yes"):
        print("Nothing was downloaded.")
        return False
    return True


def get(name, folder):
    """A key of BENCHMARKS and the folder of downloads → whether all of it is there now."""
    source, own_folder = SOURCES[name], own_folder_of(name, folder.parent)
    print(f"{name} ...", flush=True)
    problems = []
    for remote in source.lists:
        try:
            get_list(name, own_folder / remote.name, remote)
        except ValueError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(problem_of_disk(own_folder, error))
    is_there = is_unpacked(name, folder.parent)
    if source.archive is not None and not is_there:
        try:
            files = get_pictures(name, folder)
        except ValueError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(problem_of_disk(folder, error))
        else:
            print(shown(f"{'':15} {files:,} files in {own_folder / source.becomes}"), flush=True)
    if source.by_hand and not is_there:
        problems.append(f"By hand: {source.by_hand}, below {folder.parent}.")
    for problem in problems:
        print(f"{'':15} {shown(problem)}", flush=True)
    return not problems


def own_folder_of(name, root):
    """A key of BENCHMARKS and the root folder → the benchmark's own folder, as a Path."""
    return Path(benchmark_folder(name, str(root)))


def is_unpacked(name, root):
    """Whether a benchmark's picture folder is there. Stanford Cars' pictures are in two folders."""
    images = Path(picture_folder(name, str(own_folder_of(name, root))))
    if name == "stanford_cars":
        images = images / "cars_train"
    return images.is_dir() and any(images.iterdir())


def get_list(name, path, remote):
    """A split file or a list of class names into its place. Raises ValueError as `fetch` does."""
    if path.is_file() and not remote.checksum:
        return
    fetch(remote, path)
    if not remote.checksum:
        check_counts(name, path)


def check_counts(name, path):
    """Remove a list that is not whole, and raise ValueError.

    A split file must have the counts of CoOp's Table 5, and a list of class names a line for each
    of ImageNet's 1,000 classes.
    """
    benchmark = BENCHMARKS[name]
    if benchmark.split:
        expected = (benchmark.classes, *benchmark.pictures)
        found = counts_of_split(path)
    else:  # ImageNet and its shifted versions
        expected = BENCHMARKS["imagenet"].classes
        found = len(path.read_bytes().splitlines())
    if found != expected:
        path.unlink()
        problem = f"What came as {path} has not the counts of CoOp's Table 5 ({expected}: {found})"
        raise ValueError(f"{problem}, and was thrown away: try again, or put it there by hand.")


def counts_of_split(path):
    """A split file → its numbers of classes and of pictures of each part, or why there are none."""
    try:
        rows = read_split(str(path))
        return (len(find_classnames(rows, str(path))), *(len(rows[part]) for part in rows))
    except ValueError:
        return "it is not a split file"


def get_pictures(name, folder):
    """A benchmark's archive into the folder of downloads, and its pictures into their place.

    Returns the number of files that came with it.
    Raises ValueError as `fetch` and `unpack` do, and OSError for a full disk.
    """
    source = SOURCES[name]
    target = own_folder_of(name, folder.parent) / source.becomes
    archive = fetch(source.archive, folder / source.archive.name)
    unpacked = folder / f"{name}.unpacking"
    inner = folder / f"{name}.inner.tar.gz"
    remove(unpacked)
    remove(inner)
    try:
        if source.wrapped is not None:
            unpack(archive, source.wrapped.name, inner)
            wrong = wrong_sum(inner, source.wrapped)
            if wrong:
                raise ValueError(f"{archive} holds another archive than expected ({wrong}).")
            archive = inner
        files = unpack(archive, source.inside, unpacked)
        move_into(unpacked, target)
    finally:
        remove(inner)
    return files
