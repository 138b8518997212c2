"""Which files below the root are the tables: those that are named, else the only one, else one for each split."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ferdata.adapters.csv.paths import below, posix, roots_of
from ferdata.errors import BadOption, NotThisDataset, did_you_mean, listed
from ferdata.schema import SPLITS
from ferdata.sources import leads_out, relative, split_of
from ferdata.sources.words import splits_named

SUFFIXES = (".csv", ".tsv")
# What tables also come in, and is not read; named, so that nobody looks for it.
OTHERS = (".parquet", ".arrow", ".feather", ".xlsx", ".xls", ".jsonl")
NO_SPLIT = "none"
# A table's path below the root, whether a split is stated for it, and which.
Named = tuple[str, bool, str | None]


def find(base: Path, option: str | None) -> list[Named]:
    """Return the tables that `option` names, or those that are there. Raises BadOption, NotThisDataset."""
    if option is not None:
        names = [option] if _inside(base, option) else [part.strip() for part in option.split(",")]
        return [_stated(base, name) for name in names]
    top = _unwrapped(base)
    here = _tables(base, top)
    if len(here) == 1 or _one_for_each_split(here):
        return [(name, False, None) for name in here]
    if here:
        stated = ",".join(f"{split}={name}" for split, name in zip(("train", "test"), here, strict=False))
        raise BadOption(
            f"{base} holds {len(here)} tables: {listed(here)}.",
            f"Choose with --table {here[0]}, or give the split of each: --table {stated}.",
        )
    below_here = [name for folder in _visible(top) if folder.is_dir() for name in _tables(base, folder)]
    if _one_for_each_split(below_here):
        return [(name, False, None) for name in below_here]
    raise NotThisDataset(
        f"There is no *.csv or *.tsv in {base}{_others(top)}.",
        f"Give the table: --table {below_here[0]}." if below_here else "Give the table with --table.",
    )


def _unwrapped(base: Path) -> Path:
    """Return the folder that holds more than one folder alone, as what an archive was unpacked into does."""
    while len(inner := _visible(base)) == 1 and inner[0].is_dir():
        base = inner[0]
    return base


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__")))
    except OSError:  # a folder that may not be read is not where the table is
        return []


def _tables(base: Path, folder: Path) -> list[str]:
    return [relative(path, base) for path in _visible(folder) if path.suffix.lower() in SUFFIXES and path.is_file()]


def _others(folder: Path) -> str:
    names = [path.name for path in _visible(folder) if path.suffix.lower() in OTHERS]
    return f"; {listed(names, 3)} must be saved as csv first" if names else ""


def _one_for_each_split(names: Sequence[str]) -> bool:
    said = [tuple(splits_named(PurePosixPath(name).parts)) for name in names]
    return bool(names) and all(len(each) == 1 for each in said) and len(set(said)) == len(said)


def _inside(base: Path, name: str) -> str | None:
    """Return a table's path below the root, if it is one."""
    path = posix(name)
    path = below(path, roots_of(base)) or path
    return path if not leads_out(path) and (base / path).is_file() else None


def _stated(base: Path, given: str) -> Named:
    """Read `NAME` or `SPLIT=NAME`."""
    if found := _inside(base, given):
        return found, False, None
    word, equals, name = given.partition("=")
    split = split_of(word)
    if equals and split is None and word != NO_SPLIT:
        raise BadOption(
            f"--table {given}: {word!r} is not a split.",
            f"{did_you_mean(word, (*SPLITS, NO_SPLIT))}Write train=FILE, val=FILE, test=FILE or none=FILE.",
        )
    path = name if equals else given
    if found := _inside(base, path):
        return found, True, split
    if leads_out(posix(path)):
        raise BadOption(f"--table {path} is outside the root {base}.", "Give a file within the root.")
    raise BadOption(
        f"There is no table {base / path}.", "--table is a path within the root; separate several by commas."
    )
