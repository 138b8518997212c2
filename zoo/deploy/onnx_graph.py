"""The graph of an export: everything between pixels and probabilities, in operations that OpenCV reads too."""

import logging
import warnings
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ferdata.errors import BrokenRun
from ferdata.running import progress
from zoo.deploy.preprocess import Preprocess
from zoo.evaluation.inference import corners_and_centre, tempered
from zoo.run.model_file import Meta

OPSET = 18
INPUT, OUTPUT = "pixels", "probabilities"


class Whole(nn.Module):
    """A net between pixels and probabilities: normalises, averages the views, applies the temperature."""

    def __init__(self, net: nn.Module, meta: Meta, tta: str) -> None:
        super().__init__()
        self.net, self.preprocess, self.tta, self.temperature = net, Preprocess.of(meta), tta, meta.temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Map uint8 (N, channels, size, size) to probabilities, float32 (N, classes)."""
        x, count = in_one_batch(self.preprocess.normalised(pixels.float() / 255), self.tta)
        return averaged(self.net(x).float().softmax(1), count, self.temperature)


def in_one_batch(x: Tensor, tta: str) -> tuple[Tensor, int]:
    """Return all views of a normalised batch (n, C, H, W), those of a picture together, and how many each has.

    So the net stands in the graph once, where `score` spares memory and takes it for each view.
    """
    seen = list(views(x, tta))
    if len(seen) == 1:
        return x, 1
    # Put together as channels, since OpenCV reads no graph that joins batches of an open length.
    return torch.cat(seen, 1).reshape(-1, *x.shape[1:]), len(seen)


def averaged(p: Tensor, count: int, temperature: float) -> Tensor:
    """Return the mean of the probabilities (n * count, classes) over the views of each picture, tempered."""
    return tempered(p.reshape(-1, count, p.shape[1]).mean(1) if count > 1 else p, temperature)


def views(x: Tensor, tta: str) -> Iterator[Tensor]:
    """Yield the views of a normalised batch (n, C, H, W), each of its shape: those of `zoo.evaluation.inference`."""
    back = torch.arange(x.shape[3] - 1, -1, -1, device=x.device)  # OpenCV does not read a `flip` in a graph
    for view in _grown_crops(x) if tta == "ten-crop" else (x,):
        yield view
        if tta != "none":
            yield view.index_select(3, back)


def _grown_crops(x: Tensor) -> Iterator[Tensor]:
    """Yield the five crops of a batch, grown by factors: OpenCV reads no target size where the batch is open."""
    for crop in corners_and_centre(x):
        # One bit more than the quotient: where that is rounded down, side times factor is a pixel short.
        factors = (
            float(np.nextafter(np.float32(whole / side), np.float32(np.inf)))
            for whole, side in zip(x.shape[2:], crop.shape[2:], strict=True)
        )
        yield F.interpolate(crop, scale_factor=tuple(factors), mode="bilinear")


def _hard_sigmoid(x: Any) -> Any:
    """Write min(max(x / 6 + 1/2, 0), 1) step by step: OpenCV 4 reads a HardSigmoid, and computes something else."""
    from onnxscript import opset18 as op

    return op.Clip(
        op.Add(op.Mul(x, op.Constant(value_float=1 / 6)), op.Constant(value_float=0.5)),
        op.Constant(value_float=0.0),
        op.Constant(value_float=1.0),
    )


def to_onnx(net: nn.Module, meta: Meta, tta: str, batch: int | None = None) -> Any:
    """Return the run as an ONNX `ModelProto` for `batch` pictures at a time, None for any number.

    Raises BrokenRun if torch cannot.
    """
    # Pooling of channels-last tensors is written as gathering by computed addresses, which is slow, and which OpenCV
    # does not read.
    plain = deepcopy(net).cpu().eval().to(memory_format=torch.contiguous_format)
    some = torch.randint(0, 256, (batch or 2, meta.channels, meta.size, meta.size), dtype=torch.uint8)
    return written(Whole(plain, meta, tta), some, not batch, (INPUT, OUTPUT), meta.backbone)


def written(part: nn.Module, some: Tensor, open_batch: bool, names: tuple[str, str], what: str) -> Any:
    """Return a module as an ONNX `ModelProto` of opset OPSET, after an example of its input, with those two names.

    With `open_batch` it takes any number. Raises BrokenRun, about `what`, if torch cannot.
    """
    sizes = ({0: torch.export.Dim("n", min=1)},) if open_batch else None
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.inference_mode(), progress.bar("Exporting", None, ""):
            warnings.simplefilter("ignore")  # of torch's own insides; what counts is the comparison afterwards
            program = torch.onnx.export(
                part.eval(), (some,), dynamo=True, opset_version=OPSET, input_names=[names[0]], output_names=[names[1]],
                dynamic_shapes=sizes, verbose=False,
                custom_translation_table={torch.ops.aten.hardsigmoid.default: _hard_sigmoid},
            )  # fmt: skip
    except Exception as error:  # whatever the exporter meets in a net: there is one remedy
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BrokenRun(
            f"torch cannot write {what} as ONNX: {reason}", "Use the run with `ferdata predict` instead."
        ) from error
    finally:
        log.setLevel(level)
    if program is None:
        raise BrokenRun(f"torch wrote no graph of {what}.", "Use the run with `ferdata predict` instead.")
    model = program.model_proto
    _forget_origin(model)
    return model


def _forget_origin(model: Any) -> None:
    """Take out what the exporter notes of every node: where in which files of this computer it comes from."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
