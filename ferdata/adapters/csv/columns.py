"""Which column of a table is what: as an option says, else by its usual names; and a table without a header line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ferdata.adapters.csv.emotions import columns_of
from ferdata.errors import BadOption, did_you_mean, listed
from ferdata.sources import is_image, meaning
from ferdata.sources.column_names import BOX, CLIP, CORNERS, FACTS, IMAGE, LABEL, SIDES, SPLIT, SUBJECT
from ferdata.sources.tables import is_code

IGNORED = "-"  # in --columns: a column that is not read
NONE = "none"  # as an option: nothing is read, whatever the table holds


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row what stands, counted from 0; None where the table does not have it.

    `names` are the header's or those of --columns, else numbers, where `named` is False; `header` says whether the
    first line is one. `box` is one column of four numbers, or four of one; `corners` says that they are left, top,
    right and bottom. `facts` are others by their names in FACTS, `emotions` those that hold a number for each emotion,
    with their `kind`. `guessed` are the roles that no option named.
    """

    names: tuple[str, ...]
    header: bool
    image: int
    label: int | None
    split: int | None = None
    subject: int | None = None
    clip: int | None = None
    box: tuple[int, ...] = ()
    corners: bool = False
    guessed: frozenset[str] = frozenset()
    facts: tuple[tuple[str, int], ...] = ()
    emotions: tuple[tuple[int, str], ...] = ()
    kind: str = ""
    named: bool = True

    def name(self, *columns: int) -> str:
        """Return columns by name, as a message has them."""
        return (
            ", ".join(repr(self.names[c]) for c in columns) if self.named else f"column {', '.join(map(str, columns))}"
        )

    def told(self) -> str:
        """Return which column is read as what."""
        read = {
            "images": self.image,
            "labels": self.label,
            "splits": self.split,
            "subjects": self.subject,
            "clips": self.clip,
        }
        told = [f"{what} in {self.name(column)}" for what, column in read.items() if column is not None]
        told += [f"boxes in {self.name(*self.box)}"] if self.box else []
        told += [f"{what} in {self.name(column)}" for what, column in self.facts]
        told += [f"{self.kind} for {len(self.emotions)} emotions in columns of their own"] if self.emotions else []
        return ("" if self.header else "no header line: ") + ", ".join(told)

    def unused(self) -> list[int]:
        """Return the columns that nothing is read from, but for the running number that pandas adds."""
        used = {self.image, self.label, self.split, self.subject, self.clip, *self.box, *(c for _, c in self.facts)}
        used |= {c for c, _ in self.emotions}
        index = re.compile(rf"|{IGNORED}|index|Unnamed: \d+")
        return [c for c, name in enumerate(self.names) if c not in used and not index.fullmatch(name)]

    def other_labels(self) -> list[str]:
        """Return the unused columns that may hold labels, by their names."""
        usual = set(map(_folded, LABEL))
        return [self.names[c] for c in self.unused() if _folded(self.names[c]) in usual]


def find(first: Sequence[str], options: Mapping[str, str | None], path: Path) -> Columns:
    """Return what the columns of a table are whose first line is `first`. Raises BadOption."""
    if given := options.get("columns"):
        return _given(first, given.split(","), options, path)
    header = not any(map(is_image, first)) and not _is_label(first, options.get("label_column"))
    names = tuple(cell.strip() for cell in first) if header else tuple(map(str, range(len(first))))
    seen = _Header(names, path, options)
    return _by_names(seen) if header else _without_header([cell.strip() for cell in first], seen)


def _given(first: Sequence[str], given: Sequence[str], options: Mapping[str, str | None], path: Path) -> Columns:
    """Find the columns by the names that --columns gives them, in order; the first line may still be a header."""
    words = tuple(word.strip() or IGNORED for word in given)
    if len(words) != len(first):
        raise BadOption(
            f"--columns has {len(words)} names, and {path} has {len(first)} columns: "
            f"{listed((f'{c} {cell!r}' for c, cell in enumerate(first)), 20)}.",
            f"Give a name for each, and {IGNORED} for one that is not to be read: --columns path,label,{IGNORED}",
        )
    found = _by_names(_Header(words, path, options))
    cells = [first[column] for column in (found.image, found.label) if column is not None]
    data = is_image(cells[0]) or any(is_code(cell) or meaning(cell, {}) is not None for cell in cells[1:])
    return replace(found, header=not data)


