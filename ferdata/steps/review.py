"""Review: a manifest in the FiftyOne App, on this machine alone; what is decided there waits for `pull`."""

import getpass
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger as ledgers
from ferdata.reviewing.apply_decisions import not_applied
from ferdata.reviewing.fiftyone import dataset as sets
from ferdata.reviewing.fiftyone import inputs, listed, start
from ferdata.reviewing.fiftyone.dataset import Deleted, Listed, Pushed

Announce = Callable[[Pushed, str | None], None]


def review(
    manifest: Path | str,
    *,
    predictions: Path | str | None = None,
    features: Path | str | None = None,
    umap: bool = False,
    ids: Path | str | None = None,
    by: str | None = None,
    port: int | None = None,
    address: str = "127.0.0.1",
    browser: bool = True,
    app: bool = True,
    announce: Announce | None = None,
) -> int:
    """Bring a manifest into FiftyOne and show it until Ctrl-C; return how many pictures are to be pulled.

    `predictions` is a run's predictions.parquet; `features` a Parquet or .npz file of vectors by `sample_id`, laid
    out by their principal components, or with `umap` by UMAP. `ids` is a CSV file with a column `sample_id`, whose
    rows get a saved view of their own. `by` names the reviewer (FERDATA_REVIEWER, else the user's name here). `app`
    False only loads. `announce` is called with what was loaded, and the App's address once it answers. Opening a
    manifest again updates its dataset and keeps what was decided. Raises MissingExtra, NoDatabase, NotAManifest,
    ImagesMissing, BadOption, and BrokenSource for the ledger beside it.
    """
    opened = Manifest(Path(manifest))
    if not opened.rows:
        raise BadOption(f"There is no row in {opened.path}.", "Ingest or merge it again.")
    lacking = not_applied(opened, ledgers.beside(opened.path))
    predicted = inputs.predictions(Path(predictions)) if predictions else {}
    features_of, values = inputs.features(Path(features)) if features else ([], None)
    wanted = listed.ids(Path(ids)) if ids else []
    from ferdata.reviewing.fiftyone import serve

    where = serve.port_of(port)
    if app:
        serve.free(where, address)
    fo = start.start()
    with start.watched():
        made_of = [inputs.stamp(Path(p) if p else None) for p in (predictions, features)] + [str(umap)]
        dataset, pushed = sets.push(fo, opened, reviewer(by), predicted, made_of)
        pushed = replace(pushed, not_applied=lacking)
        if values is not None and (pushed.added or pushed.updated or "faces" not in dataset.list_brain_runs()):
            inputs.lay_out(dataset, features_of, values, umap)
        if ids:
            name = listed.save_view(dataset, Path(ids), wanted)
            pushed = replace(pushed, views=(name, *(v for v in dataset.list_saved_views() if v != name)))
        if not app:
            if announce:
                announce(pushed, None)
            return pushed.waiting
        return serve.serve(
            fo, dataset, where, address, browser, ready=(lambda url: announce(pushed, url)) if announce else None
        )  # fmt: skip


def reviewer(by: str | None = None) -> str:
    """Return who decides: as given, else FERDATA_REVIEWER, else the user's name on this machine."""
    given = by or os.environ.get("FERDATA_REVIEWER")
    if given:
        return given.strip()
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "somebody"


def datasets() -> list[Listed]:
    """Return the manifests that are in FiftyOne, what was decided there and what waits. Raises as `review`."""
    fo = start.start()
    with start.watched():
        return sets.ours(fo)


def delete(name: str, force: bool = False) -> Deleted:
    """Take a dataset out of FiftyOne; manifest and ledger stay. Raises BadOption."""
    fo = start.start()
    with start.watched():
        return sets.delete(fo, name, force)
