"""RAF-DB: faces from the web in seven basic and eleven compound classes; the official tree, or its Kaggle repack.

Both sets number their images alike (`train_00001`), so the compound set's keys and codes have a prefix.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ferdata.errors import BadOption, BrokenSource
from ferdata.sources import (
    Layout,
    Licence,
    Option,
    Sample,
    Skipped,
    Source,
    broken,
    images_below,
    is_image,
    known,
    read_table,
    relative,
)

CODES = dict(zip("1234567", ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), strict=True))
COMPOUND = (
    "happily surprised",
    "happily disgusted",
    "sadly fearful",
    "sadly angry",
    "sadly surprised",
    "sadly disgusted",
    "fearfully angry",
    "fearfully surprised",
    "angrily surprised",
    "angrily disgusted",
    "disgustedly surprised",
)
WORDS = dict(zip((f"compound {code}" for code in range(1, 12)), COMPOUND, strict=True))
LABELS = CODES | dict.fromkeys(WORDS, "compound")
COUNTS = {
    "train": dict(zip(CODES, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(CODES, (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}
GENDERS = ("male", "female", "unsure")
RACES = ("Caucasian", "African-American", "Asian")
AGES = ("0-3", "4-19", "20-39", "40-69", "70+")
LIST = "EmoLabel/list_patition_label.txt"  # the publishers' own spelling
BASIC, SECOND = "*[bB]asic*", "*[cC]ompound*"  # their folders, under whichever prefix
AUTO_POINTS = 37
NAMES = r"(train_\d{5}|test_\d{4})(_aligned)?\.jpg"

SOURCE = Source(
    name="rafdb",
    title="RAF-DB (Real-world Affective Faces Database)",
    homepage="http://www.whdeng.cn/RAF/model1.html",
    licence=Licence(
        "RAF-DB terms of use",
        "For non-commercial research; no part of it may be passed on, beyond copies within one site.",
    ),
    citation="""@inproceedings{Li2017Reliable,
  author    = {Li, Shan and Deng, Weihong and Du, JunPing},
  title     = {Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the Wild},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {2584--2593},
  year      = {2017}
}
@article{Li2019Reliable,
  author  = {Li, Shan and Deng, Weihong},
  title   = {Reliable Crowdsourcing and Deep Locality-Preserving Learning for Unconstrained Facial Expression
             Recognition},
  journal = {IEEE Transactions on Image Processing},
  volume  = {28},
  number  = {1},
  year    = {2019}
}""",
    access="Researchers, for non-commercial use, on request to the owners.",
    obtain=(
        "Read the terms on the homepage and ask the owners for access by e-mail.",
        "They answer with a link and a password; some applicants report that no answer came, so ask again.",
        "Download basic and, if wanted, compound: EmoLabel, Annotation, and of Image at least aligned.zip.",
        "Unpack each into its own folder, so that it holds EmoLabel/list_patition_label.txt and Image/aligned/.",
    ),
    place="data/rafdb/{basic,compound}/{EmoLabel,Image,Annotation}/",
    content="15,339 colour faces in seven classes: surprise, fear, disgust, happiness, sadness, anger, neutral; "
    "apart from them a set of faces in eleven compound classes",
    layouts=(
        Layout(
            "official-both",
            (f"{BASIC}/{LIST}", f"{SECOND}/{LIST}"),
            LABELS,
            COUNTS,
            "Official train and test; there is no validation set. The compound set lies beside the basic one: "
            "--subset both reads it too, its rows without a canonical label.",
            names=NAMES,
        ),
        Layout(
            "official",
            (LIST, "Image"),
            CODES,
            COUNTS,
            "Official train and test; there is no validation set.",
            names=NAMES,
        ),
        Layout(
            "official-compound",
            (f"{SECOND}/{LIST}",),
            LABELS,
            {},
            "The compound set alone: two emotions at once, so no row has a canonical label, and compound_label "
            "has the words. Its totals are told by one source only (3,162 train, 792 test), so nothing is compared.",
            names=NAMES,
        ),
        Layout(
            "kaggle",
            ("train/[1-7]/train_*.*", "test/[1-7]/test_*.*"),
            CODES,
            COUNTS,
            "A repack of the aligned images, without annotations. Official train and test.",
            names=NAMES,
        ),
    ),
    options=(
        Option(
            "faces",
            "Which images of the official tree to read: aligned (100 x 100), or original, with landmarks and boxes.",
            "aligned",
            ("aligned", "original"),
        ),
        Option(
            "landmarks",
            "Which landmarks to read with original images: manual, five points set by hand; auto, 37 found ones.",
            "manual",
            ("manual", "auto"),
        ),
        Option(
            "subset",
            "Which set to read where both lie side by side; a set that lies alone is read as it is.",
            "basic",
            ("basic", "compound", "both"),
        ),
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the compound set's layout where its own folder was given: by its files it looks like the basic set."""
    del options
    if layout.name == "official" and "compound" in base.resolve().name.lower():
        return next(other for other in SOURCE.layouts if other.name == "official-compound")
    return layout


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    original = SOURCE.option(options, "faces") == "original"
    auto = SOURCE.option(options, "landmarks") == "auto"
    subset = SOURCE.option(options, "subset")
    if auto and not original:
        raise BadOption("The automatic landmarks are those of the original images.", "Add --faces original.")
    if layout.name == "kaggle":
        yield from _kaggle(base, layout)
        return
    if layout.name == "official-both":
        chosen = [compound for compound, name in ((False, "basic"), (True, "compound")) if subset in (name, "both")]
    else:
        chosen = [layout.name == "official-compound"]
    for compound in chosen:
        # A set's own folder may also be the base itself.
        inner = sorted(p for p in base.glob(SECOND if compound else BASIC) if (p / LIST).is_file())
        yield from _Tree(base, inner[0] if inner else base, compound, original, auto).samples(layout)


