"""What an adapter declares of its dataset, how a folder is recognised, and the readers that adapters share.

An adapter is a module with `SOURCE`, a `Source`, and `samples(base, layout, options)`, a generator of
`Sample` and `Skipped` that opens no image and keeps a stable order. Variants of a dataset are its layouts.
"""

import csv
import itertools
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, BrokenSource, NotThisDataset, UnknownLabel
from ferdata.labels import ALIASES, EMOTIONS, REASONS
from ferdata.schema import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from ferdata.schema import is_image as is_image

# What `prepare` finds among its options beside the adapter's own: "refuse" or "keep", as ingest was asked.
UNKNOWN_LABELS = "unknown_labels"
# native label -> count, per official split, under the default options. The split "all" counts the rows of every
# split and of none; the label "all" counts every row, where no more than a total is published.
Counts = Mapping[str, Mapping[str, int]]
# The words of the FER2013 challenge, which FER+ and the CK+ table took over.
USAGES: Mapping[str, str] = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
# Spellings of the splits in folders and tables of unknown origin, in lower case.
SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "publictest"), "val"),
    **dict.fromkeys(("test", "testing", "privatetest"), "test"),
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is left out by the dataset's own rules; a generator yields it, so that it is counted."""

    key: str
    reason: str


@dataclass(frozen=True)
class Licence:
    """Under which terms a dataset is had; `redistribution` and `commercial` say what is allowed; None: not known."""

    name: str
    terms: str
    redistribution: bool | None = False
    commercial: bool | None = False


# Of images that anybody may have put together.
NOT_STATED = Licence(
    "not stated", "Nothing is known of these images' terms; find out before you pass them on.", None, None
)


@dataclass(frozen=True)
class Option:
    """An option of one adapter, as the command line and `ingest(**options)` take it."""

    name: str
    help: str
    default: str | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One form in which the dataset is found on disk.

    `marks` are glob patterns that all match below the layout's base folder; `labels` takes every native label
    of this layout to a canonical emotion or a reason (`ferdata.labels`); `counts` are the published ones.
    `header` names columns that the first mark's file must have, where its name (`train.csv`) says too little.
    `names` is a regular expression that every image's file name matches in full, as published: others are copies
    that somebody added.
    """

    name: str
    marks: tuple[str, ...]
    labels: Mapping[str, str]
    counts: Counts = field(default_factory=dict)
    note: str = ""
    header: tuple[str, ...] = ()
    names: str = ""


@dataclass(frozen=True)
class Source:
    """A dataset as its publishers describe it: what, whose, under which terms, how to obtain it."""

    name: str
    title: str
    homepage: str
    licence: Licence
    citation: str  # BibTeX
    access: str  # who may have it
    obtain: tuple[str, ...]  # steps, in order
    place: str  # where to put it, below the data root
    content: str  # one line: how many images, which classes
    layouts: tuple[Layout, ...]
    options: tuple[Option, ...] = ()
    generic: bool = False  # reads any folder, so it is never guessed from one
    kaggle: str = ""  # `datasets/OWNER/NAME` or `competitions/NAME`, where it is free there

    def option(self, options: Mapping[str, str | None], name: str) -> str | None:
        """Return the value of an option, or its default. Raises BadOption on a value that is no choice."""
        declared = next(option for option in self.options if option.name == name)
        value = options.get(name) or declared.default
        if declared.choices and value not in declared.choices:
            raise BadOption(
                f"--{name.replace('_', '-')} cannot be {value!r}.",
                f"Choose one of {', '.join(declared.choices)}.",
            )
        return value


def recognise(source: Source, root: Path) -> tuple[Layout, Path] | None:
    """Return the first of the source's layouts that lies in `root` or up to two below, and its base."""
    try:
        bases = [root, *_folders(root)]
    except PermissionError:
        raise NotThisDataset(
            f"No right to read the folder {root}.", "Give yourself read access to it (chmod u+rx)."
        ) from None
    bases += [inner for base in bases[1:] for inner in _readable_folders(base)]
    for layout in source.layouts:
        for base in bases:
            if layout.marks and all(_marked(base, mark) for mark in layout.marks) and _has_header(base, layout):
                return layout, base
    return None


