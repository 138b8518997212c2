"""What the commands of the suite work on, made once: drawn faces, manifests of them, a ledger, a run, a shared file."""

import importlib
import json
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferdata import steps
from ferdata.manifest import Manifest
from ferdata.steps.draw import draw
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import merge
from ferdata.steps.share import share

FACES = 400
TINY: dict[str, Any] = {"backbone": "lenet5", "size": 32, "batch": 32, "epochs": 2, "device": "cpu", "seed": 3}


@dataclass(frozen=True)
class Made:
    """The folders and files; nothing may change them."""

    root: Path

    @property
    def faces(self) -> Path:
        """The tree of drawn faces in FER+'s layout."""
        return self.root / "data" / "ferplus"

    @property
    def whole(self) -> Path:
        """The manifest of that tree, as ingest writes it, pictures embedded."""
        return self.root / "manifests" / "ferplus.parquet"

    @property
    def merged(self) -> Path:
        """The same with splits."""
        return self.root / "manifests" / "merged.parquet"

    @property
    def ledger(self) -> Path:
        """Decisions on every seventh of its rows."""
        return self.root / "decisions.jsonl"

    @property
    def sheet(self) -> Path:
        """A filled-in sheet for every third."""
        return self.root / "sheet.csv"

    @property
    def shared(self) -> Path:
        """A shared file of the merged manifest."""
        return self.root / "shared.json"

    @property
    def run(self) -> Path:
        """A run of two epochs."""
        return self.root / "runs" / "run"


def make(root: Path) -> Made:
    """Make all of it but the run in the folder `root`."""
    _import_everything()
    made = Made(root)
    draw(root / "data", faces=FACES, seed=1)
    ingest("ferplus", root=made.faces, out=made.whole, images="embed", workers=1)
    merge(made.whole, out=made.merged)
    rows = Manifest(made.whole).table("sample_id", "pixel_hash").to_pylist()
    _write_ledger(made.ledger, rows[::7])
    lines = [f"fear,,{row['sample_id']},{row['pixel_hash']}\n" for row in rows[::3]]
    made.sheet.write_text("new,note,sample_id,pixel_hash\n" + "".join(lines))
    share(made.merged, out=made.shared)
    return made


def make_run(made: Made) -> Made:
    """Make the run as well, which takes torch."""
    from zoo.training.train import train

    train(made.merged, made.run, **TINY)
    return made


def _import_everything() -> None:
    """Import what the commands import on their way, so that no child of this process need do it again."""
    import zoo.deploy.onnx_export
    import zoo.deploy.predict
    import zoo.evaluation.compare
    import zoo.evaluation.evaluate
    import zoo.training.train  # noqa: F401

    for step in pkgutil.iter_modules(steps.__path__):
        importlib.import_module(f"{steps.__name__}.{step.name}")


def _write_ledger(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w") as file:
        for number, row in enumerate(rows):
            line = {
                "id": str(number), "pixel_hash": row["pixel_hash"], "sample_id": row["sample_id"], "old": None,
                "new": "anger", "by": "a", "at": "2025-01-01T00:00:00+00:00",
            }  # fmt: skip
            file.write(json.dumps(line) + "\n")
