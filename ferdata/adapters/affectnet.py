"""AffectNet: faces from the web with expression, valence and arousal; both releases, and class-folder repacks."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from ferdata.errors import BrokenSource, UnknownLabel
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
    meaning,
    relative,
    split_of,
)

CODES = dict(
    zip(
        map(str, range(11)),
        (
            *("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
            # "None" is a face with none of these expressions, which is not the same as a neutral one.
            *("other", "uncertain", "not_a_face"),
        ),
        strict=True,
    )
)
_EIGHT = list(CODES)[:8]
_TRAIN = (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750)
# Words that repacks use for the ids 8, 9 and 10.
_REST = {"none": "other", "uncertain": "uncertain", "non-face": "not_a_face", "nonface": "not_a_face"}
COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
MANUAL, AUTOMATIC = "Manually_Annotated", "Automatically_Annotated"
LISTS = f"{MANUAL}_file_lists"

SOURCE = Source(
    name="affectnet",
    title="AffectNet",
    homepage="http://mohammadmahoor.com/pages/databases/affectnet/",
    licence=Licence(
        "AffectNet licence agreement",
        "For research only, under a signed agreement; neither pictures nor lists may be passed on.",
    ),
    citation="""@article{Mollahosseini2019AffectNet,
  author  = {Mollahosseini, Ali and Hasani, Behzad and Mahoor, Mohammad H.},
  title   = {{AffectNet}: A Database for Facial Expression, Valence, and Arousal Computing in the Wild},
  journal = {IEEE Transactions on Affective Computing},
  volume  = {10},
  number  = {1},
  pages   = {18--31},
  year    = {2019}
}""",
    access="Heads of laboratories and professors; a student's supervisor must ask.",
    obtain=(
        "Ask your supervisor, or the head of your laboratory, to read the licence agreement on the homepage.",
        "They sign it and send the request form in, from their own university address.",
        "Download what the answer links to: the newer archives of train_set and val_set, or the first release.",
        "Unpack it. The first release needs Manually_Annotated and Manually_Annotated_file_lists side by side.",
    ),
    place="data/affectnet/{train_set,val_set}/, or data/affectnet/{Manually_Annotated,Manually_Annotated_file_lists}/",
    content="287,651 training and 3,999 validation faces in eight classes, with valence, arousal and landmarks",
    layouts=(
        Layout(
            "csv",
            (f"{LISTS}/*.csv",),
            CODES,
            {
                "train": dict(zip(_EIGHT[:7], _TRAIN[:7], strict=True)),
                "val": dict.fromkeys(_EIGHT[:7], 500),
            },
            "The first release, with whole pictures, face boxes and three more answers (none, uncertain, no face). "
            "No test set was ever released; papers report the validation set.",
        ),
        Layout(
            "npy",
            ("*_set/annotations", "*_set/images/[0-9]*.*"),
            CODES,
            {
                "train": dict(zip(_EIGHT, _TRAIN, strict=True)),
                "val": dict(zip(_EIGHT, (*[500] * 7, 499), strict=True)),
            },
            "The release of 2021, eight classes. No test set was ever released; papers report the validation set.",
        ),
        Layout(
            "folders",
            ("[Tt]rain/[Cc]ontempt*/*.*", "[Tt]rain/[Hh]app*/*.*"),
            {},
            note="A repack of unknown origin: its splits need not be the official ones, and some are relabelled.",
        ),
        Layout(
            "numbered",
            ("[Tt]rain/0/*.*", "[Tt]rain/7/*.*"),
            CODES,
            note="A repack of unknown origin. Its numbers are read as AffectNet's own ids, 0 neutral to 7 contempt; "
            "some repacks number the classes by the alphabet instead, so look at a few pictures of each.",
        ),
    ),
    options=(
        Option(
            "automatic",
            "Whether to read the first release's automatically annotated list, too, as pictures of no split.",
            "no",
            ("no", "yes"),
        ),
    ),
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with the names of a repack's class folders mapped. Raises UnknownLabel."""
    del options
    if layout.name != "folders":
        return layout
    names = sorted({path.parent.name for path in images_below(base) if path.parent != base})
    mapped = {name: meaning(name, _REST) for name in names if not split_of(name)}
    if strangers := [name for name, what in mapped.items() if what is None]:
        raise UnknownLabel(
            f"{base} has class folders of unknown meaning: {', '.join(map(repr, strangers[:12]))}.",
            "Read it with `ferdata ingest folder --name affectnet --labels FILE`, and say there what they mean.",
        )
    return replace(layout, labels={name: what for name, what in mapped.items() if what})


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the samples of whichever layout was found."""
    automatic = SOURCE.option(options, "automatic") == "yes"
    if layout.name == "csv":
        yield from _lists(base, layout, automatic)
    elif layout.name == "npy":
        for folder, split in (("train_set", "train"), ("val_set", "val")):
            if (base / folder).is_dir():
                yield from _numpy(base, base / folder, split, layout)
    else:
        yield from _folders(base, layout)


def _lists(base: Path, layout: Layout, automatic: bool) -> Iterator[Sample | Skipped]:
    """Read the lists of the first release; a picture that is listed again is left out, since labels may differ."""
    lists: list[tuple[str, str, str | None]] = [(MANUAL, "training.csv", "train"), (MANUAL, "validation.csv", "val")]
    if automatic:
        lists.append((AUTOMATIC, "automatically_annotated.csv", None))
    seen: set[str] = set()
    for whose, name, split in lists:
        path = base / f"{whose}_file_lists" / name
        if not path.is_file():
            if whose == AUTOMATIC:
                raise BrokenSource(f"There is no {path}.", "Unpack the automatically annotated part, or leave it out.")
            continue
        nested = base / whose / f"{whose}_Images"
        images = nested if nested.is_dir() else base / f"{whose}_Images"
        for row in _records(path, layout):
            if isinstance(row, Skipped):
                yield row
            elif row.key in seen:
                yield Skipped(f"{row.key} ({name})", "listed again")
            else:
                seen.add(row.key)
                image = f"{relative(images if images.is_dir() else nested, base)}/{row.key}"
                yield row._replace(image=image, official_split=split)


def _records(path: Path, layout: Layout) -> Iterator[Sample | Skipped]:
    """Yield what each line says. A damaged one, of which the publishers' lists have some, is left out.

    No cell is quoted, so lines are split at commas; a csv reader would fall over the damaged ones. One
    distribution's validation.csv has no header.
    """
    try:
        opened = path.open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise BrokenSource(f"Cannot read {path}: {error.strerror}.", "Check the file's rights.") from None
    with opened as file:
        columns: tuple[str, ...] = COLUMNS
        for line, text in enumerate(file, 1):
            cells = tuple(cell.strip().strip('"') for cell in text.split(","))
            if line == 1 and COLUMNS[0] in cells:
                if missing := [column for column in COLUMNS if column not in cells]:
                    raise broken(path, 1, f"no column {', '.join(missing)}")
                columns = cells
            elif cells != ("",):
                yield _record(cells, columns, path, line, layout)


def _record(
    cells: tuple[str, ...], columns: tuple[str, ...], path: Path, line: int, layout: Layout
) -> Sample | Skipped:
    where = f"{path.name}:{line}"
    if len(cells) != len(columns):
        return Skipped(where, "a damaged record: not as many cells as columns")
    row = dict(zip(columns, cells, strict=True))
    name = row["subDirectory_filePath"]
    if not _inside(name):
        return Skipped(where, "a damaged record: no picture's name")
    try:
        box = _floats(row[c] for c in COLUMNS[1:5])
        valence, arousal = _affect(float(row["valence"])), _affect(float(row["arousal"]))
        label = str(int(row["expression"]))
    except ValueError:
        return Skipped(where, "a damaged record: no number where one belongs")
    found = box[2] > 0 and box[3] > 0  # a negative width is how the publishers say that there is none
    return Sample(
        name,
        name,
        native_label=known(label, layout, path, line),
        valence=valence,
        arousal=arousal,
        face_box=box if found else None,
        landmarks=_points(row["facial_landmarks"]) if found else None,
    )


def _inside(name: str) -> bool:
    """Return whether a cell is a picture's name, and one that leads nowhere else."""
    path = PurePosixPath(name)
    return is_image(path.name) and name.isprintable() and "\\" not in name and not {"..", "/"} & set(path.parts)


