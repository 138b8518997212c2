"""What an adapter declares of its dataset: whose it is, its layouts, its options, and what the publishers counted.

An adapter is a module with `SOURCE`, a `Source`, and `samples(base, layout, options)`, a generator of
`Sample` and `Skipped` that opens no image and keeps a stable order. Variants of a dataset are its layouts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferdata.errors import BadOption, choose_one

# What `prepare` finds among its options beside the adapter's own: "refuse" or "keep", as ingest was asked.
UNKNOWN_LABELS = "unknown_labels"
EITHER = " or "  # between the patterns of a mark, or between splits, of which one is enough
# native label -> count, per official split, under the default options. The split "all" counts the rows of every
# split and of none; the label "all" counts every row, where no more than a total is published.
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is left out, by the dataset's own rules or by a fault; a generator yields it, so that it is counted.

    `reason` is the same for all rows of one kind, `detail` is what is wrong with this one.
    """

    key: str
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Licence:
    """Under which terms a dataset is had; `redistribution` and `commercial` say what is allowed; None: not known.

    `annotations` says whether what the publishers say of the images may be passed on where the images may not.
    """

    name: str
    terms: str
    redistribution: bool | None = False
    commercial: bool | None = False
    annotations: bool = False


# Of images that anybody may have put together.
NOT_STATED = Licence(
    "not stated", "The terms of these images are not known; find out before you redistribute them.", None, None
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

    `marks` are glob patterns that all match below the layout's base folder (of "a or b" one); `labels` takes every
    native label of this layout to a canonical emotion or a reason (`ferdata.labels`); `counts` are the published ones,
    and `splits` the official splits of which none are published.
    `header` names columns that the first mark's file must have, where its name (`train.csv`) says too little.
    `names` is a regular expression that every image's file name matches in full, as published: others are copies
    that somebody added. `found` is what an adapter's `prepare` has found out for its `samples`,
    `holds` are the files, relative to the base, in which the pictures of its rows lie, such as Parquet shards.
    """

    name: str
    marks: tuple[str, ...]
    labels: Mapping[str, str]
    counts: Counts = field(default_factory=dict)
    splits: tuple[str, ...] = field(default=(), kw_only=True)
    note: str = ""
    header: tuple[str, ...] = ()
    names: str = ""
    found: Any = None
    holds: tuple[str, ...] = ()

    def marks_in_words(self, quote: str = "") -> str:
        """Return what it is recognised by, each pattern in `quote`; "" for a layout that nothing tells."""
        marks = [EITHER.join(f"{quote}{one}{quote}" for one in mark.split(EITHER)) for mark in self.marks]
        return " and ".join(f"({mark})" if len(marks) > 1 and EITHER in mark else mark for mark in marks)


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
    files: tuple[str, ...] = ()  # endings of single files that are the dataset, beside archives

    def option(self, options: Mapping[str, str | None], name: str) -> str | None:
        """Return the value of an option, or its default. Raises BadOption on a value that is no choice."""
        declared = next(option for option in self.options if option.name == name)
        value = options.get(name) or declared.default
        if declared.choices and value not in declared.choices:
            raise BadOption(
                f"--{name.replace('_', '-')} cannot be {value!r}.",
                choose_one(value, declared.choices),
            )
        return value


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
