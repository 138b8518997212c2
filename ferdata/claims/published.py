"""Published figures, the sets that are called the test, and ceilings: `published.toml`, which has the sources."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Test:
    """A set of images that is called the test: how many, by which rule, who uses it."""

    n: int
    rule: str
    who: str


@dataclass(frozen=True)
class Ceiling:
    """What is reached without a net, or cannot be passed (`bound`): per cent, and of how many images if known."""

    what: str
    accuracy: float
    source: str
    n: int | None = None
    bound: bool = False


@dataclass(frozen=True)
class Figure:
    """What was reported: per cent, where the epoch was `chosen`, what it starts with, and how it is known (`read`)."""

    system: str
    accuracy: float
    chosen: str
    starts: str
    source: str
    read: str


@dataclass(frozen=True)
class Withdrawn:
    """A figure that does not stand, and why."""

    system: str
    accuracy: float
    why: str


@dataclass(frozen=True)
class Published:
    """All that is kept of a dataset; `reference` is the n of the test that is meant unless another is said."""

    name: str
    title: str
    reference: int
    tests: tuple[Test, ...]
    ceilings: tuple[Ceiling, ...]
    figures: tuple[Figure, ...]
    withdrawn: tuple[Withdrawn, ...]


@cache
def published() -> dict[str, Published]:
    """Return what is known of each dataset (`published.toml`, with the sources)."""
    data = tomllib.loads(resources.files("ferdata.claims").joinpath("published.toml").read_text(encoding="utf-8"))
    return {
        name: Published(
            name,
            table["title"],
            table["reference"],
            tuple(Test(**row) for row in table["tests"]),
            tuple(Ceiling(**row) for row in table["ceilings"]),
            tuple(Figure(**row) for row in table["figures"]),
            tuple(Withdrawn(**row) for row in table["withdrawn"]),
        )
        for name, table in data.items()
    }