def _floats(cells: Iterable[str]) -> tuple[float, ...]:
    values = tuple(map(float, cells))
    if not all(map(math.isfinite, values)):
        raise ValueError(values)
    return values


def _affect(value: float) -> float | None:
    """Return valence or arousal, None for -2, which stands where it was not rated. Raises ValueError."""
    if value == -2:
        return None
    if not -1.001 <= value <= 1.001:  # float text of the ends may lie just outside
        raise ValueError(value)
    return min(1.0, max(-1.0, value))


def _points(cell: str) -> tuple[float, ...] | None:
    """Return 68 points, `x;y;x;y;...`; a cell without them is no reason to lose the face."""
    try:
        values = _floats(word for word in cell.split(";") if word)
    except ValueError:
        return None
    return values if len(values) == 136 else None


@dataclass(frozen=True, slots=True)
class _Notes:
    """The annotations of one picture of the npy release, four files each of one value or 136."""

    folder: Path
    stem: str

    def values(self, what: str) -> list[str]:
        """Return the values of one file as text, as some copies hold them. Raises ValueError, OSError."""
        with (self.folder / f"{self.stem}_{what}.npy").open("rb") as file:
            # Never with pickle: it would run whatever a stranger put into the file.
            array = np.lib.format.read_array(file, allow_pickle=False)
        return [str(value) for value in np.ravel(array)]

    def number(self, what: str) -> float | None:
        """Return valence or arousal, None where it was not rated or the file is not there."""
        if not (self.folder / f"{self.stem}_{what}.npy").is_file():
            return None
        (value,) = self.values(what)
        return _affect(float(value))

    def label(self) -> str | None:
        """Return the id of the expression, None where the file is not there."""
        if not (self.folder / f"{self.stem}_exp.npy").is_file():
            return None
        (value,) = self.values("exp")
        number = float(value)
        if not number.is_integer():
            raise ValueError(value)
        return str(int(number))

    def points(self) -> tuple[float, ...] | None:
        """Return 68 points."""
        if not (self.folder / f"{self.stem}_lnd.npy").is_file():
            return None
        return _points(";".join(self.values("lnd")))


