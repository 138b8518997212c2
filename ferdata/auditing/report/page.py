"""The page of an audit: one HTML file with everything in it, pictures included, that asks nothing of any network."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ferdata import __version__
from ferdata.auditing.answers import Labels
from ferdata.auditing.catalogue import BY_NAME, GRAVEST_FIRST
from ferdata.auditing.report import distributions, groups
from ferdata.auditing.report.pictures import embedded
from ferdata.class_balance import class_counts
from ferdata.manifest import Manifest
from ferdata.manifest.counts import split_column
from ferdata.running.whole_file import write_whole
from ferdata.schema import SPLITS

LISTED = 2_000  # rows of a finding that the page names; as many as are asked for have a picture too
MEMBERS = 12  # pictures of a group: a person may have hundreds of rows
BEYOND = 60  # pictures past a threshold, to be seen where it is moved
OUTLIERS = 12  # pictures of each class
FILES = ("page.css", "draw.js", "page.js")
Scores = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shown:
    """What the page is made of: the rows, which of them each finding holds, and how they scored.

    `quality` is the column `label_quality`, `expected` the class that nets say, int64 (n,), -1 or None for nothing;
    `written` is the manifest with the findings, where one was written.
    """

    opened: Manifest
    written: Path | None
    table: pa.Table
    labels: Labels
    limits: Mapping[str, float]
    masks: Mapping[str, NDArray[np.bool_]]
    scores: Mapping[str, Scores]
    quality: Scores
    expected: Ints | None


def write(
    path: Path, shown: Shown, findings: Sequence[Mapping[str, Any]], noise: float | None, thumbnails: int
) -> None:
    """Write the page, whole or not at all, with up to `thumbnails` pictures of each finding. Raises CannotWrite."""
    collected = _Collected(shown, thumbnails)
    data = {
        "title": shown.opened.path.name,
        "manifest": str(shown.written or shown.opened.path),
        "facts": _facts(shown, noise),
        "classes": [{"name": c, "colour": shown.opened.taxonomy.colour(c)} for c in shown.opened.taxonomy.classes],
        "balance": _balance(shown),
        "findings": sorted(
            ({**finding, "above": BY_NAME[finding["name"]].above, **collected.finding(finding["name"])}
             for finding in findings),
            key=lambda finding: GRAVEST_FIRST.index(finding["name"]),
        ),
        "copies": collected.copies(),
        "outliers": collected.outliers(),
        "rows": list(collected.rows()),
    }  # fmt: skip
    # `<` would end the script that holds the data; JSON has another word for it.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    write_whole(path, _filled(text), "Choose another file with --report.")


def _filled(data: str) -> str:
    """Return the page with its style, scripts and data in place; the data last, which may hold anything."""
    here = resources.files("ferdata.auditing.report")
    page = here.joinpath("page.html").read_text(encoding="utf-8")
    for name in FILES:
        page = page.replace("{{" + name + "}}", here.joinpath(name).read_text(encoding="utf-8"))
    return page.replace("{{data}}", data)


class _Collected:
    """The rows that the page names, numbered as they come, and which of them have a picture."""

    def __init__(self, shown: Shown, thumbnails: int) -> None:
        self.shown, self.thumbnails = shown, thumbnails
        self.place: dict[int, int] = {}
        self.pictured: set[int] = set()
        self.kin = groups.kin(shown.table, shown.labels.picture, shown.labels.hard)

    def finding(self, name: str) -> dict[str, Any]:
        """Return what a finding shows: rows worst first, with their scores; groups; how its score is distributed."""
        if name not in self.shown.masks:
            return {"rows": [], "scores": []}  # it is of parts, or nobody looked
        mask, scores = self.shown.masks[name], self.shown.scores[name]
        made = {"conflict": groups.conflicts, "leak": groups.leaks}.get(name)
        if made is not None:
            return self._grouped(made(self.kin, mask))
        spread = distributions.distribution(BY_NAME[name], scores, self.shown.limits[name])
        count = int(mask.sum())
        beyond = min(BEYOND, self.thumbnails) if spread and count <= LISTED else 0
        listed = _worst(name, scores)[: min(count, LISTED) + beyond]
        self.pictured.update([*listed[:count][: self.thumbnails].tolist(), *listed[count:].tolist()])
        return {"rows": self._named(listed), "scores": [_exact(scores[r]) for r in listed], "spread": spread}

    def copies(self) -> dict[str, Any]:
        """Return the pictures that stand in several rows: no fault in themselves, and worth a look."""
        made = groups.copies(self.kin)
        return {"count": sum(len(group.rows) for group in made), **self._grouped(made)}

    def outliers(self) -> list[dict[str, Any]]:
        """Return each class's outliers."""
        shown = self.shown
        measures = distributions.measures(shown.table, shown.scores)
        classes = shown.opened.taxonomy.classes
        found = []
        for name, far in zip(classes, distributions.outliers(measures, shown.labels.hard, classes), strict=True):
            rows = far.rows[: min(OUTLIERS, self.thumbnails)]
            self.pictured.update(rows.tolist())
            why = [{"measure": m, "z": _number(z)} for m, z in zip(far.measure, far.distance, strict=True)]
            found.append({"class": name, "count": len(far.rows), "rows": self._named(rows), "why": why[: len(rows)]})
        return found

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield what the page knows of each row that was named: who, where, label, scores, picture."""
        shown = self.shown
        numbers = np.array(list(self.place), np.int64)
        about = shown.table.select(["sample_id", "dataset", "target", "width", "height"]).take(pa.array(numbers))
        split = shown.table[split_column(shown.table)].take(pa.array(numbers)).to_pylist()
        pictures = dict(embedded(shown.opened, np.array(sorted(self.pictured), np.int64)))
        classes = shown.opened.taxonomy.classes
        for row, facts, side in zip(numbers.tolist(), about.to_pylist(), split, strict=True):
            predicted = -1 if shown.expected is None else int(shown.expected[row])
            yield {
                "id": facts["sample_id"],
                "dataset": facts["dataset"],
                "split": side or "",
                "label": facts["target"] or "",
                "predicted": classes[predicted] if predicted >= 0 else "",
                "quality": _number(shown.quality[row]),
                "size": [facts["width"], facts["height"]],
                "found": {n: _number(shown.scores[n][row]) for n, mask in shown.masks.items() if mask[row]},
                "picture": pictures.get(row, "" if row in self.pictured else None),
            }

    def _named(self, rows: Ints) -> list[int]:
        return [self.place.setdefault(row, len(self.place)) for row in rows.tolist()]

    def _grouped(self, made: Sequence[groups.Group]) -> dict[str, Any]:
        """Return the first groups, as many rows as are listed; pictures for the first few of each while they last."""
        chosen: list[dict[str, Any]] = []
        left, pictures = LISTED, self.thumbnails
        for group in made:
            if left <= 0:
                break
            rows = groups.mixed(self.kin, group.rows)[:left]
            seen = rows[:MEMBERS] if pictures > 0 else rows[:0]
            left, pictures = left - len(rows), pictures - len(seen)
            self.pictured.update(seen.tolist())
            chosen.append({"why": group.why, "size": len(group.rows), "seen": len(seen), "rows": self._named(rows)})
        return {"groups": chosen, "of_groups": len(made)}


def _worst(name: str, scores: Scores) -> Ints:
    """Return the rows that have a score, worst first; equal ones in the manifest's order."""
    rows = np.flatnonzero(~np.isnan(scores))
    return rows[np.argsort(-scores[rows] if BY_NAME[name].above else scores[rows], kind="stable")]


