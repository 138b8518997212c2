"""FER+ as its publishers lay it out, from the real data where they are here; else as many rows that are drawn."""

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ferdata import manifest
from ferdata.labels import EMOTIONS, VOTE_COLUMNS
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from tests.conftest import make_rows, metadata_of, real_data

ROWS = 35_710  # of FER+ with a name
SIDE, ACROSS = 48, 40  # of a face, and faces in a row of a sheet
SUSPECT = 200
PARTS = {"Training": "Train", "PublicTest": "Valid", "PrivateTest": "Test"}
VOTES = (*EMOTIONS, "unknown", "NF")


def ferplus(folder: Path) -> Path:
    """Return a manifest of FER+ whose most torn rows are marked as suspect labels, as audit marks them."""
    try:
        data = real_data() / "fer2013"
    except pytest.skip.Exception:
        return suspected(_drawn(folder / "drawn.parquet"))
    root = folder / "ferplus"
    lines: dict[str, dict[str, str]] = {part: {} for part in PARTS.values()}
    for part in lines:
        (root / "data" / f"FER2013{part}").mkdir(parents=True)
    with (data / "fer2013new.csv").open(newline="") as file:
        votes = {row["Image name"]: ",".join(row[name] for name in VOTES) for row in csv.DictReader(file)}
    with (data / "rows.csv").open(newline="") as file:
        for row, face in zip(csv.DictReader(file), _faces(data), strict=False):
            name, part = row["image_name"], PARTS[row["usage"]]
            if name and name not in lines[part]:
                cv2.imwrite(str(root / "data" / f"FER2013{part}" / name), face)
                lines[part][name] = f'{name},"(0, 0, 48, 48)",{votes[name]}'
    for part, told in lines.items():
        (root / "data" / f"FER2013{part}" / "label.csv").write_text("\n".join(told.values()) + "\n")
    return suspected(ingest("ferplus", root=root, out=folder / "ferplus.parquet").out)


def _faces(data: Path) -> Iterator[np.ndarray]:
    for path in sorted(data.glob("sheet-*.webp")):
        sheet = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert sheet is not None
        for y in range(0, sheet.shape[0], SIDE):
            for x in range(0, ACROSS * SIDE, SIDE):
                yield sheet[y : y + SIDE, x : x + SIDE]


def _drawn(path: Path) -> Path:
    """Write as many rows as FER+ has, on 500 pictures: what the App shows is not what is tested there."""
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, rng.dirichlet(np.full(len(VOTE_COLUMNS), 0.3), ROWS)).tolist()
    batch = make_rows([{"seed": i % 500, "votes": v, "official_split": "train"} for i, v in enumerate(votes)])
    manifest.write(path, [batch], metadata_of(batch))
    return path


def suspected(path: Path) -> Path:
    """Mark the labelled rows with the least agreement among the voters."""
    opened = Manifest(path)
    table = opened.table()
    votes = np.array([v or [10] + [0] * 9 for v in table["votes"].to_pylist()])
    share = votes.max(axis=1) / votes.sum(axis=1)
    share[pc.is_null(table["target"]).to_numpy()] = 1
    worst = np.zeros(len(share), np.bool_)
    worst[np.argsort(share, kind="stable")[:SUSPECT]] = True
    issues = pa.array([["suspect_label"] if w else None for w in worst], pa.list_(pa.string()))
    whole = pa.Table.from_batches(opened.batches())
    for name, column in (("issues", issues), ("label_quality", pa.array(share, pa.float32()))):
        whole = whole.set_column(whole.schema.get_field_index(name), name, column)
    keys = ("sources", "vote_policy", "taxonomy", "lineage")
    manifest.write(path, whole.to_batches(), {k: opened.metadata[k] for k in keys}, force=True)
    return path