def _split(name: str, path: Path, line: int) -> str:
    split = name.partition("_")[0]
    if split not in COUNTS or "/" in name or "\\" in name:
        raise broken(path, line, f"the image name {name!r}, which is neither train_... nor test_...")
    return split


@dataclass(frozen=True)
class _Tree:
    """One set's official tree, below `base` or the same; `compound` tells which set."""

    base: Path
    folder: Path
    compound: bool
    original: bool
    auto: bool

    def samples(self, layout: Layout) -> Iterator[Sample | Skipped]:
        """Read the list of labels; an image that the list does not name is yielded without a label."""
        images = self._images()
        ending = "" if self.original else "_aligned"
        files = {path.name: path for path in images.iterdir() if is_image(path.name)}
        listed: set[str] = set()
        notes = _Annotations(self.folder / "Annotation", self.original, self.auto)
        path = self.folder / LIST
        word, key = ("compound ", "compound/") if self.compound else ("", "")
        for line, (name, part, code) in _read_list(path):
            stem, dot, suffix = name.rpartition(".")
            if stem in listed:
                raise broken(path, line, f"{name} for the second time")
            listed.add(stem)
            split = _split(name, path, line)
            if part not in (None, split):
                raise broken(path, line, f"{name} in {part}, which its name contradicts")
            file = f"{stem}{ending}{dot}{suffix}"
            found = files.pop(file, None)
            label = known(word + code, layout, path, line)
            sample = Sample(key + stem, relative(found or images / file, self.base), native_label=label)
            yield notes.of(stem, sample._replace(official_split=split, compound_label=WORDS.get(label)))
        for name in sorted(files):
            yield Sample(f"{key}unlisted/{Path(name).stem}", relative(files[name], self.base))

    def _images(self) -> Path:
        folder = self.folder / "Image" / ("original" if self.original else "aligned")
        if not folder.is_dir():
            other = "aligned" if self.original else "original"
            raise BrokenSource(
                f"There is no folder {folder}.", f"Unpack {folder.name}.zip into it, or take --faces {other}."
            )
        return folder


