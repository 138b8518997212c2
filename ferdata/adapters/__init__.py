"""The catalogue of adapters: one file per dataset, found by its name; nothing is registered by hand.

Other packages add theirs with an entry point in the group `ferdata.adapters`; docs/plug-ins.md has an example.
"""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, cast

from ferdata.errors import BadOption, did_you_mean
from ferdata.sources import Layout, Sample, Skipped, Source
from ferdata.sources.recognise import recognise


class Adapter(Protocol):
    """What an adapter's module holds.

    Also, where labels are only known from the data, `prepare(base, layout, options)`, which returns the layout with its
    map of labels completed; its options also have `ferdata.sources.UNKNOWN_LABELS`, and where that is
    "keep" it does not refuse labels that it has no meaning for.
    """

    SOURCE: Source

    def samples(self, base: Path, layout: Layout, options: Mapping[str, str | None]) -> Iterator[Sample | Skipped]:
        """Yield the samples, paths relative to `base`, in a stable order, without opening an image."""
        ...


GROUP = "ferdata.adapters"


def _own() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(__path__)}


def _plugged() -> dict[str, EntryPoint]:
    """Return the adapters of other packages; a name of ours stays ours."""
    return {e.name: e for e in entry_points(group=GROUP) if e.name not in _own()}


def names() -> list[str]:
    """Return the names of all adapters, sorted; none is imported."""
    return sorted(_own() | set(_plugged()))


def load(name: str) -> Adapter:
    """Import the adapter `name`. Raises BadOption, with close names, if there is none or it is none."""
    if name in _own():
        return cast(Adapter, importlib.import_module(f"{__name__}.{name}"))
    point = _plugged().get(name)
    if point is None:
        raise BadOption(
            f"There is no dataset {name!r}.",
            did_you_mean(name, names())
            + "`ferdata datasets` lists all of them; `ferdata ingest folder` and `csv` read any other images.",
        )
    try:
        adapter = cast(Adapter, point.load())
        fits = adapter.SOURCE.name == name and callable(adapter.samples)
    except Exception as error:  # whatever another package's import may raise
        fits, problem = False, f"{type(error).__name__}: {error}"
    else:
        problem = f"its SOURCE must be named {name!r}, and it needs a function samples"
    if not fits:
        raise BadOption(
            f"The adapter {name!r} of {point.value} cannot be used: {problem}.",
            f"Fix or uninstall the package that provides it: pip show "
            f"{point.dist.name if point.dist else point.module}",
        )
    return adapter


def catalogue() -> tuple[list[Source], list[BadOption]]:
    """Return the declarations of all adapters that can be used, and why others cannot."""
    sources: list[Source] = []
    broken: list[BadOption] = []
    for name in names():
        try:
            sources.append(load(name).SOURCE)
        except BadOption as error:
            broken.append(error)
    return sources, broken


def looks_like(root: Path) -> list[str]:
    """Return the names of the datasets whose layout lies in `root`, but never of what reads any folder.

    Names are looked for as published: in any case, a folder of a million files would be listed for every mark.
    """
    sources = (load(name).SOURCE for name in sorted(_own()))
    return [source.name for source in sources if not source.generic and recognise(source, root, any_case=False)]
