"""The page of an audit: one HTML file with everything in it, pictures included, that asks nothing of any network."""

import base64
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

from ferdata import __version__, images
from ferdata.auditing.catalogue import BY_NAME
from ferdata.auditing.pictures import pick
from ferdata.class_balance import class_counts
from ferdata.manifest import Manifest
from ferdata.manifest.counts import split_column
from ferdata.running import progress
from ferdata.running.whole_file import write_whole
from ferdata.schema import SPLITS

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

SIDE = 96  # pixels of a picture's longer side on the page
QUALITY = 82  # of WebP
PLACE = "{{data}}"
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Shown:
    """What the page is made of: the rows, which of them each finding holds, and how they scored.

    `quality` is the column `label_quality`, `expected` the class that nets say, int64 (n,), -1 or None for nothing;
    `hard` the class of each row, -1 for none.
    """

    opened: Manifest
    table: pa.Table
    masks: Mapping[str, NDArray[np.bool_]]
    scores: Mapping[str, Scores]
    quality: Scores
    expected: NDArray[np.int64] | None
    hard: NDArray[np.int64]


def write(
    path: Path, shown: Shown, findings: Sequence[Mapping[str, Any]], noise: float | None, thumbnails: int
) -> None:
    """Write the page, whole or not at all, with up to `thumbnails` rows of each finding. Raises CannotWrite."""
    chosen = {name: _worst(name, mask, shown.scores[name], thumbnails) for name, mask in shown.masks.items()}
    rows = np.unique(np.concatenate([*chosen.values(), np.empty(0, np.int64)]).astype(np.int64))
    place = {int(row): i for i, row in enumerate(rows)}
    data = {
        "title": shown.opened.path.name,
        "facts": _facts(shown, noise),
        "classes": [{"name": c, "colour": shown.opened.taxonomy.colour(c)} for c in shown.opened.taxonomy.classes],
        "balance": _balance(shown),
        "findings": [
            {**finding, "above": BY_NAME[finding["name"]].above,
             "rows": [place[int(r)] for r in chosen.get(finding["name"], ())]}
            for finding in findings
        ],
        "rows": list(_rows(shown, rows)),
    }  # fmt: skip
    # `<` would end the script that holds the data; JSON has another word for it.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    template = resources.files("ferdata.auditing").joinpath("page.html").read_text(encoding="utf-8")
    write_whole(path, template.replace(PLACE, text), "Choose another file with --report.")


def _worst(name: str, mask: NDArray[np.bool_], scores: Scores, most: int) -> NDArray[np.int64]:
    """Return the rows that are furthest into the finding, worst first; equal ones in the manifest's order."""
    rows = np.flatnonzero(mask)
    score = scores[rows]
    return rows[np.argsort(-score if BY_NAME[name].above else score, kind="stable")][:most]


def _facts(shown: Shown, noise: float | None) -> dict[str, str]:
    opened = shown.opened
    facts = {
        "rows": f"{opened.rows:,}",
        "with a finding": f"{int(np.any([*shown.masks.values(), np.zeros(opened.rows, bool)], axis=0).sum()):,}",
        "datasets": ", ".join(opened.sources),
        "taxonomy": opened.taxonomy.name,
        "votes by": str(opened.metadata["vote_policy"]),
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


def _rows(shown: Shown, rows: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Yield what the page knows of each row: who, where, label, scores, picture."""
    about = shown.table.select(["sample_id", "dataset", "target"]).take(pa.array(rows)).to_pylist()
    split = shown.table[split_column(shown.table)].take(pa.array(rows)).to_pylist()
    pictures = dict(_pictures(shown.opened, rows))
    classes = shown.opened.taxonomy.classes
    for row, facts, side in zip(rows.tolist(), about, split, strict=True):
        predicted = -1 if shown.expected is None else int(shown.expected[row])
        yield {
            "id": facts["sample_id"],
            "dataset": facts["dataset"],
            "split": side or "",
            "label": facts["target"] or "",
            "predicted": classes[predicted] if predicted >= 0 else "",
            "quality": _number(shown.quality[row]),
            "found": {n: _number(shown.scores[n][row]) for n, mask in shown.masks.items() if mask[row]},
            "picture": pictures.get(row, ""),
        }


def _number(value: Any) -> float | None:
    return float(f"{float(value):.3g}") if np.isfinite(value) else None


def _pictures(opened: Manifest, rows: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
    """Yield position and data URI of every row whose image can be read."""
    with progress.bar("pictures", len(rows), "images") as advance:
        for row, data in pick(opened, rows):
            advance()
            try:
                image = images.as_uint8(images.decode(data))
            except images.UnreadableImage:
                continue
            scale = min(1.0, SIDE / max(image.shape[:2]))
            if scale < 1:
                size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
                image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            stored = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            coded = bytes(cv2.imencode(".webp", stored, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1])
            yield row, "data:image/webp;base64," + base64.b64encode(coded).decode()
