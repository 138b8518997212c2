"""Any table that names images and their labels."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ferdata.errors import BadOption, BrokenSource, NotThisDataset, UnknownLabel
from ferdata.sources import (
    NOT_STATED,
    UNKNOWN_LABELS,
    Layout,
    Option,
    Sample,
    Source,
    leads_out,
    meaning,
    read_labels,
    read_table,
    split_of,
)

IMAGE_COLUMNS = ("image", "path", "image_path", "file", "filename", "file_name", "filepath", "img")
LABEL_COLUMNS = ("label", "emotion", "expression", "class")

SOURCE = Source(
    name="csv",
    title="A table of images and labels",
    homepage="",
    licence=NOT_STATED,
    citation="",
    access="Whoever has the images.",
    obtain=(
        "Put a table with a header line beside the images; commas, semicolons and tabs are understood.",
        "One column holds each image's path within the folder, another its label.",
        "Name the folder: ferdata ingest csv --root DIR --table FILE --name NAME",
    ),
    place="anywhere",
    content="any images that a table lists",
    layouts=(Layout("table", ("*",), {}, note="Labels and splits are the table's."),),
    options=(
        Option("name", "The dataset's name, the first half of its sample ids."),
        Option("table", "The table's path within the root; by default the only *.csv or *.tsv in it."),
        Option("image_column", f"Which column holds the paths; by default one of {', '.join(IMAGE_COLUMNS)}."),
        Option("label_column", f"Which column holds the labels; by default one of {', '.join(LABEL_COLUMNS)}."),
        Option("split_column", "Which column holds train, val or test, if one does."),
        Option("subject_column", "Which column says who is in the image, if one does."),
        Option("image_folder", "The folder within the root that the paths start from."),
        Option("labels", 'A TOML file with a table [labels] of lines like "Happy" = "happiness".'),
    ),
    generic=True,
)


@dataclass(frozen=True, slots=True)
class _Table:
    """Where the rows are, and in which columns what stands."""

    path: Path
    delimiter: str
    image: str
    label: str
    split: str | None
    subject: str | None
    folder: str


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with the table's labels mapped. Raises UnknownLabel, BrokenSource, BadOption."""
    own = read_labels(SOURCE.option(options, "labels"))
    table = _table(base, options)
    counts: Counter[str] = Counter()
    lines: dict[str, int] = {}
    for line, sample in _rows(table):
        if sample.native_label is not None:
            counts[sample.native_label] += 1
            lines.setdefault(sample.native_label, line)
    mapped = {label: meaning(label, own) for label in sorted(counts)}
    strangers = [label for label, known in mapped.items() if known is None]
    if strangers and options.get(UNKNOWN_LABELS) != "keep":
        listed = ", ".join(f"{label!r} ({counts[label]:,} rows)" for label in strangers[:12])
        first = min(lines[label] for label in strangers)
        raise UnknownLabel(
            f"{table.path}:{first}: labels of unknown meaning in column {table.label!r}: {listed}.",
            "Say what they mean in a TOML file and add --labels FILE: a table [labels] with lines like "
            f'"{strangers[0]}" = "happiness" (or = "other", to keep them without a label). '
            "--unknown-labels keep takes all of them in without one.",
        )
    return replace(layout, labels={label: known for label, known in mapped.items() if known})


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample]:
    """Yield the table's rows in order, the path as key; where a path comes again, its line is added."""
    del layout  # there is one
    seen: set[str] = set()
    for line, sample in _rows(_table(base, options)):
        yield sample if sample.key not in seen else sample._replace(key=f"{sample.key}@{line}")
        seen.add(sample.key)


def _table(base: Path, options: Mapping[str, str | None]) -> _Table:
    path = _find(base, SOURCE.option(options, "table"))
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline(65536)
    except OSError as error:
        raise BadOption(f"Cannot read the table {path}: {error.strerror}.", "Check --table.") from None
    # The header names columns, so the commonest of the three marks in it is the separator.
    delimiter = max(",;\t", key=first.count)
    header = [name.strip().strip('"') for name in first.rstrip("\r\n").split(delimiter)]
    folder = SOURCE.option(options, "image_folder") or ""
    if leads_out(folder):
        raise BadOption(f"--image-folder {folder} lies outside the root.", "Name a folder within it.")
    return _Table(
        path,
        delimiter,
        _column(options, "image_column", header, IMAGE_COLUMNS, path),
        _column(options, "label_column", header, LABEL_COLUMNS, path),
        _optional(options, "split_column", header, path),
        _optional(options, "subject_column", header, path),
        folder,
    )


def _find(base: Path, table: str | None) -> Path:
    if table is not None:
        if leads_out(table):
            raise BadOption(f"--table {table} lies outside the root {base}.", "Name a file within the root.")
        if not (base / table).is_file():
            raise BadOption(f"There is no table {base / table}.", "--table is a path within the root.")
        return base / table
    found = sorted(p for p in base.iterdir() if p.suffix.lower() in (".csv", ".tsv") and not p.name.startswith("."))
    if not found:
        raise NotThisDataset(f"There is no *.csv or *.tsv in {base}.", "Name the table with --table.")
    if len(found) > 1:
        listed = ", ".join(p.name for p in found[:8])
        raise BadOption(f"{base} holds {len(found)} tables: {listed}.", "Choose one with --table.")
    return found[0]


def _column(
    options: Mapping[str, str | None], option: str, header: list[str], usual: tuple[str, ...], path: Path
) -> str:
    if chosen := _optional(options, option, header, path):
        return chosen
    found = [name for word in usual for name in header if name.casefold() == word]
    if not found:
        raise BadOption(
            f"No column of {path} is called {', '.join(usual)}; it has {', '.join(header)[:200]}.",
            f"Name one with --{option.replace('_', '-')}.",
        )
    return found[0]


def _optional(options: Mapping[str, str | None], option: str, header: list[str], path: Path) -> str | None:
    chosen = SOURCE.option(options, option)
    if chosen is not None and chosen not in header:
        raise BadOption(
            f"{path} has no column {chosen!r}; it has {', '.join(header)[:200]}.",
            f"Name one of them with --{option.replace('_', '-')}.",
        )
    return chosen


def _wrong(path: Path, line: int, what: str) -> BrokenSource:
    return BrokenSource(f"{path}:{line}: {what}.", "Mend the line, or take it out.")


def _rows(table: _Table) -> Iterator[tuple[int, Sample]]:
    for line, cells in read_table(table.path, table.image, table.label, delimiter=table.delimiter):
        image = cells[table.image].strip().replace("\\", "/")
        if not image or not image.isprintable():
            raise _wrong(table.path, line, f"the image path {image!r}")
        if leads_out(image):
            raise _wrong(table.path, line, f"the image path {image!r}, which leads out of the folder")
        split = cells[table.split].strip() if table.split else ""
        if split and split_of(split) is None:
            raise _wrong(table.path, line, f"{split!r} in {table.split!r}, where train, val or test belongs")
        key = PurePosixPath(image).as_posix()
        yield (
            line,
            Sample(
                key,
                PurePosixPath(table.folder.replace("\\", "/"), key).as_posix(),
                native_label=cells[table.label].strip() or None,
                subject=(cells[table.subject].strip() or None) if table.subject else None,
                official_split=split_of(split),
            ),
        )
