"""FER+ as its publishers lay it out, from the real data where they are here; else as many rows that are drawn."""

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ferdata import manifest
from ferdata.labels import EMOTIONS, VOTE_COLUMNS
from ferdata.manifest import Manifest
from ferdata.steps.ingest import ingest
from tests.conftest import make_rows, metadata_of, real_data

ROWS = 35_710  # of FER+ with a name
DRAWN = 7_000  # pictures, where the real ones are not here
SIDE, ACROSS = 48, 40  # of a face, and faces in a row of a sheet
PARTS = {"Training": "Train", "PublicTest": "Valid", "PrivateTest": "Test"}
VOTES = (*EMOTIONS, "unknown", "NF")


def ferplus(folder: Path) -> Path:
    """Return a manifest of FER+."""
    try:
        data = real_data() / "fer2013"
    except pytest.skip.Exception:
        return _drawn(folder / "drawn.parquet")
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
    return ingest("ferplus", root=root, out=folder / "ferplus.parquet").out


def _faces(data: Path) -> Iterator[np.ndarray]:
    for path in sorted(data.glob("sheet-*.webp")):
        sheet = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert sheet is not None
        for y in range(0, sheet.shape[0], SIDE):
            for x in range(0, ACROSS * SIDE, SIDE):
                yield sheet[y : y + SIDE, x : x + SIDE]


def _drawn(path: Path) -> Path:
    """Write as many rows as FER+ has, on 500 pictures, each seen alike by its voters for the most part."""
    rng = np.random.default_rng(0)
    seen = rng.dirichlet(np.full(len(VOTE_COLUMNS), 0.1), DRAWN)
    votes = rng.multinomial(10, seen[np.arange(ROWS) % DRAWN]).tolist()
    batch = make_rows([{"seed": i % DRAWN, "votes": v, "official_split": "train"} for i, v in enumerate(votes)])
    manifest.write(path, [batch], metadata_of(batch))
    return path


def said_of(path: Path, to: Path) -> Path:
    """Write what a classifier says of each row, each fifth judged by one fitted on the others: gradients and LDA."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import cross_val_predict

    opened = Manifest(path)
    table, roots = opened.table("sample_id", "target"), opened.roots()
    gradients = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (16, 16), (8, 8), 9)
    features = np.stack(
        [gradients.compute(_grey(opened.read_image(row, roots)))
         for batch in opened.batches() for row in batch.to_pylist()]
    )  # fmt: skip
    labelled = pc.is_valid(table["target"]).to_numpy()
    classes, hard = np.unique(table["target"].drop_null().to_pylist(), return_inverse=True)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    p = np.zeros((len(labelled), len(classes)), np.float32)
    p[labelled] = cross_val_predict(lda, features[labelled], hard, method="predict_proba")
    p[~labelled] = lda.fit(features[labelled], hard).predict_proba(features[~labelled])
    columns = {"sample_id": table["sample_id"], "predicted": classes[p.argmax(1)], "confidence": p.max(1)}
    pq.write_table(pa.table(columns | dict(zip(classes, p.T, strict=True))), to)
    return to


def _grey(data: bytes) -> np.ndarray:
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None
    return cv2.resize(grey, (SIDE, SIDE))
