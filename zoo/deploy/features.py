"""What a trained net makes of images, before its last layer: the numbers by which sets of faces are compared."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption
from zoo.deploy.preprocess import Preprocess
from zoo.evaluation import inference
from zoo.models.load import load_model
from zoo.run.device import resolve
from zoo.run.run_folder import Folder


class Features:
    """Turns images into what a net's last layer reads; `name` says which net that is."""

    def __init__(self, run: Path, device: str = "auto") -> None:
        """Load the net of a run's folder. Raises BrokenRun, BadOption."""
        folder = Folder(run)
        folder.must_exist()
        where, _ = resolve(device, "32-true")
        self._net, meta = load_model(folder.model, with_trees=False, device=where)
        if meta.foreign is not None:
            raise BadOption(
                f"{run} was adopted, and what its last layer reads is inside of {meta.foreign['file']}.",
                "Name a run that was trained here, or use the features of its weights: --net with such a run.",
            )
        self._preprocess = Preprocess.of(meta)
        self.name = f"features of {meta.backbone} at {meta.size} px, run {run.resolve().name}"

    def __call__(self, images: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return float32 (n, width) of n images, grey (H, W) or RGB (H, W, 3), cut as the training set was."""
        known = self._preprocess
        pixels = np.stack([known.pixels(image) for image in images])
        return inference.features(self._net, pixels, known.mean, known.std)


def features(run: str | Path, *, device: str = "auto") -> Features:
    """Return what turns images into the features of a run's net. Raises BrokenRun, BadOption."""
    return Features(Path(run), device)