def _by_names(seen: "_Header") -> Columns:
    """Find the columns by their names."""
    emotions = columns_of(seen.names)
    split, subject = seen.optional("split_column", SPLIT), seen.optional("subject_column", SUBJECT)
    clip = seen.optional("clip_column", CLIP)
    box, corners = seen.box()
    find_label = seen.optional if emotions else seen.needed
    facts = tuple((fact, c) for fact, usual in FACTS.items() if (c := seen.optional(fact, usual)) is not None)
    return Columns(
        seen.names, True, seen.needed("image_column", IMAGE), find_label("label_column", LABEL), split, subject, clip,
        box, corners, seen.guessed(), facts, emotions,
    )  # fmt: skip


def _is_label(first: Sequence[str], column: str | None) -> bool:
    """Return whether the column that an option numbers begins with a label, which no header does."""
    if column is None or column in first or not column.isdecimal() or int(column) >= len(first):
        return False
    cell = first[int(column)]
    return is_code(cell) or meaning(cell, {}) is not None


def _without_header(first: Sequence[str], seen: "_Header") -> Columns:
    """Find the columns by their first cells: the one that is an image, and the one that is a word for an emotion."""
    image, label = seen.optional("image_column"), seen.optional("label_column")
    images = [c for c, cell in enumerate(first) if is_image(cell)] if image is None else [image]
    labels = [c for c, cell in enumerate(first) if c not in images and meaning(cell, {})] if label is None else [label]
    if len(images) != 1 or len(labels) != 1:
        cells = listed(f"{c} {cell!r}" for c, cell in enumerate(first))
        raise BadOption(
            f"{seen.path} has no header line, and the columns cannot be guessed from its first line: {cells}.",
            "Give the columns by number: --image-column 0 --label-column 1.",
        )
    split, subject = seen.optional("split_column"), seen.optional("subject_column")
    box = seen.optional("box_column")
    return Columns(
        seen.names, False, images[0], labels[0], split, subject, seen.optional("clip_column"),
        () if box is None else (box,), guessed=seen.guessed(), named=False,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Header:
    """The names of a table's columns, and the options that name some of them."""

    names: tuple[str, ...]
    path: Path
    options: Mapping[str, str | None]

    def guessed(self) -> frozenset[str]:
        roles = ("image", "label", "split", "subject", "clip", "box")
        return frozenset(role for role in roles if self.options.get(f"{role}_column") is None)

    def needed(self, option: str, usual: Sequence[str]) -> int:
        found = self.optional(option, usual)
        if found is None:
            raise BadOption(
                f"No column of {self.path} is called {listed(usual, 5)}; it has {listed(self.names, 20)}.",
                f"Name one with {_flag(option)}, or choose other tables with --table.",
            )
        return found

    def optional(self, option: str, usual: Sequence[str] = ()) -> int | None:
        """Return the column that an option names or numbers, else the first of a usual name. Raises BadOption."""
        chosen = self.options.get(option)
        if chosen is not None and chosen in self.names:
            return self._once(chosen, option)
        if chosen == NONE:
            return None
        if chosen is not None:
            if chosen.isdecimal() and int(chosen) < len(self.names):
                return int(chosen)
            raise BadOption(
                f"{self.path} has no column {chosen!r}; it has {listed(self.names, 20)}.",
                did_you_mean(chosen, self.names)
                + f"Name one of them with {_flag(option)}, or give its number, counted from 0.",
            )
        return next((self._once(name, option) for name in map(self._named, usual) if name is not None), None)

    def box(self) -> tuple[tuple[int, ...], bool]:
        """Return the columns of a box, one or four, and whether the four are corners."""
        one = self.optional("box_column", BOX)
        if one is not None:
            return (one,), False
        if self.options.get("box_column") is None:
            for four in (*SIDES, *CORNERS):
                found = [self.names.index(name) for name in map(self._named, four) if name is not None]
                if len(found) == len(four):
                    return tuple(found), four in CORNERS
        return (), False

    def _named(self, usual: str) -> str | None:
        return next((name for name in self.names if _folded(name) == _folded(usual)), None)

    def _once(self, name: str, option: str) -> int:
        if (times := self.names.count(name)) > 1:
            numbers = [str(c) for c, other in enumerate(self.names) if other == name]
            raise BadOption(
                f"{self.path}: {times} columns are called {name!r}.",
                f"Choose one by number: {_flag(option)} {' or '.join(numbers)}.",
            )
        return self.names.index(name)


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
