"""Augmentation by albumentations, picture by picture: the one module that knows the library.

It draws for itself, from the same ranges as `zoo.augment.parameters`: each of the two checks the other
(tests/zoo/test_engines.py). 2.0.8 is the last release under MIT.
"""

import os
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata import images as _  # noqa: F401  # sets OpenCV's limits and its number of threads
from zoo.augment.policies import Policy

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # importing a library is no reason to ask the network

import albumentations as A

# After the import of ferdata.images, which sets OpenCV's limits.
import cv2  # isort: skip


class _Affine(A.Affine):  # type: ignore[misc]  # the library is untyped to mypy
    """Affine that shifts by parts of a pixel: the library's cuts them off, which draws 0 twice as often."""

    def _get_translate_params(self, image_shape: tuple[int, int]) -> dict[str, float]:
        share = {axis: self.py_random.uniform(*span) for axis, span in (self.translate_percent or {}).items()}
        return {"x": share.get("x", 0.0) * image_shape[1], "y": share.get("y", 0.0) * image_shape[0]}


class Pipeline:
    """A policy as albumentations runs it, on pictures of `side` pixels; for one thread at a time.

    `mean` (C,) in 0..1 is the colour of what is erased.
    """

    def __init__(self, policy: Policy, side: int, mean: NDArray[np.floating]) -> None:
        self.compose = A.Compose(_steps(policy, side, mean), p=1.0)

    def __call__(self, pixels: NDArray[np.uint8], where: NDArray[np.integer], seed: int) -> NDArray[np.uint8]:
        """Return the pictures at `where` of uint8 (N, H, W, C), augmented under `seed`: uint8 (B, H, W, C)."""
        # Compose.set_random_seed would give every transform the same numbers: who is turned left would be mirrored.
        numbers, plain = np.random.default_rng(seed), random.Random(seed)
        for step in (self.compose, *self.compose.transforms):
            step.set_random_state(numbers, plain)
        out = np.empty((len(where), *pixels.shape[1:]), np.uint8)
        for i, row in enumerate(where.tolist()):
            out[i] = self.compose(image=np.ascontiguousarray(pixels[row]))["image"].reshape(pixels.shape[1:])
        return out


def _steps(policy: Policy, side: int, mean: NDArray[np.floating]) -> list[Any]:
    moved: dict[str, Any] = {}
    if policy.shift:
        share = (-policy.shift, policy.shift)
        moved["translate_percent"] = {"x": share, "y": share}
    turned: dict[str, Any] = {}
    if policy.rotation or policy.shear or policy.scale != (1, 1):
        turned = {
            "scale": {"x": policy.scale, "y": policy.scale},
            "rotate": (-policy.rotation, policy.rotation),
            "shear": {"x": (-policy.shear, policy.shear), "y": (0.0, 0.0)},
        }
    edge = {"interpolation": cv2.INTER_LINEAR, "border_mode": cv2.BORDER_REFLECT}
    steps: list[Any] = []
    if turned and moved and policy.rotation_chance == policy.shift_chance == 1:
        steps.append(_Affine(**turned, **moved, **edge, p=1.0))
    else:
        steps += [_Affine(**turned, **edge, p=policy.rotation_chance)] if turned else []
        steps += [_Affine(**moved, **edge, p=policy.shift_chance)] if moved else []
    if policy.crops:
        steps.append(A.RandomResizedCrop((side, side), scale=policy.crop, ratio=policy.crop_aspect, p=1.0))
    if policy.flip:
        steps.append(A.HorizontalFlip(p=policy.flip))
    if policy.tones:
        tone = {"brightness": policy.brightness, "contrast": policy.contrast}
        steps.append(A.ColorJitter(**tone, saturation=(1.0, 1.0), hue=(0.0, 0.0), p=policy.tone_chance))
    if policy.erase:
        colour = tuple(float(round(255 * v)) for v in mean)
        shape = {"scale": policy.erase_area, "ratio": policy.erase_aspect}
        steps.append(A.Erasing(**shape, fill=colour, p=policy.erase))
    return steps
