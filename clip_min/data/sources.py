"""Where the benchmarks come from: archives of pictures and lists, with their checksums.

The MD5 sums are those that torchvision's data sets check; the SHA-256 sums of the split files were
computed from copies that give the counts of CoOp's Table 5. A file without a sum is checked by its
counts afterwards (survey.py). None of the addresses has been tried from this project yet.
"""

from typing import NamedTuple

from clip_min.data.benchmarks import BENCHMARKS, COOP, OXFORD


class Remote(NamedTuple):
    """A file on a server."""

    name: str  # of the file on the disk
    url: str
    checksum: str = ""  # MD5 or SHA-256, in hexadecimal digits; "": not known
    size: int = 0  # in bytes, if it is known; the server is asked, too
    page: str = ""  # to open in a browser where the address does not give the file


class Source(NamedTuple):
    """Where a benchmark's pictures and lists come from, and what they become."""

    lists: tuple  # of Remote, small files; they belong into the benchmark's own folder
    archive: Remote = None  # of the pictures; None: by hand
    inside: str = ""  # the folder in the archive that is kept
    becomes: str = ""  # its path below the benchmark's own folder; "": that folder itself
    wrapped: Remote = None  # an archive in the archive, its name with its path there
    by_hand: str = ""  # what a program cannot get, and how you can


def on_drive(name, key, checksum="", size=0):
    """A file that CoOp's authors keep on Google Drive → Remote."""
    url = f"https://drive.usercontent.google.com/download?id={key}&export=download&confirm=t"
    return Remote(name, url, checksum, size, f"https://drive.google.com/file/d/{key}/view")


def source(benchmark, split=None, archive=None, inside="", **more):
    """What tells a benchmark's source from the others' → Source.

    split: its split file's key on Google Drive, SHA-256 and size; None: it comes without.
    """
    lists = (on_drive(BENCHMARKS[benchmark].split, *split),) if split else ()
    becomes = BENCHMARKS[benchmark].images if archive else ""
    return Source(lists, archive, inside or becomes, becomes, **more)


def shifted_by_hand(benchmark):
    """A set that ImageNet is shifted to → Source: the class names, and the rest by hand."""
    folder, images, *_, home = BENCHMARKS[benchmark]
    how = f"get the pictures from {home} and unpack them into {folder}/{images}/"
    return Source((CLASSNAMES,), by_hand=how)


CLASSNAMES = on_drive("classnames.txt", "1-61f_ol79pViBFDG_IDlUQSwoLcn2XXF")  # of ImageNet
CALTECH = "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip"
EUROSAT = ("https://huggingface.co/datasets/torchgeo/eurosat/resolve/"
           "c877bcd43f099cd0196738f714544e355477f3fd")
IMAGENETV2 = "https://huggingface.co/datasets/vaishaal/ImageNetV2/resolve/main"

