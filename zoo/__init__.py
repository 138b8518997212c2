"""The model half: trains a backbone on a manifest, scores it, predicts with it. Needs the extra `train`.

What a notebook wants of it is imported from here: `from zoo import train, evaluate, predict`. It reads manifests and
knows nothing of how they were made.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ferdata.errors import MissingExtra
from ferdata.running.extras import install

if TYPE_CHECKING:
    from zoo.augment.contact_sheet import sheet as sheet
    from zoo.deploy.adopt import adopt as adopt
    from zoo.deploy.features import features as features
    from zoo.deploy.onnx_export import export as export
    from zoo.deploy.predict import predict as predict
    from zoo.deploy.publish import publish as publish
    from zoo.evaluation.compare import compare as compare
    from zoo.evaluation.evaluate import evaluate as evaluate
    from zoo.experiments.ablation import ablate as ablate
    from zoo.experiments.cross_validation import cross_validate as cross_validate
    from zoo.experiments.matrix import matrix as matrix
    from zoo.training.train import train as train

_missing = [
    name
    for name in (
        "torch",
        "torchvision",
        "timm",
        "lightning_fabric",
        "sklearn",
        "safetensors",
        "tensorboard",
    )
    if find_spec(name) is None
]
if _missing:
    raise MissingExtra(f"Training needs {', '.join(_missing)}.", install("train"))

_ROOMS = {
    "adopt": "zoo.deploy.adopt",
    "ablate": "zoo.experiments.ablation",
    "compare": "zoo.evaluation.compare",
    "cross_validate": "zoo.experiments.cross_validation",
    "evaluate": "zoo.evaluation.evaluate",
    "export": "zoo.deploy.onnx_export",
    "features": "zoo.deploy.features",
    "matrix": "zoo.experiments.matrix",
    "predict": "zoo.deploy.predict",
    "publish": "zoo.deploy.publish",
    "sheet": "zoo.augment.contact_sheet",
    "train": "zoo.training.train",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    """Load the function that is asked for, and what it needs."""
    if name in _ROOMS:
        return getattr(import_module(_ROOMS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
