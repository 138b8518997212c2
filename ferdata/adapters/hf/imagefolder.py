"""An imagefolder: pictures beside a metadata.csv, .jsonl or .parquet, one for all or one in each split's folder."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, BrokenSource, NotThisDataset, listed
from ferdata.running.plain_file import open_plain
from ferdata.sources import Sample, Skipped, leads_out, read_table
from ferdata.sources import column_names as usual
from ferdata.sources.left_out import unlisted
from ferdata.sources.recognise import below
from ferdata.sources.split_names import split_of_file
from ferdata.sources.tables import text_of, value

FILE = "file_name"  # the column that `datasets` asks for
ENDINGS = (".csv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Folders:
    """The metadata files of a dataset, and the column of labels that all of them have."""

    base: Path
    files: tuple[Path, ...]
    label: str

    def labels(self) -> Iterator[str]:
        """Yield every row's label, of those that have one."""
        for path in self.files:
            for _, row in rows_of(path):
                if native := _text(row.get(self.label)):
                    yield native

    def samples(self) -> Iterator[Sample | Skipped]:
        """Yield each row; its key is the picture's path. Raises BrokenSource with file and line."""
        images: set[str] = set()
        for path in self.files:
            for line, row in rows_of(path):
                named = _text(row.get(FILE))
                if named is None:
                    yield Skipped(f"{path.relative_to(self.base).as_posix()}:{line}", f"no {FILE}")
                    continue
                if leads_out(named):
                    raise BrokenSource(f"{path}, line {line}: {named!r} leads outside the folder.", "Correct the line.")
                image = (path.parent.relative_to(self.base) / named.replace("\\", "/")).as_posix()
                images.add(image)
                yield Sample(image, image, native_label=_text(row.get(self.label)), official_split=split_of_file(image))
        yield from unlisted(self.base, images)


def look(base: Path, options: Mapping[str, str | None]) -> tuple[Folders, list[str]]:
    """Return the metadata files below `base`, and sentences on what was read as what.

    Raises NotThisDataset where they name no pictures or no labels, BadOption for a column that is not there.
    """
    files = tuple(sorted(path for path in below(base, "metadata.*") if path.suffix in ENDINGS and path.is_file()))
    shared: dict[str, None] | None = None
    for path in files:
        _, first = next(rows_of(path), (0, {}))
        if FILE not in first:
            raise NotThisDataset(
                f"{path} lists no pictures: it has no column {FILE}, only {listed(first) or 'none'}.",
                "For any other table there is `ferdata ingest csv`.",
            )
        shared = dict.fromkeys(name for name in (first if shared is None else shared) if name in first)
    names = list(shared or ())
    asked = options.get("label_column")
    if asked and asked not in names:
        raise BadOption(f"Not every metadata file has a column {asked!r}.", f"They have {listed(names)}.")
    folded = {name.casefold(): name for name in names}
    label = asked or next((folded[word] for word in usual.LABEL if word in folded), None)
    if label is None:
        raise NotThisDataset(
            f"{files[0]} has no column of labels; it has {listed(names)}.",
            "Give it with --label-column. If the folders are the classes: ferdata ingest folder",
        )
    unused = [name for name in names if name not in (FILE, label)]
    told = [f"{len(files):,} metadata file{'s' * (len(files) > 1)}: pictures in {FILE!r}, labels in {label!r}."]
    return Folders(base, files, label), told + ([f"Not used: {listed(unused, 12)}."] if unused else [])


def rows_of(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (line, or number of the row, and its cells by column). Raises BrokenSource with file and line."""
    if path.suffix == ".csv":
        yield from read_table(path)
    elif path.suffix == ".jsonl":
        yield from _json_lines(path)
    else:
        yield from _parquet(path)


def _json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with text_of(path) as file:
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise BrokenSource(
                    f"{path}, line {line}: {text.strip()[:60]!r} is not a JSON object.", "Correct the line."
                )
            yield line, row


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_plain(path) as file:
            table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise BrokenSource(f"{path}: {str(error).splitlines()[0]}.", "Download it again.") from None
    yield from enumerate(table.to_pylist())


def _text(cell: Any) -> str | None:
    """Return a cell as text, None for an empty one; codes are text too, and 3.0 is 3."""
    return None if cell is None else value(str(cell))
