"""The readers of tables and their cells that adapters share: csv rows, labels, splits and votes."""

import csv
import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from ferdata.labels import ALIASES, EMOTIONS, REASONS
from ferdata.sources.declaration import Layout

# The words of the FER2013 challenge, which FER+ and the CK+ table took over.
USAGES: Mapping[str, str] = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
# Spellings of the splits in folders and tables of unknown origin, in lower case.
SPLIT_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "publictest"), "val"),
    **dict.fromkeys(("test", "testing", "privatetest"), "test"),
}


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
