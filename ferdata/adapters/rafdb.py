"""RAF-DB, basic set: 15,339 faces from the web in seven classes; the official tree, or its Kaggle repack."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ferdata.errors import BrokenSource, NotThisDataset
from ferdata.schema import Sample
from ferdata.source import Layout, Licence, Option, Source, broken, images_below, is_image, known, read_table, relative

CODES = dict(zip("1234567", ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), strict=True))
COUNTS = {
    "train": dict(zip(CODES, (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(CODES, (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}
GENDERS = ("male", "female", "unsure")
RACES = ("Caucasian", "African-American", "Asian")
AGES = ("0-3", "4-19", "20-39", "40-69", "70+")
LIST = "EmoLabel/list_patition_label.txt"  # the publishers' own spelling

SOURCE = Source(
    name="rafdb",
    title="RAF-DB (Real-world Affective Faces Database), basic set",
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
}""",
    access="Researchers, for non-commercial use, on request to the owners.",
    obtain=(
        "Read the terms on the homepage and ask the owners for access by e-mail.",
        "They answer with a link and a password; some applicants report that no answer came, so ask again.",
        "Download the basic set: EmoLabel, Annotation, and of Image at least aligned.zip.",
        "Unpack it, so that the folder holds EmoLabel/list_patition_label.txt and Image/aligned/.",
    ),
    place="data/rafdb/basic/{EmoLabel,Image,Annotation}/",
    content="15,339 colour faces in seven classes: surprise, fear, disgust, happiness, sadness, anger, neutral",
    layouts=(
        Layout(
            "official",
            (LIST, "Image"),
            CODES,
            COUNTS,
            "Official train and test; there is no validation set.",
        ),
        Layout(
            "kaggle",
            ("train/[1-7]/train_*.*", "test/[1-7]/test_*.*"),
            CODES,
            COUNTS,
            "A repack of the aligned images, without annotations. Official train and test.",
        ),
    ),
    options=(
        Option(
            "faces",
            "Which images of the official tree to read: aligned (100 x 100), or original, with landmarks and boxes.",
            "aligned",
            ("aligned", "original"),
        ),
    ),
)


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample]:
    """Yield the samples of whichever layout was found."""
    faces = SOURCE.option(options, "faces")
    if layout.name == "official":
        yield from _official(base, layout, faces == "original")
    else:
        yield from _kaggle(base, layout)


def _split(name: str, path: Path, line: int) -> str:
    split = name.partition("_")[0]
    if split not in COUNTS or "/" in name or "\\" in name:
        raise broken(path, line, f"the image name {name!r}, which is neither train_... nor test_...")
    return split


def _official(base: Path, layout: Layout, original: bool) -> Iterator[Sample]:
    """Read the list of labels; an image that the list does not name is yielded without a label."""
    if base.name.lower().endswith("compound"):
        raise NotThisDataset(
            f"{base} is RAF-DB's compound set.", "Its eleven compound classes are not read; give the basic set."
        )
    folder = base / "Image" / ("original" if original else "aligned")
    if not folder.is_dir():
        other = "aligned" if original else "original"
        raise BrokenSource(
            f"There is no folder {folder}.", f"Unpack {folder.name}.zip into it, or take --faces {other}."
        )
    ending = "" if original else "_aligned"
    files = {path.name: path for path in folder.iterdir() if is_image(path.name)}
    listed: set[str] = set()
    notes = _Annotations(base / "Annotation", original)
    path = base / LIST
    for line, (name, code) in _read_list(path):
        stem, dot, suffix = name.rpartition(".")
        if stem in listed:
            raise broken(path, line, f"{name} for the second time")
        listed.add(stem)
        file = f"{stem}{ending}{dot}{suffix}"
        found = files.pop(file, None)
        yield notes.of(
            stem,
            Sample(
                stem,
                relative(found or folder / file, base),
                native_label=known(code, layout, path, line),
                official_split=_split(name, path, line),
            ),
        )
    for name in sorted(files):
        stem = Path(name).stem
        yield Sample(f"unlisted/{stem}", relative(files[name], base))


def _read_list(path: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenSource(f"Cannot read {path}: {error}.", "Download the label list again.") from None
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 2 or "." not in cells[0]:
            raise broken(path, number, f"{line[:60]!r}, where an image name and a label belong")
        yield number, (cells[0], cells[1])


class _Annotations:
    """The manual attributes and boxes, where they were unpacked; their coordinates are the original image's."""

    def __init__(self, folder: Path, original: bool) -> None:
        self.original = original
        # A browser that saves the same archive twice names the second folder `manual (1)`.
        self.manual = next(iter(sorted(folder.glob("manual*"))), None)
        self.boxes = next((p for p in (folder / "boundingbox", folder.parent / "boundingbox") if p.is_dir()), None)

    def of(self, stem: str, sample: Sample) -> Sample:
        """Return `sample` with what is annotated of it."""
        if self.manual and (path := self.manual / f"{stem}_manu_attri.txt").is_file():
            points, gender, race, age = _read_attributes(path)
            landmarks = points if self.original else None
            sample = replace(sample, landmarks=landmarks, gender=gender, ethnicity=race, age=age)
        if self.original and self.boxes and (path := self.boxes / f"{stem}_boundingbox.txt").is_file():
            left, top, right, bottom = _numbers(path, 1, path.read_text(encoding="utf-8-sig").split(), 4)
            sample = replace(sample, face_box=(left, top, right - left, bottom - top))
        return sample


def _read_attributes(path: Path) -> tuple[tuple[float, ...], str, str, str]:
    """Return five points, gender, race and age group of a `_manu_attri.txt`: eight lines, tabs or blanks."""
    lines = [(n, ls.split()) for n, ls in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1)]
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


def _numbers(path: Path, line: int, cells: list[str], count: int) -> tuple[float, ...]:
    try:
        values = tuple(map(float, cells))
    except ValueError:
        raise broken(path, line, f"{' '.join(cells)[:60]!r}, which are no numbers") from None
    if len(values) != count:
        raise broken(path, line, f"{len(values)} numbers where {count} belong")
    return values


def _kaggle(base: Path, layout: Layout) -> Iterator[Sample]:
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
                if not line:
                    raise BrokenSource(
                        f"{path} has no line in {table}.", "Is it a copy that somebody added? Take it out."
                    )
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