def _numpy(base: Path, folder: Path, split: str, layout: Layout) -> Iterator[Sample | Skipped]:
    """Read train_set or val_set, in the order of its numbers; a picture without `_exp.npy` comes unlabelled."""
    annotations = folder / "annotations"
    images = {path.stem: path for path in images_below(folder / "images")}
    listed = {path.name.removesuffix("_exp.npy") for path in annotations.glob("[!.]*_exp.npy")}
    for stem in sorted({*images, *listed}, key=lambda s: (len(s), s)):
        key = f"{split}/{stem}"
        notes = _Notes(annotations, stem)
        try:
            label = notes.label()
            sample = Sample(
                key,
                relative(images.get(stem, folder / "images" / f"{stem}.jpg"), base),
                valence=notes.number("val"),
                arousal=notes.number("aro"),
                landmarks=notes.points(),
                official_split=split,
            )
        except (ValueError, OSError, EOFError, MemoryError):  # a damaged header may claim any size
            yield Skipped(key, "annotations that cannot be read")
            continue
        named = label if label is None else known(label, layout, annotations / f"{stem}_exp.npy", 1)
        yield sample._replace(native_label=named)


def _folders(base: Path, layout: Layout) -> Iterator[Sample]:
    """Read class folders below folders of splits; a picture in no class folder comes without a label."""
    for path in images_below(base):
        name, parts = relative(path, base), path.relative_to(base).parts[:-1]
        label = parts[-1] if parts and not split_of(parts[-1]) else None
        if label is not None and label not in layout.labels:
            raise UnknownLabel(
                f"{path.parent} is a class folder of unknown meaning.",
                f"Known are {', '.join(layout.labels)}; take out what does not belong.",
            )
        split = next((found for part in parts if (found := split_of(part))), None)
        yield Sample(name, name, native_label=label, official_split=split)
