"""A column for each emotion: one-hot, shares of 1 or of 100, or votes of annotators; the cells say which."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ferdata.labels import EMOTIONS, VOTE_COLUMNS
from ferdata.sources import meaning, value

ONE_HOT, SHARES, VOTES = "one-hot", "shares", "votes"
FEWEST = 3  # columns: two words for an emotion in a header may mean anything
ROUNDED = 0.02  # by which shares of 1 may miss it: seven numbers of two decimals
_OTHERS = {"unknown": "unknown", "nf": "not_a_face", "notaface": "not_a_face", "notface": "not_a_face"}


def columns_of(names: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Return the columns whose names are emotions, each once, with them; nothing where they are fewer than FEWEST."""
    found: dict[str, int] = {}
    for column, name in enumerate(names):
        word = _OTHERS.get("".join(c for c in name.casefold() if c.isalnum())) or meaning(name, {})
        if word in VOTE_COLUMNS:
            if word in found:
                return ()
            found[word] = column
    emotions = sum(word in EMOTIONS for word in found)
    return tuple((column, word) for word, column in found.items()) if emotions >= FEWEST else ()


@dataclass(slots=True)
class Cells:
    """What all rows of these columns hold, from which their kind follows."""

    whole: bool = True
    largest: float = 0.0
    sums: set[float] = field(default_factory=set)  # two of them at most: whether all are alike is what counts

    def add(self, numbers: Sequence[float]) -> None:
        """Take a row's numbers in."""
        self.whole &= all(number.is_integer() for number in numbers)
        self.largest = max(self.largest, *numbers)
        if len(self.sums) < 2:
            self.sums.add(sum(numbers))

    @property
    def kind(self) -> str:
        """One-hot: nothing above 1, and no fraction. Votes: other whole numbers, unless each row's make 100."""
        if self.whole and self.largest <= 1:
            return ONE_HOT
        return VOTES if self.whole and self.sums != {100.0} else SHARES


def numbers_of(cells: Sequence[str], columns: Sequence[tuple[int, str]]) -> list[float] | None:
    """Return the numbers of a row, None where all its cells are empty. Raises ValueError."""
    words = [value(cells[column]) for column, _ in columns]
    if not any(words):
        return None
    try:
        numbers = [float(word or 0) for word in words]
    except ValueError:
        numbers = [math.nan]
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise ValueError(f"{', '.join(word or '' for word in words)}, where a number for each emotion belongs")
    return numbers


@dataclass(frozen=True, slots=True)
class Said:
    """What a row says: the word of its class, None where none is the largest; ratings or votes, where it has them."""

    native: str | None
    ratings: tuple[float | None, ...] | None = None
    votes: tuple[int, ...] | None = None


def winner(numbers: Sequence[float], columns: Sequence[tuple[int, str]], names: Sequence[str]) -> str | None:
    """Return the name of the column with the largest number, None where several have it, or it is no emotion's."""
    most = max(numbers)
    winners = [where for where, number in zip(columns, numbers, strict=True) if number == most]
    column, word = winners[0]
    return names[column] if len(winners) == 1 and most > 0 and word in EMOTIONS else None


def said(numbers: Sequence[float], columns: Sequence[tuple[int, str]], names: Sequence[str], kind: str) -> Said:
    """Return what a row's numbers mean, by the kind of its table. Raises ValueError.

    Shares become ratings, which begin at 1 for nothing at all (`ferdata.schema`): 1 + share. An emotion without a
    column was not rated.
    """
    native = winner(numbers, columns, names)
    by_word: Mapping[str, float] = {word: number for (_, word), number in zip(columns, numbers, strict=True)}
    total = sum(numbers)
    if kind == ONE_HOT:
        if total > 1:
            raise ValueError(f"{total:.0f} classes at once, where one is 1 and the others 0")
        return Said(native)
    if kind == VOTES:
        return Said(None, votes=tuple(int(by_word.get(word, 0)) for word in VOTE_COLUMNS))
    scale = 100.0 if total > 1 + ROUNDED else 1.0
    if abs(total / scale - 1) > ROUNDED:
        raise ValueError(f"shares that add up to {total:.4g}, where 1 or 100 belongs")
    shares = (by_word.get(word) for word in EMOTIONS)
    return Said(native, ratings=tuple(None if share is None else 1 + share / scale for share in shares))
