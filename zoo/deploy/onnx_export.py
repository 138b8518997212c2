"""A run as one ONNX file, with everything that `predict` does to pixels inside it, and proof that it says the same.

The graph takes pixels as they are, uint8 (N, channels, size, size), and gives probabilities: it divides by 255 and
normalises, averages the views and divides by the temperature itself. So there is no scale to apply twice, or to forget,
and nothing but the crop is left to the caller.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ferdata.errors import BadOption, FerdataError, MissingExtra
from ferdata.manifest import Manifest, check_output
from ferdata.running.extras import install
from ferdata.running.whole_file import write_whole
from zoo.data.rows import Images, Rows, load, read_rows
from zoo.deploy.onnx_adopted import adopted_to_onnx
from zoo.deploy.onnx_check import as_input, check_parity, compare_opencv, run_onnx, versions
from zoo.deploy.onnx_graph import to_onnx
from zoo.evaluation import adopted
from zoo.evaluation.inference import check_tta, score
from zoo.models.foreign.net import ForeignNet
from zoo.models.load import kept, load_model
from zoo.run import model_file
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder

FORMAT = 1
FOR_OPENCV = 64  # faces that OpenCV is asked about: enough to see whether it is right
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
    (`labels`). `opencv`: what `zoo.deploy.onnx_check.compare_opencv` says of the file. `speed`: faces a second of the
    run in torch and of the file in onnxruntime, on as many threads. `int8`, where it was asked for, is what
    `zoo.deploy.int8.compare` says of the loss. `metadata` is what stands in the file.
    """

    out: Path
    size: int
    parity: Mapping[str, Any]
    opencv: Mapping[str, Any]
    speed: Mapping[str, float]
    int8: Mapping[str, Any] | None
    metadata: Mapping[str, str]


