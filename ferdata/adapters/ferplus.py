"""FER+: ten annotators' votes on each face of FER2013; the official folders of PNGs, or two tables joined.

The names `ferNNNNNNN.png` look like row numbers and are not (they drift by up to 85 rows), so tables are joined row
by row, and files by name. Four names stand on two rows each: those rows carry their number in the key.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ferdata.errors import BrokenSource, DatasetMissing
from ferdata.running.plain_file import open_plain
from ferdata.sources import (
    Layout,
    Licence,
    Option,
    Sample,
    Skipped,
    Source,
    broken,
    is_image,
    read_table,
    read_usage,
    read_votes,
    relative,
)
from ferdata.sources.declaration import EITHER
from ferdata.sources.ferplus_votes import FOLDERS, VOTES, plain_name, read_label_csv
from ferdata.sources.pixel_tables import read_pixel_table
from ferdata.sources.spelling import spelled

UNNAMED = "FER+ gives the row no image name: no usable face"

SOURCE = Source(
    name="ferplus",
    title="FER+ (FERPlus)",
    homepage="https://github.com/microsoft/FERPlus",
    licence=Licence(
        "MIT (votes); FER2013's terms (images)",
        "The votes may be redistributed under the MIT licence. The images are FER2013's: use them for research only.",
        annotations=True,
    ),
    citation="""@inproceedings{BarsoumICMI2016,
  author    = {Barsoum, Emad and Zhang, Cha and Canton Ferrer, Cristian and Zhang, Zhengyou},
  title     = {Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution},
  booktitle = {ACM International Conference on Multimodal Interaction (ICMI)},
  year      = {2016}
}""",
    access="Anyone for the votes; the images need a Kaggle account (see fer2013).",
    obtain=(
        "Clone https://github.com/microsoft/FERPlus, which holds fer2013new.csv and a label.csv per split.",
        "Obtain fer2013.csv (ferdata datasets show fer2013).",
        "Put both tables into one folder; or run the repository's src/generate_training_data.py to write the "
        "images as PNG files and use the folder that it writes.",
    ),
    place="data/ferplus/{fer2013new.csv,fer2013.csv} or data/ferplus/data/FER2013{Train,Valid,Test}/",
    content="35,710 grey faces of 48 x 48 pixels with ten votes each; eight emotions, unknown, not a face",
    layouts=(
        Layout(
            "png",
            (EITHER.join(f"{folder}/label.csv" for folder in FOLDERS),),
            {},
            {"train": {"all": 28558}, "val": {"all": 3579}, "test": {"all": 3573}},
            "Labels come from the votes. label.csv and fer2013new.csv differ on 1,602 rows, most of them copies "
            "of one picture; label.csv, which the authors' training code reads, is the default.",
        ),
        Layout(
            "csv",
            ("fer2013new.csv", "fer2013.csv"),
            {},
            {"train": {"all": 28561}, "val": {"all": 3579}, "test": {"all": 3574}},
            "Labels come from the votes in fer2013new.csv, which differ from label.csv's on 1,602 rows.",
        ),
    ),
    options=(
        Option(
            "votes_from",
            "Which file to read the votes from, for the PNG folders; the two tables have only the votes of "
            "fer2013new.csv.",
            "label.csv",
            ("label.csv", "fer2013new.csv"),
        ),
    ),
)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    votes_from = SOURCE.option(options, "votes_from")
    if layout.name == "csv":
        yield from _joined_tables(base)
    elif votes_from == "fer2013new.csv":
        yield from _folders_with_table(base)
    else:
        yield from _folders(base)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of fer2013new.csv; `name` is empty where no annotator saw a face."""

    line: int
    index: int
    split: str
    name: str
    key: str
    votes: tuple[int, ...]


