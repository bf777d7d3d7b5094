"""The benchmarks from their servers onto a disk, in the layout that CoOp's code prescribes.

    sources.py → sizes, and a question → DATA/downloads/<archive> → unpacked → DATA/<benchmark>/

A broken download goes on where it stopped. A file gets its name when its checksum fits. An archive
is unpacked beside the place where it belongs, and moved there when it is whole. So the same
command, given again, goes on from wherever it stopped. Not yet tried against the real servers.
"""

import shutil
from pathlib import Path

from clip_min.data.benchmarks import BENCHMARKS
from clip_min.data.layouts import benchmark_folder, picture_folder
from clip_min.data.sources import SOURCES
from clip_min.data.splits import find_classnames, read_split
from clip_min.data.unpack import move_into, remove, unpack
from clip_min.download import fetch, problem_of_disk, size_on_server, wrong_sum
from clip_min.files import printable
from clip_min.locks import lock

ROOM = 50e6  # bytes that stay free
INDENT = " " * 15


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
    free = shutil.disk_usage(folder).free
    if needed + ROOM > free:
        counted = f"about {in_words(needed)} are needed, and {in_words(free)} are free"
        todo = "make room, name fewer data sets, or give another folder."
        raise ValueError(f"The disk of {folder.parent} is too small: {counted}: {todo}")
    if without_question:
        return True
    part = f"At least {in_words(needed)}" if needed else "An unknown part"
    try:
        answer = input(f"{part} of the disk, of which {in_words(free)} are free. Go on? [y/N] ")
    except EOFError:
        print("\nNobody can answer here: give --yes.")
        return False
    is_yes = answer.strip().lower() in ("y", "yes")
    if not is_yes:
        print("Nothing was downloaded.")
    return is_yes


def announce(name, folder):
    """Prints where a benchmark comes from, and its size → how many bytes of the disk it needs."""
    archive = SOURCES[name].archive
    print(f"{name:15} {BENCHMARKS[name].home} (its terms of use are there)")
    if archive is None:
        print(f"{INDENT} its pictures are to be had by hand only")
        return 0
    if is_unpacked(name, folder.parent):
        print(f"{INDENT} its pictures are there already")
        return 0
    size = size_on_server(archive.url) or archive.size
    print(f"{INDENT} {archive.name}, {in_words(size) if size else 'of unknown size'}")
    files = [folder / archive.name, folder / f"{archive.name}.part"]
    there = sum(file.stat().st_size for file in files if file.is_file())
    return max(0, size - there) + (2 * size if SOURCES[name].wrapped else size)


def in_words(size):
    """A number of bytes → words.

    >>> in_words(137_414_764), in_words(37_000_000_000)
    ('137 MB', '37.0 GB')
    """
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def download_benchmarks(root, names):
    """The root folder and keys of BENCHMARKS → whether all of them are there now.

    What cannot be had is said in one sentence, and does not stop the others. Raises ValueError if
    another process downloads into the same folder, or the disk cannot be written.
    """
    folder = Path(root).expanduser() / "downloads"
    try:
        with lock(folder / "lock", wait=False) as is_alone:
            if not is_alone:
                raise ValueError(f"Another download into {root} is running: wait until it ends.")
            are_there = [get(name, folder) for name in names]
    except BrokenPipeError:  # nobody reads what is printed: this is not the disk
        raise
    except OSError as error:
        raise ValueError(problem_of_disk(folder, error)) from error
    if any(folder.glob("*.*")):
        print(printable(f"The archives stay in {folder}: remove that folder when all is whole."))
    return all(are_there)


def get(name, folder):
    """A key of BENCHMARKS and the folder of downloads → whether all of it is there now."""
    source, own_folder = SOURCES[name], own_folder_of(name, folder.parent)
    print(f"{name} ...", flush=True)
    is_there = is_unpacked(name, folder.parent)
    problems = [get_list(name, own_folder / remote.name, remote) for remote in source.lists]
    if source.archive is not None and not is_there:
        problems.append(get_pictures(name, folder, own_folder / source.becomes))
    if source.by_hand and not is_there:
        problems.append(f"By hand: {source.by_hand}, below {folder.parent}.")
    problems = list(filter(None, problems))
    for problem in problems:
        print(f"{INDENT} {printable(problem, 10_000)}", flush=True)
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
    """A split file or a list of class names into its place → what is wrong, or "".

    One without a known checksum is removed again if it has not the counts of CoOp's Table 5.
    """
    if path.is_file() and not remote.checksum:
        return ""
    try:
        fetch(remote.url, path, remote.checksum, remote.page)
        expected, found = counts_of(name, path)
        if remote.checksum or found == expected:
            return ""
        path.unlink()
    except ValueError as error:
        return str(error)
    except OSError as error:
        return problem_of_disk(path, error)
    counts = f"has not the counts of CoOp's Table 5 ({expected}: {found})"
    todo = "try again, or put it there by hand"
    return f"What came as {path} {counts}, and was thrown away: {todo}."


def counts_of(name, path):
    """A benchmark's list → its counts in CoOp's Table 5, and those found in the file.

    They are the classes and the pictures of each part of a split file, and the lines of a list of
    class names, one for each of ImageNet's 1,000 classes.
    """
    benchmark = BENCHMARKS[name]
    if not benchmark.split:  # ImageNet and its shifted versions
        return BENCHMARKS["imagenet"].classes, len(path.read_bytes().splitlines())
    expected = (benchmark.classes, *benchmark.pictures)
    try:
        rows = read_split(str(path))
        found = (len(find_classnames(rows, str(path))), *(len(rows[part]) for part in rows))
    except ValueError:
        found = "it is not a split file"
    return expected, found


def get_pictures(name, folder, target):
    """A benchmark's archive into the folder of downloads, its pictures into `target` → what is
    wrong, or "".
    """
    source = SOURCES[name]
    url, checksum, page = source.archive.url, source.archive.checksum, source.archive.page
    unpacked, inner = folder / f"{name}.unpacking", folder / f"{name}.inner.tar.gz"
    try:
        remove(unpacked)  # a killed process may have left both
        remove(inner)
        archive = fetch(url, folder / source.archive.name, checksum, page)
        if source.wrapped is not None:
            unpack(archive, source.wrapped.name, inner)
            wrong = wrong_sum(inner, source.wrapped.checksum)
            if wrong:
                return f"{archive} holds another archive than expected ({wrong})."
            archive = inner
        files = unpack(archive, source.inside, unpacked)
        move_into(unpacked, target)
    except ValueError as error:
        return str(error)
    except OSError as error:
        return problem_of_disk(folder, error)
    finally:
        remove(inner)
    print(printable(f"{INDENT} {files:,} files in {target}"), flush=True)
    return ""
