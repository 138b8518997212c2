"""FER2013: 35,887 faces of 48 x 48 from the ICML 2013 challenge, as a table of pixels or as class folders."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ferdata.sources import USAGES, Layout, Licence, Sample, Skipped, Source, images_below, known, relative
from ferdata.sources.pixel_tables import read_pixel_table
from ferdata.sources.spelling import declared_label, spelled

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # the challenge's codes 0..6
CODES = dict(zip("0123456", ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"), strict=True))
FOLDERS = dict(zip(CLASSES, CODES.values(), strict=True))
TRAIN = (3995, 436, 4097, 7215, 4830, 3171, 4965)
VAL = (467, 56, 496, 895, 653, 415, 607)
TEST = (491, 55, 528, 879, 594, 416, 626)


def _counts(labels: Mapping[str, str], **splits: tuple[int, ...]) -> dict[str, dict[str, int]]:
    return {split: dict(zip(labels, numbers, strict=True)) for split, numbers in splits.items()}


SOURCE = Source(
    name="fer2013",
    title="FER2013",
    homepage="https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge",
    licence=Licence(
        "Kaggle competition rules",
        "No open licence is stated: the images come from a web search. Use it for research only.",
    ),
    citation="""@article{Goodfellow2013Challenges,
  author  = {Goodfellow, Ian J. and Erhan, Dumitru and Carrier, Pierre Luc and Courville, Aaron and others},
  title   = {Challenges in Representation Learning: A Report on Three Machine Learning Contests},
  journal = {arXiv preprint arXiv:1307.0414},
  year    = {2013}
}""",
    access="Anyone with a Kaggle account who accepts the competition's rules.",
    obtain=(
        "Sign in to Kaggle and open the competition's page (see homepage).",
        "Accept the rules under its Data tab, then download and unpack what it offers.",
        "Keep fer2013.csv or icml_face_data.csv; either holds all images, labels and splits.",
    ),
    place="data/fer2013/fer2013.csv",
    content="35,887 grey faces of 48 x 48 pixels; anger, disgust, fear, happiness, sadness, surprise, neutral",
    kaggle="competitions/challenges-in-representation-learning-facial-expression-recognition-challenge",
    layouts=(
        Layout(
            "csv",
            ("fer2013.csv",),
            CODES,
            _counts(CODES, train=TRAIN, val=VAL, test=TEST),
            "PublicTest is val and PrivateTest is test, as in most papers.",
        ),
        Layout(
            "icml",
            ("icml_face_data.csv",),
            CODES,
            _counts(CODES, train=TRAIN, val=VAL, test=TEST),
            "PublicTest is val and PrivateTest is test, as in most papers.",
        ),
        Layout(
            "competition",
            ("train.csv",),
            CODES,
            _counts(CODES, train=TRAIN),
            "test.csv has no labels; icml_face_data.csv has them.",
            header=("emotion", "pixels"),
        ),
        Layout(
            "folders",
            ("train/*/Training_*.* or */*/P*Test_*.*",),
            FOLDERS,
            _counts(FOLDERS, train=TRAIN, val=VAL, test=TEST),
            "JPEG copies, so pixels differ from fer2013.csv. The file name's prefix gives the official split, "
            "whatever the folder.",
        ),
    ),
)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    del options  # it has none
    if layout.name == "competition":
        yield from _competition(base, layout)
    elif layout.name == "folders":
        yield from _folders(base, layout)
    else:
        yield from _table(spelled(base, layout.marks[0]), layout)


def _table(path: Path, layout: Layout) -> Iterator[Sample]:
    for row in read_pixel_table(path, "emotion", "Usage"):
        label = known(row.emotion or "", layout, path, row.line)
        yield Sample(f"{row.index:05d}", row.pixels, native_label=label, official_split=row.split)


def _competition(base: Path, layout: Layout) -> Iterator[Sample]:
    """Read the competition's own pair; how test.csv falls into PublicTest and PrivateTest is not said there."""
    path = base / "train.csv"
    for row in read_pixel_table(path, "emotion"):
        label = known(row.emotion or "", layout, path, row.line)
        yield Sample(f"train_{row.index:05d}", row.pixels, native_label=label, official_split="train")
    if (base / "test.csv").is_file():
        for row in read_pixel_table(base / "test.csv"):
            yield Sample(f"test_{row.index:05d}", row.pixels, official_split="test")


# Some repacks add augmented copies under names of their own (`Training_1.jpg_2.jpg`).
_ORIGINAL = re.compile(r"(Training|PublicTest|PrivateTest)_\d+\.(jpg|png)", re.IGNORECASE | re.ASCII)
_COPY = re.compile(_ORIGINAL.pattern + ".+", re.IGNORECASE | re.ASCII)
_PREFIXES = {usage.lower(): split for usage, split in USAGES.items()}


def _folders(base: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    # The numbers are random, and two of them occur in two classes: the class is part of the key.
    for folder in ("train", "validation", "val", "test"):
        for path in images_below(spelled(base, folder)):
            name = _ORIGINAL.fullmatch(path.name)
            image, label = relative(path, base), declared_label(path.parent.name, layout)
            if name is None:
                copy = _COPY.fullmatch(path.name)
                yield Skipped(image, "augmented copy" if copy else "not one of the challenge's names")
                continue
            split = _PREFIXES[name[1].lower()]
            yield Sample(f"{label}/{path.stem}", image, native_label=label, official_split=split)
