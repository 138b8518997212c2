"""Runs that nobody trained: a real net with the weights it was drawn with, as `ferdata train` would leave it."""

import os
from pathlib import Path
from typing import Any

import torch

from ferdata import labels
from ferdata.manifest import Manifest
from zoo.models.load import blank_model
from zoo.run import model_file

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
    meta = model_file.Meta(**{**facts, **more})
    torch.manual_seed(3)
    net = blank_model(meta).train()
    with torch.no_grad():  # as training leaves it: statistics of pictures, and a last layer that tells them apart
        coarse = torch.randn(32, meta.channels, 6, 6)
        seen = torch.nn.functional.interpolate(coarse, (meta.size, meta.size), mode="bilinear")
        for _ in range(30):
            net(seen)
        last = net.eval().get_classifier()
        last.weight.mul_(1.5 / net(seen).std(0).mean())
    folder.mkdir(parents=True, exist_ok=True)
    model_file.save(folder / "model.safetensors", net.eval(), meta)
    return folder