def _facts(shown: Shown, noise: float | None) -> dict[str, str]:
    opened = shown.opened
    facts = {
        "rows": f"{opened.rows:,}",
        "with a finding": f"{int(np.any([*shown.masks.values(), np.zeros(opened.rows, bool)], axis=0).sum()):,}",
        "datasets": ", ".join(opened.sources),
        "taxonomy": opened.taxonomy.name,
        "vote policy": str(opened.metadata["vote_policy"]),
    }
    if noise is not None:
        facts["wrong labels, estimated"] = f"{noise:.1%}"
    return facts | {"fingerprint": opened.fingerprint[:12], "ferdata": __version__}


def _balance(shown: Shown) -> list[dict[str, Any]]:
    """Return the rows of each class in each split."""
    side = shown.table[split_column(shown.table)]
    target, classes = shown.table["target"], shown.opened.taxonomy.classes
    on = {name: target.filter(pc.fill_null(pc.equal(side, name), False)) for name in SPLITS}
    parts = {name: column for name, column in on.items() if len(column)} or {"all": target}
    return [{"part": name, "counts": class_counts(column, classes).tolist()} for name, column in parts.items()]


def _number(value: Any) -> float | None:
    return float(f"{float(value):.3g}") if np.isfinite(value) else None


def _exact(value: Any) -> float:
    """Return a float32 in as many digits as tell it from any other, so that the page compares as audit does."""
    return float(f"{float(value):.9g}")
