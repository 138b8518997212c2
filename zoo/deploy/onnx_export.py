"""A run as one ONNX file, with everything that `predict` does to pixels inside it, and proof that it says the same.

The graph takes pixels as they are, uint8 (N, channels, size, size), and gives probabilities: it divides by 255 and
normalises, averages the views and divides by the temperature itself. So there is no scale to apply twice, or to forget,
and nothing but the crop is left to the caller.
"""

import json
import logging
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ferdata.errors import BadOption, BrokenRun, FerdataError, MissingExtra
from ferdata.manifest import Manifest, check_output
from ferdata.running import progress
from ferdata.running.whole_file import write_whole
from zoo.data.rows import Images, load, read_rows
from zoo.deploy.preprocess import Preprocess
from zoo.evaluation.inference import check_tta, score, tempered, views
from zoo.models.load import load_model
from zoo.run import model_file
from zoo.run.memory import scoring_batch
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder

OPSET = 18
FORMAT = 1
INPUT, OUTPUT = "pixels", "probabilities"
CONTRACT = (
    "Input 'pixels': uint8 (N, channels, size, size), 0..255, RGB order where there are three channels; the largest "
    "square in the middle of a face crop, resized (area when it shrinks, bilinear when it grows). Do not rescale or "
    "normalise it: the graph does. Output 'probabilities': float32 (N, classes), in the order of 'classes', with the "
    "views averaged and the temperature applied already."
)


@dataclass(frozen=True)
class Exported:
    """What an export wrote: `out`, its `size` in bytes, and how it compares with the run on faces of val.

    `parity`: `faces`, the largest difference of a probability from torch's (`most`) and how many labels differ
    (`labels`). `speed`: faces a second of the run in torch and of the file in onnxruntime, on as many threads.
    `int8`, where it was asked for, is what `zoo.deploy.int8.compare` says of the loss.
    """

    out: Path
    size: int
    parity: Mapping[str, Any]
    speed: Mapping[str, float]
    int8: Mapping[str, Any] | None
    metadata: Mapping[str, str]


def export(
    run: str | Path,
    out: str | Path | None = None,
    tta: str | None = None,
    int8: bool = False,
    manifest: str | Path | None = None,
    faces: int = 1000,
    tolerance: float = 1e-4,
    force: bool = False,
    roots: Mapping[str, Path] | None = None,
) -> Exported:
    """Write a run as ONNX to `out` (`model.onnx` in the run, `model-int8.onnx` with `int8`), after comparing the two.

    The graph is given `faces` faces of the val split of `manifest` (the one trained on), evenly taken, and must give
    torch's probabilities within `tolerance` and its labels; else nothing is written. `tta` as in evaluate; "none" is
    one view, and faster. `int8` computes with 8-bit numbers, scaled on as many faces of train, and says what that costs
    on val. Raises BrokenRun, MissingExtra, AlreadyExists, CannotWrite, and BadOption for a run with trees.
    """
    if faces < 1:
        raise BadOption(f"--faces is {faces}.", "Give a number of faces, such as 1000.")
    if tta is not None:
        check_tta(tta)
    onnx = _onnx()
    folder = Folder(Path(run))
    folder.must_exist()
    target = Path(out) if out else folder.path / ("model-int8.onnx" if int8 else "model.onnx")
    if target.suffix.lower() != ".onnx":  # a manifest, or the run's own weights, are not replaced by a slip
        raise BadOption(f"--out cannot be {target}.", "Name a .onnx file.")
    check_output(target, force)
    meta = model_file.read_meta(folder.model)
    if meta.head.get("kind") == "xgboost":
        raise BadOption(
            f"{folder.path} has trees behind its net, and ONNX takes one graph of tensors.",
            "Export a run with --head linear or mlp, or use this one with `ferdata predict`.",
        )
    tta = meta.tta if tta is None else tta
    net, meta = load_model(folder.model)
    shown = _faces(meta, folder, manifest, faces, roots)
    graph = to_onnx(net, meta, tta)
    metadata = describe(meta, tta)
    _stamp(onnx, graph, metadata)
    data_of = graph.SerializeToString()
    began = time.perf_counter()
    expected = score(net, shown["val"].pixels, meta.mean, meta.std, tta, meta.temperature, what="torch")
    speed = {"torch": len(expected) / (time.perf_counter() - began)}
    got, speed["onnx"] = run_onnx(data_of, as_input(shown["val"].pixels))
    parity = check_parity(expected, got, tolerance)
    lost = None
    if int8:
        from zoo.deploy.int8 import compare, quantise

        data_of = quantise(data_of, as_input(shown["train"].pixels))
        given, speed["int8"] = run_onnx(data_of, as_input(shown["val"].pixels))
        lost = compare(got, given, shown["val"].hard.numpy(), len(graph.SerializeToString()), len(data_of))
        metadata["int8"] = json.dumps(lost)
        small = onnx.load_from_string(data_of)
        _stamp(onnx, small, metadata)
        data_of = small.SerializeToString()
    write_whole(target, data_of)
    return Exported(target, len(data_of), parity, speed, lost, metadata)


