"""An exported graph beside the run: what onnxruntime and OpenCV make of it, and whether that is what torch says."""

import re
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ferdata.errors import BrokenRun
from ferdata.running import progress
from zoo.deploy.onnx_graph import INPUT, OUTPUT

# isort: split
import cv2  # after `ferdata.images`, which sets what OpenCV reads when it is imported

AT_ONCE = 32  # pictures, where the graph takes any number


def as_input(pixels: Tensor) -> NDArray[np.uint8]:
    """Return images (n, H, W, C) as the graph takes them, uint8 (n, C, H, W)."""
    return np.ascontiguousarray(pixels.permute(0, 3, 1, 2).numpy())


def in_batches(pixels: NDArray[np.uint8], batch: int | None) -> Iterator[NDArray[np.uint8]]:
    """Yield pixels (n, C, H, W) as a graph takes them: `batch` at a time, the last one repeated to fill up the last.

    None for a graph that takes any number.
    """
    for start in range(0, len(pixels), batch or AT_ONCE):
        part = pixels[start : start + (batch or AT_ONCE)]
        missing = batch - len(part) if batch else 0
        yield np.concatenate([part, *[part[-1:]] * missing])


def run_onnx(model: bytes, pixels: NDArray[np.uint8], batch: int | None = None) -> tuple[NDArray[np.float32], float]:
    """Return the probabilities, float32 (n, classes), that onnxruntime gives for pixels (n, C, H, W), and faces/s."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()  # so that the two speeds are of the same means
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    parts = []
    began = time.perf_counter()
    with progress.bar("onnxruntime", len(pixels), "images") as advance:
        for part in in_batches(pixels, batch):
            parts.append(session.run([OUTPUT], {INPUT: part})[0])
            advance(len(part))
    return np.concatenate(parts)[: len(pixels)], len(pixels) / (time.perf_counter() - began)


def run_opencv(model: bytes, pixels: NDArray[np.uint8], batch: int | None = None) -> NDArray[np.float32]:
    """Return the probabilities, float32 (n, classes), that OpenCV gives for pixels (n, C, H, W): in its batches,
    after one alone where the graph takes any number. Raises cv2.error, and ValueError for another shape.
    """
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    parts = []
    for part in (*([] if batch else [pixels[:1]]), *in_batches(pixels if batch else pixels[1:], batch)):
        net.setInput(part.astype(np.float32))
        out = np.asarray(net.forward(), np.float32)
        if out.ndim != 2 or len(out) != len(part):
            raise ValueError(f"gives {out.shape} for {len(part)} pictures")
        parts.append(out)
    return np.concatenate(parts)[: len(pixels)]


def compare_opencv(
    model: bytes, pixels: NDArray[np.uint8], expected: NDArray[np.float32], tolerance: float, batch: int | None = None
) -> dict[str, Any]:
    """Return whether OpenCV reads a model and gives probabilities (n, classes) within `tolerance` for pixels.

    `read` is both; `faces` how many, `most` the largest difference, None where it gave nothing, and `why` it is not
    read, "" where it is. An export is whole without OpenCV, so that this raises nothing.
    """
    told: dict[str, Any] = {"faces": len(pixels), "most": None}
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would print its errors beside ours
    try:
        told["most"] = float(np.abs(run_opencv(model, pixels, batch) - expected).max())
    except (cv2.error, ValueError) as error:
        return {**told, "read": False, "why": _reason(error)}
    finally:
        cv2.utils.logging.setLogLevel(level)
    right = told["most"] <= tolerance
    return {**told, "read": right, "why": "" if right else f"probabilities differ by {told['most']:.2g}"}


def versions() -> dict[str, str]:
    """Return the versions of the three engines."""
    import onnxruntime

    return {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "opencv": cv2.__version__}


def _reason(error: Exception) -> str:
    """Return why OpenCV does not read a model: the operation that it stumbles over, or its own first line."""
    text = str(error)
    operation = re.search(r"\[(\w+)@[\w.]+\]", text)
    return f"stumbles over {operation[1]}" if operation else text.strip().splitlines()[0]


def check_parity(expected: NDArray[np.float32], got: NDArray[np.float32], tolerance: float) -> dict[str, Any]:
    """Compare probabilities (n, classes). Raises BrokenRun where they differ by more, or name another class.

    A label may differ only where the two classes are within the tolerance of each other: that is a tie.
    """
    most = float(np.abs(expected - got).max())
    ours, theirs, row = expected.argmax(1), got.argmax(1), np.arange(len(got))
    tied = expected[row, ours] - expected[row, theirs] <= tolerance
    differ = int(((ours != theirs) & ~tied).sum())
    if not most <= tolerance or differ:
        raise BrokenRun(
            f"The exported graph is not the run: {differ:,} of {len(got):,} val faces get another label, and "
            f"probabilities differ by {most:.2g}, where {tolerance:.2g} is allowed.",
            "Nothing was written. Give --tolerance only if such a difference does not matter to you.",
        )
    return {"faces": len(got), "most": most, "labels": differ, "tolerance": tolerance}