def _marked(base: Path, mark: str) -> bool:
    try:
        return any(True for _ in base.glob(mark))
    except OSError:  # a folder in there that may not be read
        return False


def _has_header(base: Path, layout: Layout) -> bool:
    if not layout.header:
        return True
    for path in base.glob(layout.marks[0]):
        try:
            with path.open(encoding="utf-8-sig", errors="replace") as file:
                first = file.readline(4096)
        except OSError:
            continue
        if {name.strip().strip('"') for name in first.split(",")}.issuperset(layout.header):
            return True
    return False


def _folders(root: Path) -> list[Path]:
    with os.scandir(root) as entries:
        names = [e.name for e in entries if not e.name.startswith((".", "__")) and e.is_dir()]
    return [root / name for name in sorted(names)]


def _readable_folders(folder: Path) -> list[Path]:
    try:
        return _folders(folder)
    except OSError:  # a stranger's folder, such as a disk's lost+found, is no reason to stop
        return []


def images_below(folder: Path) -> list[Path]:
    """Return the image files in `folder` and below, sorted, hidden files and macOS leftovers left out.

    Linked folders are followed, but for a link to a folder that it lies in, which would never end.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        here = Path(parent)
        folders[:] = [
            name
            for name in folders
            if not name.startswith((".", "__"))
            and not ((here / name).is_symlink() and here.resolve().is_relative_to((here / name).resolve()))
        ]
        found += [here / name for name in names if is_image(name)]
    return sorted(found)


def relative(path: Path, base: Path) -> str:
    """Return `path` as a POSIX path relative to `base`."""
    return path.relative_to(base).as_posix()


def read_rows(path: Path, columns: int | None = None, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of a csv file; a byte-order mark, CRLF and empty lines are passed over.

    `columns` is the number of cells that every row must have. Raises BrokenSource with file and line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in _split(file, path, delimiter):
                if columns is not None and len(row) != columns:
                    raise broken(path, number, f"{len(row)} cells where {columns} belong")
                yield number, row
    except UnicodeDecodeError:
        raise BrokenSource(f"{path} is not text in UTF-8.", "Is it the csv file itself? Unpack it first.") from None
    except OSError as error:
        rights = isinstance(error, PermissionError)
        raise BrokenSource(
            f"Cannot read {path}: {error.strerror}.",
            "Give yourself read access to it (chmod u+r)." if rights else "Is the dataset complete? Download it again.",
        ) from None


def _split(lines: Iterable[str], path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, cells) of csv text; the csv module begins at the first quote, since it takes its time."""
    number = 0
    remaining = iter(lines)
    for line in remaining:
        if '"' in line or len(line) > csv.field_size_limit():
            break
        number += 1
        if bare := line.rstrip("\r\n"):
            yield number, bare.split(delimiter)
    else:
        return
    reader = csv.reader(itertools.chain([line], remaining), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if row:
                yield number + reader.line_num, row
    except csv.Error as error:
        raise broken(path, number + reader.line_num, f"not csv ({error})") from None


def read_table(path: Path, *needed: str, delimiter: str = ",") -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, cells by column name) of a csv file with a header; blanks around names are dropped.

    `needed` are the columns that must be there. Raises BrokenSource with file and line.
    """
    rows = read_rows(path, delimiter=delimiter)
    number, first = next(rows, (1, []))
    header = [name.strip() for name in first]
    if missing := [name for name in needed if name not in header]:
        raise BrokenSource(
            f"{path}:{number}: no column {', '.join(map(repr, missing))}; the first line reads "
            f"{','.join(header)[:80]!r}.",
            f"The file needs a header line with {', '.join(needed)}, and {delimiter!r} between cells. "
            "Has the header been cut off?",
        )
    for line, row in rows:
        if len(row) != len(header):
            raise broken(path, line, f"{len(row)} cells where {len(header)} belong")
        yield line, dict(zip(header, row, strict=True))


def broken(path: Path, line: int, what: str) -> BrokenSource:
    """Return the error for a damaged line of a file."""
    return BrokenSource(f"{path}:{line}: {what}.", "The file is damaged or cut short; download it again.")


def is_code(label: str) -> bool:
    """Return whether a label is a number, which means nothing without its publishers' list."""
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", label.strip(), re.ASCII) is not None


