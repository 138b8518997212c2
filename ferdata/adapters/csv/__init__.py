"""Any table that names images and their labels, or one for each split.

What a table does not say outright is guessed from usual names, checked against its cells and the files there are, and
reported; a column that was not used is named.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ferdata.adapters.csv import columns, reading, settling, tables
from ferdata.adapters.csv.paths import Files, Start, posix, roots_of
from ferdata.adapters.csv.reading import Table
from ferdata.adapters.csv.settling import Look
from ferdata.errors import BadOption, BrokenSource, UnknownLabel
from ferdata.sources import (
    NOT_STATED,
    UNKNOWN_LABELS,
    Layout,
    Option,
    Sample,
    Skipped,
    Source,
    column_names,
    leads_out,
    meaning,
    read_rows,
)
from ferdata.sources.left_out import unlisted
from ferdata.sources.words import read_labels, told_spellings, unknown_labels

SOURCE = Source(
    name="csv",
    title="A table of images and labels",
    homepage="",
    licence=NOT_STATED,
    citation="",
    access="Whoever has the images.",
    obtain=(
        "Put a table beside the images, with commas, semicolons or tabs, in UTF-8, UTF-16 or Windows-1252.",
        "One column holds each image's path within the folder, another its label; the first line names the columns.",
        "Give the folder: ferdata ingest csv --root DIR --name NAME",
    ),
    place="anywhere",
    content="any images that a table lists",
    layouts=(
        Layout(
            "table",
            ("*",),
            {},
            note="Ingest prints what it used each column for, and which ones it did not use. The split is from "
            "--table, else from a column, else from the name of the table or of the images' folder "
            "(train_labels.csv, test/1.png).",
        ),
    ),
    options=(
        Option("name", "The dataset's name, the first half of its sample ids."),
        Option(
            "table",
            "The table's path within the root, or several, separated by commas; train=FILE states a table's split "
            "(also val, test, none). By default the only *.csv or *.tsv there, or one for each split.",
        ),
        Option(
            "image_column",
            "Which column holds the paths, by name or by number from 0; by default one of "
            f"{', '.join(column_names.IMAGE)}.",
        ),
        Option("label_column", f"Which column holds the labels; by default one of {', '.join(column_names.LABEL)}."),
        Option(
            "split_column",
            f"Which column holds train, val or test, or none; by default one of {', '.join(column_names.SPLIT)}.",
        ),
        Option(
            "subject_column",
            f"Which column holds the person, or none; by default one of {', '.join(column_names.SUBJECT)}.",
        ),
        Option(
            "clip_column",
            f"Which column holds the video, or none; by default one of {', '.join(column_names.CLIP)}.",
        ),
        Option(
            "box_column",
            "Which column holds x, y, width and height of the face in pixels, or none; by default face_box, or four "
            "columns x, y, w, h or xmin, ymin, xmax, ymax.",
        ),
        Option(
            "columns",
            "Names for the columns, in order and with commas between, in place of a header line: path, label, split, "
            "subject, clip, frame, age, gender, ethnicity, valence, arousal, x, y, w, h, an emotion, or - for a column "
            "that is not read.",
        ),
        Option("image_folder", "The folder within the root that the paths are relative to."),
        Option(
            "strip_prefix",
            "What to remove from the start of every path, such as a folder of another machine; by default the part "
            "that all paths share, if all files are found without it.",
        ),
        Option("labels", 'A TOML file with a table [labels] of lines like "Happy" = "happiness".'),
    ),
    generic=True,
)


def prepare(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Layout:
    """Return the layout with the tables as they are read, and their labels mapped.

    Raises UnknownLabel, BrokenSource, BadOption, NotThisDataset.
    """
    own = read_labels(SOURCE.option(options, "labels"))
    files = Files(base)
    guess_folder, guess_prefix = (SOURCE.option(options, name) is None for name in ("image_folder", "strip_prefix"))
    found, looks, told = [], [], []
    for name, stated, split in tables.find(base, SOURCE.option(options, "table")):
        table = replace(_table(base, name, options), stated=stated, split=split)
        seen = settling.look(table, own)
        table, sentences = settling.settle(table, seen, files, guess_folder, guess_prefix)
        found.append(table)
        looks.append(seen)
        told += sentences
    labels = _mapped(found, looks, own, options)
    told += [settling.told_of_splits(found, looks), told_spellings(labels, own)]
    return replace(layout, labels=labels, note="\n".join(filter(None, told)), found=tuple(found))


def samples(base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
    """Yield the tables' rows in order, the path as key, then the pictures beside theirs that they do not name.

    Where a path comes again, its line is added.
    """
    own = read_labels(SOURCE.option(options, "labels"))
    seen: set[str] = set()
    images: set[str] = set()
    for table in layout.found:
        for line, sample, image in reading.samples(table, own, base):
            # Beside each of several tables, the same name is another image.
            key, where = (sample.key, f"{line}") if len(layout.found) == 1 else (image, f"{table.name}:{line}")
            key = key if key not in seen else f"{key}@{where}"
            seen.add(key)
            images.add(str(sample.image))
            yield sample if key == sample.key else sample._replace(key=key)
    yield from unlisted(base, images)


def _table(base: Path, name: str, options: Mapping[str, str | None]) -> Table:
    path = base / name
    folder, strip = (posix(SOURCE.option(options, o) or "") for o in ("image_folder", "strip_prefix"))
    if leads_out(folder):
        raise BadOption(f"--image-folder {folder} is outside the root.", "Give a folder within it.")
    first = next(read_rows(path), None)
    if first is None:
        raise BrokenSource(f"{path} is empty.", "Choose another table with --table.")
    chosen = {option.name: SOURCE.option(options, option.name) for option in SOURCE.options}
    start = Start(roots_of(base), f"{strip.rstrip('/')}/" if strip else "", folder)
    return Table(path, name, columns.find(first[1], chosen, path), start)


def _mapped(
    found: list[Table], looks: list[Look], own: Mapping[str, str], options: Mapping[str, str | None]
) -> dict[str, str]:
    """Return what the labels of all tables mean. Raises UnknownLabel, unless they are to be kept without one."""
    counts: Counter[str] = sum((seen.labels for seen in looks), Counter())
    mapped = {label: meaning(label, own) for label in sorted(counts)}
    strangers = {label: counts[label] for label, known in mapped.items() if known is None}
    if strangers and options.get(UNKNOWN_LABELS) != "keep":
        table, seen = next((t, s) for t, s in zip(found, looks, strict=True) if strangers.keys() & s.labels.keys())
        line = min(seen.first[label] for label in strangers if label in seen.first)
        column = "columns" if table.columns.label is None else table.columns.name(table.columns.label)
        error = unknown_labels(f"{table.path}:{line}: labels of unknown meaning in {column}", strangers, "rows")
        others = " or ".join(f"--label-column {name}" for name in table.columns.other_labels())
        raise UnknownLabel(
            error.message, (f"Another column may hold the labels: {others}. " if others else "") + error.hint
        )
    return {label: known for label, known in mapped.items() if known}
