"""What one set holds, as far as its columns tell: size, classes, pixels, faces, people, voters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata.auditing import answers
from ferdata.auditing.catalogue import BY_NAME
from ferdata.auditing.pictures import measured
from ferdata.class_balance import Balance, balance
from ferdata.comparing.look import Looked
from ferdata.comparing.sets import PEOPLE, Sets
from ferdata.images.alignment import five_points

EDGES = (0.05, 0.5, 0.95)  # quantiles of a Spread


@dataclass(frozen=True)
class Spread:
    """How a measure is spread over the `n` rows that have it: its median, and what 5 % and 95 % of them are below."""

    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Facts:
    """What a set holds. A share or Spread is None where nothing tells it.

    `people` and `clips` count those that the publisher names. `terms` are of the licence, by dataset. `short_side` is
    in pixels of the image, `face_side` in pixels of the original photograph, and `brightness` and `contrast` are in
    0..1. `grey` and `blurred` are shares, of the `looked` images that were read, or (0) by what ingest measured.
    `roll` is the head's tilt in the image plane in degrees, as published, and `turn` how far the nose is off the line
    through the middle between the eyes, in distances of the eyes: 0 seen from the front. `crops` counts the rows by
    how they were cut. `doubted` is the share of the voted labels for which fewer than half of the voters spoke.
    """

    name: str
    rows: int
    classes: Balance
    people: int | None
    clips: int | None
    synthetic: float
    terms: Mapping[str, Mapping[str, Any]]
    short_side: Spread
    brightness: Spread
    contrast: Spread
    grey: float | None
    blurred: float | None
    looked: int
    face_side: Spread | None
    roll: Spread | None
    turn: Spread | None
    crops: Mapping[str, int]
    age: Mapping[str, int]
    gender: Mapping[str, int]
    ethnicity: Mapping[str, int]
    doubted: float | None


def facts(sets: Sets, number: int, looked: Looked | None) -> Facts:
    """Return the facts of a set; `looked` is what reading some of all sets' images has shown, if they were read."""
    rows = sets.rows(number)
    table = sets.table.take(pa.array(rows))
    known = measured(table)
    roll, turn = _pose(table)
    grey, blurred, n = _seen(table, known["blurred"]) if looked is None else _of_look(looked, rows)
    short = np.minimum(table["width"].to_numpy(), table["height"].to_numpy()).astype(np.float32)
    return Facts(
        name=sets.names[number],
        rows=len(rows),
        classes=balance(sets.names[number], table, sets.taxonomy),
        people=_distinct(table, "subject"),
        clips=_distinct(table, "sequence"),
        synthetic=float(np.mean(table["synthetic"].to_numpy())),
        terms=_terms(sets, table["dataset"].unique().to_pylist()),
        short_side=_sure(short),
        brightness=_sure(known["dark"]),
        contrast=_sure(known["blank"]),
        grey=grey,
        blurred=blurred,
        looked=n,
        face_side=_spread(known["small_face"]) if "small_face" in known else None,
        roll=roll,
        turn=turn,
        crops=_crops(table),
        **{name: _values(table[name]) for name in PEOPLE},
        doubted=_doubted(sets, table),
    )


def _spread(values: NDArray[np.floating]) -> Spread | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, middle, high = np.quantile(known, EDGES)
    return Spread(float(middle), float(low), float(high), len(known))


def _sure(values: NDArray[np.floating]) -> Spread:
    """Return the spread of a measure that ingest takes of every image."""
    return _spread(values) or Spread(0.0, 0.0, 0.0, 0)


def _seen(table: pa.Table, detail: NDArray[np.float32]) -> tuple[float | None, float | None, int]:
    """Return the shares of grey and blurred images by ingest's columns; what it knows of small images alone."""
    return float(1 - np.mean(pc.starts_with(table["mode"], "RGB").to_numpy())), _blurred(detail), 0


def _of_look(looked: Looked, rows: NDArray[np.int64]) -> tuple[float | None, float | None, int]:
    at = np.isin(looked.rows, rows)
    if not at.any():
        return None, None, 0
    return float(np.mean(~looked.colour[at])), _blurred(looked.detail[at]), int(at.sum())


def _blurred(detail: NDArray[np.float32]) -> float | None:
    known = detail[np.isfinite(detail)]
    return float(np.mean(known < BY_NAME["blurred"].threshold)) if len(known) else None


def _distinct(table: pa.Table, column: str) -> int | None:
    """Return how many people or clips a publisher names; None where none is named."""
    named = pc.binary_join_element_wise(table["dataset"], table[column], "\n")
    return int(pc.count_distinct(named).as_py()) or None


def _terms(sets: Sets, datasets: list[str]) -> dict[str, dict[str, Any]]:
    sources = {name: source for m in sets.manifests for name, source in m.sources.items()}
    return {d: {key: sources[d][key] for key in ("licence", "redistribution", "commercial")} for d in sorted(datasets)}


def _crops(table: pa.Table) -> dict[str, int]:
    """Count the rows by how the face was cut: as published, or aligned with a detector."""
    by = pc.coalesce(pc.struct_field(table["alignment"], "detector"), pa.scalar("as published"))
    aligned = table["alignment"].is_valid()
    words = pc.if_else(aligned, pc.binary_join_element_wise(pa.scalar("aligned by"), by, " "), by)
    return {str(v["values"]): int(v["counts"]) for v in words.value_counts().to_pylist()}


def _pose(table: pa.Table) -> tuple[Spread | None, Spread | None]:
    """Return roll and turn of the heads whose eyes, nose and mouth are known, in the photograph as it was published."""
    published = pc.coalesce(pc.struct_field(table["alignment"], "landmarks"), table["landmarks"]).drop_null()
    found = [five_points(np.array(flat, np.float64).reshape(-1, 2)) for flat in published.to_pylist()]
    five = np.array([points for points in found if points is not None], np.float64).reshape(-1, 5, 2)
    if not len(five):
        return None, None
    along = five[:, 1] - five[:, 0]
    apart = np.hypot(along[:, 0], along[:, 1])
    nose = five[:, 2] - (five[:, 0] + five[:, 1]) / 2
    roll = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    return _spread(roll), _spread((nose * along).sum(1) / apart**2)


def _values(column: pa.ChunkedArray) -> dict[str, int]:
    counted = column.drop_null().value_counts().to_pylist()
    return {str(c["values"]): int(c["counts"]) for c in sorted(counted, key=lambda c: (-c["counts"], c["values"]))}


def _doubted(sets: Sets, table: pa.Table) -> float | None:
    share = answers.scores(answers.read(table, sets.taxonomy)).get("vote_disagreement")
    known = None if share is None else share[np.isfinite(share)]
    return None if known is None or not len(known) else float(np.mean(known < BY_NAME["vote_disagreement"].threshold))
