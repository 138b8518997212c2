"""The model half: trains a backbone on a manifest, scores it, predicts with it. Needs `pip install 'ferdata[train]'`.

Three functions carry it: `zoo.train.train`, `zoo.evaluate.evaluate` and `zoo.predict.predict`. It reads manifests and
knows nothing of how they were made.
"""

from importlib.util import find_spec

from ferdata.errors import MissingExtra

_missing = [
    name
    for name in (
        "torch",
        "torchvision",
        "timm",
        "lightning_fabric",
        "torchmetrics",
        "sklearn",
        "safetensors",
        "tensorboard",
    )
    if find_spec(name) is None
]
if _missing:
    raise MissingExtra(f"Training needs {', '.join(_missing)}.", "pip install 'ferdata[train]'")