def known(label: str, layout: Layout, path: Path, line: int) -> str:
    """Return `label` if the layout's map has it. Raises UnknownLabel with file and line."""
    if label not in layout.labels:
        raise UnknownLabel(
            f"{path}:{line}: label {label!r}, which this release does not have.",
            f"Known labels: {', '.join(layout.labels)}. Check that this is the release you mean.",
        )
    return label


def read_usage(cell: str, path: Path, line: int) -> str:
    """Return the official split that FER2013's `Usage` means. Raises BrokenSource on any other word."""
    try:
        return USAGES[cell.strip()]
    except KeyError:
        raise broken(path, line, f"Usage {cell!r}, where {', '.join(USAGES)} are known") from None


def read_labels(option: str | None) -> dict[str, str]:
    """Return a user's own label map, a TOML file with a table `[labels]` of native label = emotion or reason.

    Raises BadOption where the file is no such map.
    """
    if option is None:
        return {}
    hint = f'It needs a table [labels] with lines like "Happy" = "happiness"; there are {", ".join(EMOTIONS)}, '
    hint += f"and for rows without a label {', '.join(REASONS)}."
    try:
        table = tomllib.loads(Path(option).read_text(encoding="utf-8"))["labels"]
        pairs = {str(native): str(meaning) for native, meaning in table.items()}
    except OSError as error:
        raise BadOption(f"Cannot read the label map {option}: {error.strerror}.", "Check the path.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, AttributeError) as error:
        raise BadOption(f"{option} is no label map: {error}.", hint) from None
    if strangers := [f"{n!r} = {m!r}" for n, m in pairs.items() if m not in (*EMOTIONS, *REASONS)]:
        raise BadOption(f"{option} maps to what is no emotion: {', '.join(strangers)}.", hint)
    return pairs


def meaning(native: str, own: Mapping[str, str]) -> str | None:
    """Return what a label of unknown origin means: by the user's own map, else as an everyday spelling."""
    return own.get(native) or _fold(own).get(native.casefold()) or ALIASES.get(native.casefold())


def _fold(own: Mapping[str, str]) -> dict[str, str]:
    return {native.casefold(): meaning for native, meaning in own.items()}


def split_of(word: str) -> str | None:
    """Return the official split that a folder's name or a cell means, None where it means none."""
    return SPLIT_WORDS.get(word.strip().casefold())


def read_votes(cells: list[str], path: Path, line: int) -> tuple[int, ...]:
    """Return the ten votes of a FER+ row. Raises BrokenSource where one is missing, negative or no number."""
    try:
        votes = tuple(map(int, cells))
    except ValueError:
        raise broken(path, line, f"votes that are missing or no whole numbers ({','.join(cells)})") from None
    if len(votes) != 10:
        raise broken(path, line, f"{len(votes)} votes where 10 belong")
    if sum(votes) > 10:
        raise broken(path, line, f"{sum(votes):,} votes of ten people")
    if min(votes) < 0:
        raise broken(path, line, f"a negative vote ({min(votes)})")
    return votes


def metadata(source: Source, layout: Layout) -> dict[str, Any]:
    """Return what a manifest's metadata keeps of a source: enough to cite it and to derive labels again."""
    return {
        "title": source.title,
        "homepage": source.homepage,
        "licence": source.licence.name,
        "redistribution": source.licence.redistribution,
        "commercial": source.licence.commercial,
        "citation": source.citation,
        "release": layout.name,
        "labels": dict(layout.labels),
    }