def _read_list(path: Path) -> Iterator[tuple[int, tuple[str, str | None, str]]]:
    """Yield line, name, split and code; one copy is told to have the split as a column between the two."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) not in (2, 3) or "." not in cells[0]:
            raise broken(path, number, f"{line[:60]!r}, where an image name and a label belong")
        yield number, (cells[0], cells[1] if len(cells) == 3 else None, cells[-1])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSource(f"Cannot read {path}: {error}.", "The file is damaged; download it again.") from None


class _Annotations:
    """The manual attributes and boxes, where they were unpacked; their coordinates are the original image's."""

    def __init__(self, folder: Path, original: bool, auto: bool) -> None:
        self.original = original
        # A browser that saves the same archive twice names the second folder `manual (1)`.
        self.manual, self.auto, self.boxes = (
            next((p for near in (folder, folder.parent) for p in sorted(near.glob(f"{name}*")) if p.is_dir()), None)
            for name in ("manual", "auto", "boundingbox")
        )
        self.points = self.auto if auto else None
        if auto and self.auto is None:
            raise BrokenSource(f"There is no folder auto in {folder}.", "Unpack it, or leave out --landmarks auto.")

    def of(self, stem: str, sample: Sample) -> Sample:
        """Return `sample` with what is annotated of it."""
        if self.manual and (path := self.manual / f"{stem}_manu_attri.txt").is_file():
            points, gender, race, age = _read_attributes(path)
            landmarks = points if self.original and not self.points else None
            sample = sample._replace(landmarks=landmarks, gender=gender, ethnicity=race, age=age)
        if self.points and (path := self.points / f"{stem}_auto_attri.txt").is_file():
            sample = sample._replace(landmarks=_read_points(path))
        if self.original and self.boxes and (path := self.boxes / f"{stem}_boundingbox.txt").is_file():
            left, top, right, bottom = _numbers(path, 1, _text(path).split(), 4)
            sample = sample._replace(face_box=(left, top, right - left, bottom - top))
        return sample


def _read_attributes(path: Path) -> tuple[tuple[float, ...], str, str, str]:
    """Return five points, gender, race and age group of a `_manu_attri.txt`: eight lines, tabs or blanks."""
    lines = [(n, ls.split()) for n, ls in enumerate(_text(path).splitlines(), 1)]
    lines = [(number, cells) for number, cells in lines if cells]
    if len(lines) != 8:
        raise broken(path, lines[-1][0] if lines else 1, f"{len(lines)} lines where 8 belong")
    points = [value for number, cells in lines[:5] for value in _numbers(path, number, cells, 2)]
    words = []
    for (number, cells), meanings in zip(lines[5:], (GENDERS, RACES, AGES), strict=True):
        if len(cells) != 1 or cells[0] not in map(str, range(len(meanings))):
            raise broken(path, number, f"{' '.join(cells)!r}, where a code from 0 to {len(meanings) - 1} belongs")
        words.append(meanings[int(cells[0])])
    return tuple(points), words[0], words[1], words[2]


def _read_points(path: Path) -> tuple[float, ...]:
    lines = [(n, line.split()) for n, line in enumerate(_text(path).splitlines(), 1)]
    lines = [(number, cells) for number, cells in lines if cells]
    if len(lines) != AUTO_POINTS:
        raise broken(path, lines[-1][0] if lines else 1, f"{len(lines)} lines where {AUTO_POINTS} belong")
    return tuple(value for number, cells in lines for value in _numbers(path, number, cells, 2))


def _numbers(path: Path, line: int, cells: list[str], count: int) -> tuple[float, ...]:
    try:
        values = tuple(map(float, cells))
    except ValueError:
        raise broken(path, line, f"{' '.join(cells)[:60]!r}, which are no numbers") from None
    if not all(map(math.isfinite, values)):
        raise broken(path, line, "numbers that are not finite")
    if len(values) != count:
        raise broken(path, line, f"{len(values)} numbers where {count} belong")
    return values


def _kaggle(base: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    """Read the class folders; the tables beside them, where they are, must say the same of every image."""
    for split in COUNTS:
        table = next(
            (p for p in (base / f"{split}_labels.csv", base.parent / f"{split}_labels.csv") if p.is_file()), None
        )
        rows = _read_labels(table, layout) if table else {}
        for path in images_below(base / split):
            label = path.parent.name
            if table:
                line, code = rows.pop(path.name, (0, ""))
                if not line:  # the best-known repack has augmented copies, of test images too, in train
                    yield Skipped(relative(path, base), f"no line in {table.name}: an added copy?")
                    continue
                if code != label:
                    raise broken(table, line, f"label {code} for {path.name}, which lies in folder {label}")
            key = path.stem.removesuffix("_aligned")
            yield Sample(key, relative(path, base), native_label=label, official_split=split)
        for name, (_, code) in rows.items():  # their images are missing
            key = name.rpartition(".")[0].removesuffix("_aligned")
            yield Sample(key, f"{split}/{code}/{name}", native_label=code, official_split=split)


def _read_labels(path: Path, layout: Layout) -> dict[str, tuple[int, str]]:
    rows: dict[str, tuple[int, str]] = {}
    for line, cells in read_table(path, "image", "label"):
        name = cells["image"].strip()
        _split(name, path, line)
        if name in rows:
            raise broken(path, line, f"{name} for the second time")
        rows[name] = line, known(cells["label"].strip(), layout, path, line)
    return rows
