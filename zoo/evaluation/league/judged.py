"""Every run of a league on the same rows of one manifest, its answers brought to the classes of that manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ferdata.errors import BadOption, listed
from ferdata.labels import Taxonomy
from ferdata.manifest import Manifest
from zoo.data.rows import Rows, load, read_rows
from zoo.evaluation import adopted, calibration, elsewhere, inference, predictions
from zoo.evaluation.prediction_table import Table
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.rows_to_score import labelled, leak_against_training
from zoo.models.load import load_model
from zoo.run.device import resolve
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder


@dataclass(frozen=True)
class Judged:
    """What a run, or a table of predictions, says of the rows at `where`: `p` float32 (n, the manifest's classes).

    `read` is how its classes became those (`elsewhere.by_class`), empty where they are the same. `leak` is what is
    known of the rows that it has learnt from. A table has no `net`, `meta` and `pixels` (n, size, size, channels).
    """

    path: Path
    where: NDArray[np.intp]
    p: NDArray[np.float32]
    read: Mapping[str, Any] = field(default_factory=dict)
    leak: Mapping[str, Any] = field(default_factory=dict)
    net: nn.Module | None = None
    meta: Meta | None = None
    pixels: Tensor | None = None

    @property
    def foreign(self) -> bool:
        """Whether others trained it, so that nothing is known of how."""
        return self.meta is None or self.meta.foreign is not None

    @property
    def lacking(self) -> tuple[str, ...]:
        """The manifest's classes that it cannot answer."""
        return tuple(self.read.get("classes_lacking", ()))


@dataclass(frozen=True)
class League:
    """The runs on the rows at `where` of one manifest, which all of them have; `asked` were to be judged."""

    rows: Rows
    where: NDArray[np.intp]
    asked: int
    runs: tuple[Judged, ...]

    def predictions(self, split: str) -> list[Predictions]:
        """Return each run's answers as a run would keep them, in the same order."""
        first = predictions.of_rows(self.rows, {split: (self.where, self.runs[0].p)})
        return [replace(first, probabilities=run.p) for run in self.runs]


def judge(
    runs: Sequence[Path],
    manifest: Manifest,
    split: str,
    dataset: str | None,
    shared: bool,
    device: str,
    roots: Mapping[str, Path] | None,
) -> League:
    """Score every run on the split of a manifest; with `shared`, on the rows that every table has.

    Raises FerdataError's kinds, BadOption for a run whose classes cannot be brought to those of the manifest.
    """
    place, _ = resolve(device, "32-true")
    rows = labelled(read_rows(manifest, (dataset,) if dataset else None), split)
    where = rows.where(split)
    found = []
    for path in runs:
        if path.is_dir() or not path.suffix:
            found.append(_run(path, rows, where, split, place, roots))
        else:
            answers = elsewhere.answers(path, rows, where, dataset, shared)
            found.append(Judged(path, answers.where, answers.p, answers.facts))
    common = reduce(np.intersect1d, [one.where for one in found])
    if not len(common):
        raise BadOption("The tables have no row in common.", "Judge them one by one.")
    return League(rows, common, len(where), tuple(_at(one, common) for one in found))


def _at(one: Judged, common: NDArray[np.intp]) -> Judged:
    """Return a run's answers to some of its rows, in the order of these."""
    order = np.argsort(one.where)
    at = order[np.searchsorted(one.where, common, sorter=order)]
    return replace(one, where=common, p=one.p[at])


def _run(
    path: Path, rows: Rows, where: NDArray[np.intp], split: str, device: str, roots: Mapping[str, Path] | None
) -> Judged:
    """Score a run as `evaluate` does, under its own views and temperature."""
    folder = Folder(path)
    folder.must_exist()
    net, meta = load_model(folder.model, device=device)
    images = load(rows, {split: where}, meta.size, meta.channels, roots)[split]
    raw = inference.score(net, images.pixels, meta.mean, meta.std, meta.tta, what=f"Judging {path.name}")
    p = calibration.apply(raw, meta.temperature)
    rest: dict[str, Any] = {"net": net, "meta": meta, "pixels": images.pixels}
    if meta.foreign is not None:
        answers = adopted.answers(path, meta, rows, where, p)
        return Judged(path, where, answers.p, answers.facts, **rest)
    leak = leak_against_training(meta, folder.absolute(meta.manifest), rows, images)
    p, read = by_class(path, meta, p, rows.taxonomy)
    return Judged(path, where, p, read, leak, **rest)


def by_class(
    path: Path, meta: Meta, p: NDArray[np.float32], taxonomy: Taxonomy
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return the probabilities (n, its classes) of a run of ours by another taxonomy's classes, and how that was done.

    Raises BadOption for a class that holds the emotions of several there.
    """
    if meta.classes == taxonomy.classes:
        return p, {}
    own = Taxonomy.from_dict(meta.taxonomy)
    meanings = tuple(_meaning(path, name, own, taxonomy) for name in meta.classes)
    table = Table(path, "", [], np.asarray(p, np.float64), meta.classes, meanings, ())
    return elsewhere.by_class(table, table.p, taxonomy)


def _meaning(path: Path, name: str, own: Taxonomy, taxonomy: Taxonomy) -> str:
    """Return an emotion that a class of a run stands for in another taxonomy; its own name where it has none there.

    Where a class of the run is several there, what it meant cannot be told, and leaving it out would flatter it.
    """
    held = [emotion for emotion, to in own.mapping.items() if to == name and emotion in taxonomy.mapping]
    there = dict.fromkeys(taxonomy.mapping[emotion] for emotion in held)
    if len(there) > 1:
        raise BadOption(
            f"{path} answers {name} for what is {listed(there)} in {taxonomy.name}, and which of them it meant cannot "
            "be told.",
            f"Judge it on a manifest under its own taxonomy: ferdata merge M --taxonomy {own.name}",
        )
    return held[0] if held else name