def _read_new(path: Path) -> list[_Row]:
    rows = []
    for index, (line, cells) in enumerate(read_table(path, "Usage", "Image name", *VOTES)):
        name = cells["Image name"].strip()
        votes = read_votes([cells[column] for column in VOTES], path, line)
        split = read_usage(cells["Usage"], path, line)
        rows.append(_Row(line, index, split, plain_name(name, path, line), name, votes))
    times = Counter(row.name for row in rows)
    return [
        _Row(row.line, row.index, row.split, row.name, f"{row.name}@{row.index}", row.votes)
        if times[row.name] > 1 or not row.name
        else row
        for row in rows
    ]


def _skipped(row: _Row) -> Skipped:
    return Skipped(f"row {row.index}", UNNAMED)


def _joined_tables(base: Path) -> Iterator[Sample | Skipped]:
    """Join votes and pixels by row order; the table of pixels has every row, or every row that has a name."""
    path = base / "fer2013.csv"
    rows = _read_new(base / "fer2013new.csv")
    named = [row for row in rows if row.name]
    with open_plain(path) as file:
        count = sum(1 for line in file if line.strip()) - 1
    if count not in (len(rows), len(named)):
        raise BrokenSource(
            f"{path} has {count:,} rows; fer2013new.csv has {len(rows):,}, of which {len(named):,} have a name.",
            "The tables are joined row by row, so both must be complete; download fer2013.csv again.",
        )
    joined = rows if count == len(rows) else named
    if joined is named:
        yield from (_skipped(row) for row in rows if not row.name)
    for row, pixels in zip(joined, read_pixel_table(path, "Usage"), strict=True):
        if pixels.split != row.split:
            raise broken(
                path,
                pixels.line,
                f"Usage gives split {pixels.split}, but line {row.line} of fer2013new.csv gives {row.split}; "
                "the tables are not in the same order",
            )
        if row.name:
            yield Sample(row.key, pixels.pixels, votes=row.votes, official_split=row.split)
        else:
            yield _skipped(row)


def _listings(base: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Yield the split of each folder that is there, the folder as it is spelled there, and its images."""
    for folder, split in FOLDERS.items():
        if (place := spelled(base, folder)).is_dir():
            yield split, place, sorted(filter(is_image, os.listdir(place)))  # noqa: PTH208  # no Path for each of many


def _folders_with_table(base: Path) -> Iterator[Sample | Skipped]:
    """Join fer2013new.csv's rows with the files by name; a file that two rows name is yielded for both."""
    table = next((p for p in (base / "fer2013new.csv", base.parent / "fer2013new.csv") if p.is_file()), None)
    if table is None:
        raise DatasetMissing(
            f"There is no fer2013new.csv in {base} or beside it.",
            "Copy it there from https://github.com/microsoft/FERPlus, or use --votes-from label.csv.",
        )
    listed = list(_listings(base))
    places = {split: relative(place, base) for split, place, _ in listed}
    left = {(split, name) for split, _, names in listed for name in names}
    for row in _read_new(table):
        if not row.name:
            yield _skipped(row)
            continue
        if row.split not in places:
            yield Skipped(row.key, f"the folder of {row.split} is not there")
            continue
        left.discard((row.split, row.name))
        image = f"{places[row.split]}/{row.name}"
        yield Sample(row.key, image, votes=row.votes, official_split=row.split)
    for split, name in sorted(left):  # without votes they count as unlabelled
        yield Sample(f"{split}/{name}", f"{places[split]}/{name}", official_split=split)


def _folders(base: Path) -> Iterator[Sample]:
    """Read each folder's label.csv; a line without its file and a file without its line are both yielded."""
    for split, place, files in _listings(base):
        lines, inner = read_label_csv(place / "label.csv"), relative(place, base)
        for name in sorted({*files, *lines}):
            box, votes = lines.get(name, (None, None))
            # A name is in one folder only, except where a stray file makes it two.
            key = name if name in lines else f"{split}/{name}"
            yield Sample(key, f"{inner}/{name}", votes=votes, face_box=box, official_split=split)
