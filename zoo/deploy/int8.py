"""A graph in 8-bit numbers: smaller, and faster where the processor is made for it; what it costs is measured."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.deploy.onnx_check import in_batches
from zoo.deploy.onnx_graph import INPUT
from zoo.evaluation import metrics

QUANTISED = ("Conv", "Gemm", "MatMul")  # the arithmetic; normalising, softmax and temperature stay in float32


def quantise(model: bytes, pixels: NDArray[np.uint8], batch: int | None = None) -> bytes:
    """Return a model with 8-bit convolutions and products, scaled on `pixels`, uint8 (n, C, H, W), of train.

    Static quantisation: weights per channel, activations per tensor, their range from the least to the largest value
    that `pixels` give. Weights have 7 bits, since processors without VNNI add 8-bit products up in 16 bits, which
    overflow and are clipped, and the accuracy measured here would not hold there. `batch` is how many pictures the
    model takes at a time, None for any number.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as name:
        given, prepared, done = (Path(name) / f"{stem}.onnx" for stem in ("given", "prepared", "done"))
        given.write_bytes(model)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, done, _reader(pixels, batch), quant_format=QuantFormat.QDQ, op_types_to_quantize=list(QUANTISED),
            per_channel=True, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        return done.read_bytes()


def _reader(pixels: NDArray[np.uint8], batch: int | None) -> Any:
    """Return what the calibration asks for its next batch."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
        def __init__(self) -> None:
            self.batches: Iterator[Any] = ({INPUT: part} for part in in_batches(pixels, batch))

        def get_next(self) -> Any:
            return next(self.batches, None)

    return Reader()


def compare(
    full: NDArray[np.float32], eight: NDArray[np.float32], hard: NDArray[np.int64], before: int, after: int
) -> dict[str, Any]:
    """Return what 8 bits cost on val: probabilities (n, classes) of both, true classes (n,), sizes in bytes.

    `lost` is of accuracy, `changed` the share of labels that are others now.
    """
    scores = {name: float((p.argmax(1) == hard).mean()) for name, p in (("float32", full), ("int8", eight))}
    return {
        "faces": len(hard),
        "accuracy": scores,
        "lost": scores["float32"] - scores["int8"],
        "log_loss": {"float32": metrics.log_loss(full, hard), "int8": metrics.log_loss(eight, hard)},
        "changed": float((full.argmax(1) != eight.argmax(1)).mean()),
        "most": float(np.abs(full - eight).max()),
        "bytes": {"float32": before, "int8": after},
    }
