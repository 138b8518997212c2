"""Runs that nobody trained: a real net with the weights it was drawn with, as `ferdata train` would leave it."""

import os
from pathlib import Path
from typing import Any

import torch

from ferdata import labels
from ferdata.manifest import Manifest
from zoo import checkpoint

CLASSES = labels.taxonomy("basic8")


def untaught(folder: Path, manifest: Path | None = None, backbone: str = "mini_xception", **more: Any) -> Path:
    """Write such a run for 48 px grey faces into `folder`, and return it; `more` are fields of `Meta`."""
    facts: dict[str, Any] = {
        "backbone": backbone, "classes": CLASSES.classes, "taxonomy": CLASSES.as_dict(), "mean": (0.5,), "std": (0.25,),
        "size": 48, "channels": 1, "tta": "flip", "manifest": "gone.parquet", "fingerprint": "", "chosen": {},
        "config": {"targets": "crossentropy"}, "temperature": 1.3,
    }  # fmt: skip
    if manifest is not None:
        facts["manifest"] = Path(os.path.relpath(manifest, folder)).as_posix()
        facts["fingerprint"] = Manifest(manifest).fingerprint
    meta = checkpoint.Meta(**{**facts, **more})
    torch.manual_seed(3)
    net = checkpoint.blank(meta).train()
    with torch.no_grad():  # statistics of something, else batch normalisation passes everything on as it is
        for _ in range(3):
            net(torch.randn(8, meta.channels, meta.size, meta.size))
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(folder / "model.safetensors", net.eval(), meta)
    return folder
