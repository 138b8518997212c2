"""The catalogue of adapters: one file per dataset, found by its name; nothing is registered by hand."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, cast

from ferdata.errors import BadOption
from ferdata.schema import Sample
from ferdata.source import Layout, Skipped, Source, recognise


class Adapter(Protocol):
    """What an adapter's module holds.

    Also, where labels are only known from the data, `prepare(base, layout, options)`, which returns the
    layout with its map of labels completed.
    """

    SOURCE: Source

    def samples(self, base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
        """Yield the samples, paths relative to `base`, in a stable order, without opening an image."""
        ...


def names() -> list[str]:
    """Return the names of all adapters, sorted; none is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Adapter:
    """Import the adapter `name`. Raises BadOption, with close names, if there is none."""
    if name not in names():
        close = difflib.get_close_matches(name, names(), cutoff=0.5)
        raise BadOption(
            f"There is no dataset {name!r}.",
            (f"Did you mean {' or '.join(close)}? " if close else "")
            + "`ferdata datasets` lists all of them; `ferdata ingest folder` and `csv` read anything else.",
        )
    return cast(Adapter, importlib.import_module(f"{__name__}.{name}"))


def looks_like(root: Path) -> list[str]:
    """Return the names of the datasets whose layout lies in `root`, but never of what reads any folder."""
    sources = (load(name).SOURCE for name in names())
    return [source.name for source in sources if not source.generic and recognise(source, root)]