class Whole(nn.Module):
    """A net between pixels and probabilities: normalises, averages the views, applies the temperature."""

    def __init__(self, net: nn.Module, meta: Meta, tta: str) -> None:
        super().__init__()
        self.net, self.preprocess, self.tta, self.temperature = net, Preprocess.of(meta), tta, meta.temperature

    def forward(self, pixels: Tensor) -> Tensor:
        """Map uint8 (N, channels, size, size) to probabilities, float32 (N, classes)."""
        x = self.preprocess.normalised(pixels.float() / 255)
        seen = views(x, self.tta)
        if len(seen) > 1:
            # All views in one batch: the net stands in the graph once, where `score` spares memory and takes it twice.
            # Put together as channels, since OpenCV reads no graph that joins batches of an open length.
            x = torch.cat(seen, 1).reshape(-1, *x.shape[1:])
        p = self.net(x).float().softmax(1)
        if len(seen) > 1:
            p = p.reshape(-1, len(seen), p.shape[1]).mean(1)
        return tempered(p, self.temperature)


def to_onnx(net: nn.Module, meta: Meta, tta: str) -> Any:
    """Return the run as an ONNX `ModelProto`, whose first dimension is open. Raises BrokenRun if torch cannot."""
    whole = Whole(net.cpu().eval(), meta, tta).eval()
    some = torch.randint(0, 256, (2, meta.channels, meta.size, meta.size), dtype=torch.uint8)
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.inference_mode(), progress.bar("Exporting", None, ""):
            warnings.simplefilter("ignore")  # of torch's own insides; what counts is the comparison afterwards
            program = torch.onnx.export(
                whole, (some,), dynamo=True, opset_version=OPSET, input_names=[INPUT], output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},), verbose=False,
            )  # fmt: skip
    except Exception as error:  # whatever the exporter meets in a net: there is one remedy
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BrokenRun(
            f"torch cannot write {meta.backbone} as ONNX: {reason}", "Use the run with `ferdata predict` instead."
        ) from error
    finally:
        log.setLevel(level)
    if program is None:
        raise BrokenRun(f"torch wrote no graph of {meta.backbone}.", "Use the run with `ferdata predict` instead.")
    return program.model_proto


def describe(meta: Meta, tta: str) -> dict[str, str]:
    """Return what stands in the file's metadata: all of it text; lists and mappings as JSON."""
    facts = {
        "format": FORMAT,
        "contract": CONTRACT,
        "classes": list(meta.classes),
        "channels": meta.channels,
        "size": meta.size,
        "mean": list(meta.mean),
        "std": list(meta.std),
        "crop": meta.crop,
        "interpolation": meta.interpolation,
        "alignment": meta.alignment,
        "tta": tta,
        "temperature": meta.temperature,
        "backbone": meta.backbone,
        "caution": meta.caution,
        "manifest": Path(meta.manifest).name,
        "fingerprint": meta.fingerprint,
    }
    return {name: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for name, v in facts.items()}


def as_input(pixels: Tensor) -> NDArray[np.uint8]:
    """Return images (n, H, W, C) as the graph takes them, uint8 (n, C, H, W)."""
    return np.ascontiguousarray(pixels.permute(0, 3, 1, 2).numpy())


def run_onnx(model: bytes, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """Return the probabilities, float32 (n, classes), that onnxruntime gives for pixels (n, C, H, W), and faces/s."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()  # so that the two speeds are of the same means
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    parts = []
    began = time.perf_counter()
    with progress.bar("onnxruntime", len(pixels), "images") as advance:
        batch = scoring_batch(pixels.shape[-1])
        for start in range(0, len(pixels), batch):
            parts.append(session.run([OUTPUT], {INPUT: pixels[start : start + batch]})[0])
            advance(len(parts[-1]))
    return np.concatenate(parts), len(pixels) / (time.perf_counter() - began)


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
            f"The exported graph is not the run: of {len(got):,} faces of val {differ:,} get another label, and "
            f"probabilities differ by {most:.2g}, where {tolerance:.2g} is allowed.",
            "Nothing was written. Give --tolerance only if such a difference does not matter to you.",
        )
    return {"faces": len(got), "most": most, "labels": differ, "tolerance": tolerance}


def _faces(
    meta: Meta, folder: Folder, manifest: str | Path | None, most: int, roots: Mapping[str, Path] | None
) -> dict[str, Images]:
    """Return up to `most` faces of val and of train, evenly taken. Raises BadOption where there are none."""
    path = Path(manifest) if manifest else folder.absolute(meta.manifest)
    try:
        source = Manifest(path)
        model_file.check_classes(meta, source.taxonomy, str(path))
        rows = read_rows(source, meta.config.get("datasets") if manifest is None else None, meta.config.get("fold"))
        where = {side: rows.where(side) for side in ("train", "val")}
        if not all(len(at) for at in where.values()):
            raise BadOption(f"{path} has no train or no val rows.", "Name a manifest with both: --manifest M")
        taken = {side: at[np.linspace(0, len(at) - 1, min(most, len(at))).astype(int)] for side, at in where.items()}
        return load(rows, taken, meta.size, meta.channels, roots)
    except FerdataError as error:
        if manifest is None:
            error.hint += " The exported graph is compared with the run on faces of val: --manifest names another."
        raise


def _stamp(onnx: Any, model: Any, metadata: Mapping[str, str]) -> None:
    """Write the metadata into a model, and check that it is a whole one."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(metadata))
    model.producer_name, model.doc_string = "ferdata", CONTRACT
    onnx.checker.check_model(model)


def _onnx() -> Any:
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"Exporting needs {error.name}.", "pip install 'ferdata[export]'") from None
    return onnx
