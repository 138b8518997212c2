"""A first look at all rows of a table, which settles what was guessed: columns by their cells, paths by the files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from ferdata.adapters.csv.emotions import ONE_HOT, Cells, numbers_of, winner
from ferdata.adapters.csv.paths import Files, prefixes
from ferdata.adapters.csv.reading import MEND, Table, fact
from ferdata.errors import BrokenSource, listed
from ferdata.running.text_file import is_windows
from ferdata.sources import leads_out, split_of, value
from ferdata.sources.words import told_splits


@dataclass(slots=True)
class Look:
    """What the rows of a table hold: labels with their first lines, words for splits, boxes, paths with their lines."""

    labels: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    words: dict[str, int] = field(default_factory=dict)
    wrong_box: tuple[int, str] | None = None
    largest: float = 0.0
    paths: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    emotions: Cells = field(default_factory=Cells)
    no_emotions: tuple[int, str] | None = None  # the first line whose columns of emotions hold something else
    no_facts: dict[str, tuple[int, str]] = field(default_factory=dict)  # name -> the first line that has no such fact
    elsewhere: int = 0  # rows whose column says another split than their folders


def look(table: Table, own: Mapping[str, str]) -> Look:
    """Read all rows once. Raises BrokenSource with file and line."""
    seen, columns = Look(), table.columns
    said: dict[str, dict[str, str]] = {}
    for line, cells in table.rows():
        path = table.key(line, cells)
        seen.paths.append(path)
        seen.lines.append(line)
        if (label := table.native(cells, own)) is not None:
            seen.labels[label] += 1
            seen.first.setdefault(label, line)
        if columns.split is not None and (word := value(cells[columns.split])):
            seen.words.setdefault(word, line)
            folder = path.rpartition("/")[0]
            if folder not in said:
                said[folder] = table.splits_by_names(path)
            seen.elsewhere += bool(said[folder]) and split_of(word) not in said[folder]
        if columns.box and not seen.wrong_box:
            try:
                seen.largest = max(seen.largest, *(table.box(cells) or (0.0,)))
            except ValueError as error:
                seen.wrong_box = line, str(error)
        _look_beyond_labels(seen, table, line, cells)
    return seen


def _look_beyond_labels(seen: Look, table: Table, line: int, cells: Sequence[str]) -> None:
    """Take in what a row holds of emotions, one in each column, and of valence, frame and other facts."""
    columns = table.columns
    if columns.emotions and not seen.no_emotions:
        try:
            if (numbers := numbers_of(cells, columns.emotions)) is not None:
                seen.emotions.add(numbers)
                if columns.label is None and (label := winner(numbers, columns.emotions, columns.names)):
                    seen.labels[label] += 1
                    seen.first.setdefault(label, line)
        except ValueError as error:
            seen.no_emotions = line, str(error)
    for name, column in columns.facts:
        try:
            fact(name, cells[column])
        except ValueError as error:
            seen.no_facts.setdefault(name, (line, str(error)))


def settle(table: Table, seen: Look, files: Files, guess_folder: bool, guess_prefix: bool) -> tuple[Table, list[str]]:
    """Return the table as it is to be read, and sentences on what was read as what. Raises BrokenSource."""
    table, refused = _without_refused(table, seen)
    columns = table.columns
    unused = [columns.name(c) + (f" ({refused[c]})" if c in refused else "") for c in columns.unused()]
    table, moved = _located(table, seen, files, guess_folder, guess_prefix)
    told = [f"{table.name}: {columns.told()}."]
    if unused:
        told.append(f"Not used: {listed(unused, 12)}.")
    if table.stated:
        told.append(f"{table.name} has split {table.split or 'none'}, as given with --table.")
    if columns.split is not None and seen.elsewhere:
        told.append(f"{seen.elsewhere:,} rows are in a folder of another split; {columns.name(columns.split)} is used.")
    if is_windows(table.path):
        told.append(f"{table.name} was read as Windows-1252, since it is not UTF-8.")
    table, spelled = _spelled(table, seen, files)
    return table, [*told, *moved, *spelled]


def _without_refused(table: Table, seen: Look) -> tuple[Table, dict[int, str]]:
    """Return the table without the guessed columns that hold something else, and why they are refused."""
    columns, refused = table.columns, {}
    if columns.split is not None and (why := _no_split(table, seen, columns.split)):
        refused[columns.split] = why
        columns = replace(columns, split=None)
    if columns.box and (why := _no_box(table, seen)):
        refused[columns.box[-1]] = why
        columns = replace(columns, box=(), corners=False)
    for name, (line, why) in seen.no_facts.items():
        refused[dict(columns.facts)[name]] = f"line {line} has {why}"
    columns = replace(columns, facts=tuple((n, c) for n, c in columns.facts if n not in seen.no_facts))
    if columns.emotions:
        why = _no_emotions(table, seen)
        refused |= {column: why for column, _ in columns.emotions if why}
        columns = replace(columns, emotions=() if why else columns.emotions, kind=seen.emotions.kind)
    return replace(table, columns=columns), refused


def _no_emotions(table: Table, seen: Look) -> str:
    """Return why the columns of emotions are not read beside one of labels, "" where they are.

    Raises BrokenSource where there is no column of labels, so that they are all there is.
    """
    if table.columns.label is None:
        if seen.no_emotions:
            raise table.wrong(*seen.no_emotions)
        return ""
    if seen.no_emotions:
        return f"line {seen.no_emotions[0]} has {seen.no_emotions[1]}"
    return "one-hot, as the labels" if seen.emotions.kind == ONE_HOT else ""


def _no_split(table: Table, seen: Look, column: int) -> str:
    """Return why a column is not taken for the split, "" where it is. Raises BrokenSource where it is one in part."""
    if table.stated:
        return "the split is stated"
    guessed = "split" in table.columns.guessed
    strange = next((word for word in seen.words if split_of(word) is None), None)
    if strange is None:
        return ""
    if guessed and not any(map(split_of, seen.words)):
        return f"holds {strange!r}, which is not a split"
    raise table.wrong(
        seen.words[strange],
        f"{strange!r} in {table.columns.name(column)}, expected train, val or test",
        MEND + (" Or do not use the column: --split-column none." if guessed else ""),
    )


def _no_box(table: Table, seen: Look) -> str:
    """Return why columns are not taken for a box, "" where they are. Raises BrokenSource where an option named them."""
    if not seen.wrong_box and not 0 < seen.largest <= 1:
        return ""
    line, what = seen.wrong_box or (seen.lines[0], "boxes in shares of 1")
    if "box" not in table.columns.guessed:
        raise table.wrong(line, f"{what}, expected x, y, width and height in pixels")
    return f"no boxes in pixels: line {line} has {what}"


def _located(table: Table, seen: Look, files: Files, guess_folder: bool, guess_prefix: bool) -> tuple[Table, list[str]]:
    """Return the table with the place where its paths start, and what was guessed of it.

    They start at the root, else at the table's own folder, else behind what all of them share, if every path is a
    file then; `seen.paths` follow. Raises BrokenSource for a path that leads out.
    """
    start, own_folder = table.start, PurePosixPath(table.name).parent.as_posix()
    there = sum(1 for path in seen.paths if files.find(start.image(path)))
    if guess_folder and own_folder != ".":
        beside = replace(start, folder=own_folder)
        if sum(1 for path in seen.paths if files.find(beside.image(path))) > there:
            return replace(table, start=beside), [f"Its paths start at the table's own folder, {own_folder}."]
    if guess_folder and not there and (folder := files.folder_of(start.key(seen.paths[0]))):
        inner = replace(start, folder=folder)
        if all(files.find(inner.image(path)) for path in seen.paths):
            return replace(table, start=inner), [f"Its paths start at the folder {folder}."]
    out = next((i for i, path in enumerate(seen.paths) if leads_out(path)), None)
    if out is None and there:
        return table, []
    found = prefixes(seen.paths, start, files) if guess_prefix else {}
    best = max(found, key=lambda prefix: found[prefix], default="")
    if found and found[best] == len(seen.paths):
        seen.paths = [path.removeprefix(best) for path in seen.paths]
        return replace(table, start=replace(start, strip=best)), [f"{best!r} was removed from every path."]
    if out is not None:
        raise _leads_out(table, seen, out, best if found and found[best] else "")
    return table, []


def _leads_out(table: Table, seen: Look, at: int, prefix: str) -> BrokenSource:
    way = f"--strip-prefix {prefix.removesuffix('/')} removes what all paths share." if prefix else ""
    return table.wrong(
        seen.lines[at],
        f"the image path {seen.paths[at]!r}, which leads outside the folder",
        way or f"{MEND} --strip-prefix DIR removes the folder of another machine.",
    )


def _spelled(table: Table, seen: Look, files: Files) -> tuple[Table, list[str]]:
    """Return the table with whether capitals count, and how many paths are spelled otherwise than their files.

    They count where two paths would be one file: the table names both, and one of them is missing.
    """
    images = set(map(table.start.image, seen.paths))
    there = {image: files.find(image) or image for image in images}
    differing = sum(1 for image, found in there.items() if image != found)
    if len(set(there.values())) < len(images):
        return replace(table, any_case=False), [
            "Capital letters in paths matter, since some paths differ only in them."
        ]
    if not differing:
        return table, []
    paths = "1 path differs from its file's name" if differing == 1 else f"{differing:,} paths differ from their files'"
    return table, [f"{paths} in capital letters or Unicode form only; the files are read."]


def told_of_splits(tables: Sequence[Table], seen: Sequence[Look]) -> str:
    """Return which names of tables and of folders were read as splits, and which only look like one."""
    names: set[str] = set()
    for table, one in zip(tables, seen, strict=True):
        if table.columns.split is None and not table.stated:
            folders = {table.start.image(path).rpartition("/")[0] for path in one.paths}
            names.update(PurePosixPath(table.name).parts, *(folder.split("/") for folder in folders))
    return told_splits(names)