def export(
    run: str | Path,
    out: str | Path | None = None,
    tta: str | None = None,
    int8: bool = False,
    batch: int | None = None,
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
    on val. `batch` is how many pictures the graph takes at a time, None for any number. What the comparison found, and
    whether OpenCV reads the file, stands in its metadata. Raises BrokenRun, MissingExtra, AlreadyExists, CannotWrite,
    and BadOption for a run with trees.
    """
    for name, number in (("--faces", faces), ("--batch", batch)):
        if number is not None and number < 1:
            raise BadOption(f"{name} is {number}.", "Give a number from 1 on.")
    if tta is not None:
        check_tta(tta)
    onnx = _onnx()
    folder = Folder(Path(run))
    folder.must_exist()
    target = _target(folder, out, int8, force)
    meta = model_file.read_meta(folder.model)
    if meta.head.get("kind") == "xgboost":
        raise BadOption(
            f"{folder.path} has trees behind its net, and ONNX takes one graph of tensors.",
            "Export a run with --head linear or mlp, or use this one with `ferdata predict`.",
        )
    tta = meta.tta if tta is None else tta
    net, meta = load_model(folder.model)
    rows, shown = _faces(meta, folder, manifest, faces, roots)
    val = as_input(shown["val"].pixels)
    graph, batch = _graph(folder, net, meta, tta, batch)
    model = graph.SerializeToString()
    began = time.perf_counter()
    told = score(net, shown["val"].pixels, meta.mean, meta.std, tta, meta.temperature, what="torch")
    speed = {"torch": len(told) / (time.perf_counter() - began)}
    got, speed["onnx"] = run_onnx(model, val, batch)
    parity = check_parity(told, got, tolerance)
    lost = None
    if int8:
        from zoo.deploy.int8 import compare, quantise

        small = quantise(model, as_input(shown["train"].pixels), batch)
        told, speed["int8"] = run_onnx(small, val, batch)
        full, eight = (_by_class(folder, meta, rows, shown["val"], p) for p in (got, told))
        lost = compare(full, eight, shown["val"].hard.numpy(), len(model), len(small))
        model = small
    opencv = compare_opencv(model, val[:FOR_OPENCV], told[:FOR_OPENCV], tolerance, batch)
    metadata = describe(meta, tta, batch)
    metadata["comparison"] = json.dumps({**parity, "versions": versions(), "opencv": opencv})
    if lost is not None:
        metadata["int8"] = json.dumps(lost)
    model = _stamped(onnx, model, metadata)
    write_whole(target, model)
    return Exported(target, len(model), parity, opencv, speed, lost, metadata)


def _target(folder: Folder, out: str | Path | None, int8: bool, force: bool) -> Path:
    """Return the file to write. Raises BadOption for one that is no .onnx, AlreadyExists, CannotWrite."""
    target = Path(out) if out else folder.path / ("model-int8.onnx" if int8 else "model.onnx")
    if target.suffix.lower() != ".onnx":  # a manifest, or the run's own weights, are not replaced by a slip
        raise BadOption(f"--out cannot be {target}.", "Name a .onnx file.")
    check_output(target, force)
    return target


def describe(meta: Meta, tta: str, batch: int | None) -> dict[str, str]:
    """Return what stands in the file's metadata: all of it text; lists and mappings as JSON."""
    facts = {
        "format": FORMAT,
        "contract": CONTRACT,
        "classes": list(meta.classes),
        "channels": meta.channels,
        "size": meta.size,
        "batch": batch or "any",
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
        **({"adopted": meta.foreign} if meta.foreign else {}),
    }
    return {name: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for name, v in facts.items()}


def _faces(
    meta: Meta, folder: Folder, manifest: str | Path | None, most: int, roots: Mapping[str, Path] | None
) -> tuple[Rows, dict[str, Images]]:
    """Return up to `most` faces of val and of train, evenly taken, and the rows they are of.

    Raises BadOption where there are none.
    """
    path = Path(manifest) if manifest else adopted.trained_on(folder, meta)
    try:
        source = Manifest(path)
        if meta.foreign is None:
            model_file.check_classes(meta, source.taxonomy, str(path))
        rows = read_rows(source, meta.config.get("datasets") if manifest is None else None, meta.config.get("fold"))
        where = {side: rows.where(side) for side in ("train", "val")}
        if not all(len(at) for at in where.values()):
            raise BadOption(f"{path} has no train or no val rows.", "Name a manifest with both: --manifest M")
        taken = {side: at[np.linspace(0, len(at) - 1, min(most, len(at))).astype(int)] for side, at in where.items()}
        return rows, load(rows, taken, meta.size, meta.channels, roots)
    except FerdataError as error:
        if manifest is None:
            error.hint += " The exported graph is compared with the run on faces of val: --manifest names another."
        raise


def _graph(folder: Folder, net: nn.Module, meta: Meta, tta: str, batch: int | None) -> tuple[Any, int | None]:
    """Return a run's graph, and how many pictures it takes at a time. Raises BadOption, BrokenRun."""
    ours = net.in_torch() if isinstance(net, ForeignNet) else net
    if ours is not None:
        return to_onnx(ours, meta, tta, batch), batch
    how = meta.foreign or {}
    if how["kind"] != "onnx":
        raise BadOption(
            f"{folder.path} was adopted from {how['file']}, which is neither ONNX nor a net of timm's.",
            "Its publisher's tools turn it into ONNX: docs/adopting.md. Use it as it is with `ferdata predict`.",
        )
    return adopted_to_onnx(kept(folder.model), meta, tta, batch)


def _by_class(folder: Folder, meta: Meta, rows: Rows, images: Images, p: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities (n, the run's classes) by the classes of the manifest."""
    return p if meta.foreign is None else adopted.answers(folder.path, meta, rows, images.where, p).p


def _stamped(onnx: Any, data: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return a model with the metadata in it, after checking that it is a whole one."""
    model = onnx.load_from_string(data)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(metadata))
    model.producer_name, model.doc_string = "ferdata", CONTRACT
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _onnx() -> Any:
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"Exporting needs {error.name}.", install("export")) from None
    return onnx