SOURCES = {
    "imagenet": Source(
        (CLASSNAMES,),
        by_hand="ImageNet needs an account at https://image-net.org: unpack its pictures into "
        "imagenet/images/train/<WordNet id>/ and imagenet/images/val/<WordNet id>/",
    ),
    "caltech101": source(
        "caltech101",
        ("1hyarUivQE36mY6jSomru6Fjd-JzwcCzN",
         "52ce83205ff8ff8a1a18119aad6376120ae35c36e783a984bc560cbf10e73fa5", 809_184),
        Remote("caltech-101.zip", CALTECH,
               "331234750fc7f77520e50d9565e8b6907b03565e30320da1401130db08c61f91", 137_414_764),
        wrapped=Remote("caltech-101/101_ObjectCategories.tar.gz", CALTECH,
                       "b224c7392d521a49829488ab0f1120d9"),
    ),
    "oxford_pets": source(
        "oxford_pets",
        ("1501r8Ber4nNKvmlFVQZ8SeUHTcdTTEqs",
         "d7f3ffe65b3919f95132e51422894ae18686b83c331fd8c0adcdc3dc2de6301e", 724_217),
        Remote("oxford_pets-images.tar.gz", f"{OXFORD}/pets/data/images.tar.gz",
               "5c4f3ee8e5d25df40f4fd59a7f44e54c"),
    ),
    "stanford_cars": source(
        "stanford_cars",
        ("1ObCFbaAgVu0I-k_Au-gIUcefirdAuizT",
         "40acee7aa65c8e4727a32d90e884b7c3f8960b523422317e163f7af65432959d", 1_855_652),
        by_hand="the cars' first server is gone: find cars_train/ and cars_test/ by way of "
        f"{COOP} and put both into stanford_cars/",
    ),
    "flowers102": source(
        "flowers102",
        ("1Pp0sRXzZFZq15zVOzKjKBu4A9i01nozT",
         "2f50c42fc1a17ca13c271cb4269b1347bdb43d2be672e34f74a4e4cbfbcca794", 771_139),
        Remote("102flowers.tgz", f"{OXFORD}/flowers/102/102flowers.tgz",
               "52808999861908f626f3c1f4e79d11fa"),
    ),
    "food101": source(
        "food101",
        ("1QK0tGi096I0Ba6kggatX1ee6dJFIcEJl",),
        Remote("food-101.tar.gz", "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz",
               "85eeb15f3717b99a5da872d97d918f87"),
        "food-101/images",
    ),
    "fgvc_aircraft": Source(
        (),
        Remote("fgvc-aircraft-2013b.tar.gz",
               f"{OXFORD}/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz"),
        "fgvc-aircraft-2013b/data",
    ),
    "sun397": source(
        "sun397",
        ("1y2RD81BYuiyvebdN-JymPfyWYcd8_MUq",),
        Remote("SUN397.tar.gz", "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz",
               "8ca2778205c41d23104230ba66911c7a", 37_000_000_000),  # about
    ),
    "dtd": source(
        "dtd",
        ("1u3_QfB467jqHgNXC00UIzbLZRQCg2S7x",
         "f26ebeccd2b58e68d70f07a0dc39fe49bf7b69024bac34396b954dfd87969c38", 563_702),
        Remote("dtd-r1.0.1.tar.gz", f"{OXFORD}/dtd/download/dtd-r1.0.1.tar.gz",
               "fff73e5086ae6bdbea199a49dfb8a4c1"),
        "dtd/images",
    ),
    "eurosat": source(
        "eurosat",
        ("1Ip7yaCWFi0eaOFUGga0lUdVi_DDQth1o",
         "541503a77d0b26b735d85ec7a3e672804fe0aa466c2e5f07da772cc6c0af8ad2", 3_006_492),
        Remote("EuroSAT.zip", f"{EUROSAT}/EuroSAT.zip", "c8fa014336c82ac7804f0398fcb19387"),
    ),
    "ucf101": source(
        "ucf101",
        ("1I0S0q91hJfsV9Gf4xDIjgDq4AqBNJb1y",
         "d78cb834f7c5792ceaff2c5ee2d7c76a9e4086e48a3a6b01232989d29cbefdd8", 1_557_485),
        on_drive("UCF-101-midframes.zip", "10Jqome3vtUA2keJkNanAiFpgbyC9Hc2O"),
    ),
    "imagenetv2": Source(
        (CLASSNAMES,),
        Remote("imagenetv2-matched-frequency.tar.gz",
               f"{IMAGENETV2}/imagenetv2-matched-frequency.tar.gz"),
        BENCHMARKS["imagenetv2"].images,
        BENCHMARKS["imagenetv2"].images,
    ),
    "imagenet_sketch": shifted_by_hand("imagenet_sketch"),
    "imagenet_a": shifted_by_hand("imagenet_a"),
    "imagenet_r": shifted_by_hand("imagenet_r"),
}
