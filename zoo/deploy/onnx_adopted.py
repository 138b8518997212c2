"""The graph of an adopted ONNX file's export: the file's own graph as it is, with our pixels before and after it."""

from typing import Any

import torch
from torch import Tensor, nn

from ferdata.errors import BadOption, BrokenRun
from zoo.deploy.onnx_graph import INPUT, OPSET, OUTPUT, in_one_batch, written
from zoo.deploy.onnx_graph import averaged as averaged_views
from zoo.deploy.preprocess import Preprocess
from zoo.models.foreign.onnx_file import OnnxRunner
from zoo.run.model_file import Meta

FED, GIVEN = "fed", "given"  # the file's own input and output, as our parts call them


class Before(nn.Module):
    """From pixels to what the file's graph takes, as `zoo.models.foreign.net.ForeignNet` feeds it."""

    def __init__(self, meta: Meta, tta: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.preprocess, self.tta, self.dtype = Preprocess.of(meta), tta, dtype
        words = meta.foreign or {}
        self.backwards = words["order"] == "BGR" and meta.channels == 3
        self.last = words["layout"] == "NHWC"

    def forward(self, pixels: Tensor) -> Tensor:
        """Map uint8 (N, channels, size, size) to the views of all pictures."""
        x, _ = in_one_batch(self.preprocess.normalised(pixels.float() / 255), self.tta)
        if self.backwards:
            x = x[:, [2, 1, 0]]
        if self.last:
            x = x.permute(0, 2, 3, 1)
        return x.round().clamp(0, 255).to(self.dtype) if self.dtype == torch.uint8 else x.to(self.dtype)


class After(nn.Module):
    """From what comes out of the file's graph to probabilities, averaged over the views."""

    def __init__(self, meta: Meta, views: int) -> None:
        super().__init__()
        self.classes, self.views, self.temperature = len(meta.classes), views, meta.temperature
        self.logits = (meta.foreign or {})["output"] == "logits"

    def forward(self, out: Tensor) -> Tensor:
        """Map (N * views, classes), whatever other axes of length 1 there are, to (N, classes)."""
        out = out.float().reshape(-1, self.classes)
        p = out.softmax(1) if self.logits else out / out.sum(1, keepdim=True)
        return averaged_views(p, self.views, self.temperature)


def adopted_to_onnx(data: bytes, meta: Meta, tta: str, batch: int | None) -> tuple[Any, int | None]:
    """Return an adopted file's graph between pixels and probabilities, as an ONNX `ModelProto`, and its batch size.

    `data` is the file. One that takes a fixed number of pictures at a time gives an export that does too. Raises
    BadOption where `batch` or `tta` ask for another number, BrokenRun where the graph cannot be joined.
    """
    import onnx

    runner = OnnxRunner(data, meta.backbone)
    batch = _batch(runner.signature.batch, batch, tta)
    some = torch.zeros(batch or 2, meta.channels, meta.size, meta.size, dtype=torch.uint8)
    before = Before(meta, tta, _torch(runner.signature.dtype.name)).eval()
    with torch.inference_mode():
        views = len(before(some)) // len(some)
        out = torch.from_numpy(runner(before(some).numpy()))
    begin = written(before, some, not batch, (INPUT, FED), "the preparation of pixels")
    end = written(After(meta, views), out, not batch, (GIVEN, OUTPUT), "the reading of outputs")
    try:
        middle = onnx.version_converter.convert_version(onnx.load_from_string(data), OPSET)
        middle.ir_version = begin.ir_version
        # A prefix each, so that no name of one is a name of another.
        begin, middle, end = (
            onnx.compose.add_prefix(part, f"{where}.")
            for where, part in zip(("before", "model", "after"), (begin, middle, end), strict=True)
        )
        joined = onnx.compose.merge_models(begin, middle, io_map=[_ends(begin, middle)])
        joined = onnx.compose.merge_models(joined, end, io_map=[_ends(middle, end)])
        return _called(onnx, joined), batch
    except (RuntimeError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BrokenRun(
            f"The graph of {meta.backbone} cannot be joined with the preparation of pixels: {reason}.",
            "Use its own file, or the run with `ferdata predict`.",
        ) from error


def _batch(fixed: int | None, asked: int | None, tta: str) -> int | None:
    """Return how many pictures the export takes at a time. Raises BadOption where the file does not."""
    if fixed is None:
        return asked
    if tta != "none":
        raise BadOption(f"The file takes {fixed} pictures at a time, and --tta {tta} shows it more.", "Add --tta none.")
    if asked not in (None, fixed):
        raise BadOption(f"The file takes {fixed} pictures at a time.", f"Leave out --batch {asked}.")
    return fixed


def _torch(name: str) -> torch.dtype:
    found: torch.dtype = getattr(torch, name)
    return found


def _ends(first: Any, second: Any) -> tuple[str, str]:
    """Return the output of one graph and the input of the next, which are to be one."""
    return first.graph.output[0].name, second.graph.input[0].name


def _called(onnx: Any, joined: Any) -> Any:
    """Give the whole's input and output the names of every export."""
    del joined.graph.value_info[:]  # the parts' shapes, which take the number of views for that of pictures
    for mine, name in ((joined.graph.input[0], INPUT), (joined.graph.output[0], OUTPUT)):
        old = mine.name
        mine.name = name
        for node in joined.graph.node:
            node.input[:] = [name if n == old else n for n in node.input]
            node.output[:] = [name if n == old else n for n in node.output]
    once = {opset.domain: opset.version for opset in joined.opset_import}  # joining notes it for each part
    del joined.opset_import[:]
    joined.opset_import.extend(onnx.helper.make_opsetid(*opset) for opset in once.items())
    onnx.checker.check_model(joined)
    return joined
