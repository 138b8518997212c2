"""Opening a foreign model's file by what it is, whatever its name ends in. What would run code is refused."""

import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, MissingModel, paths_like
from ferdata.running.file_kind import HEAD, kind_of
from zoo.models.foreign.net import ForeignNet
from zoo.models.foreign.onnx_file import OnnxRunner
from zoo.models.foreign.signature import Runner

LARGEST = 2 << 30  # bytes of a file: what protobuf, and so ONNX, allows
RUNNERS: Mapping[str, Callable[[bytes, str], Runner]] = {"onnx": OnnxRunner}
AS_ONNX = (
    "Where you trust it, turn it into ONNX in the environment that it was made in: "
    "torch.onnx.export(net, torch.zeros(1, CHANNELS, SIZE, SIZE), 'net.onnx', dynamo=True)"
)
AS_WEIGHTS = "; of a state dict, build the net first and load it with torch.load(FILE, weights_only=True)."


def read(path: Path) -> tuple[str, bytes]:
    """Return what a file is, a key of RUNNERS, and its bytes. Raises BadOption, MissingModel."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise MissingModel(f"{path} {what}.", f"{paths_like(path)}Name the file of a model: .onnx.")
    if path.stat().st_size > LARGEST:
        raise BadOption(f"{path} has {path.stat().st_size:,} bytes.", f"A model may have {LARGEST:,}.")
    data = path.read_bytes()
    return _kind(path, data), data


def runner(kind: str, data: bytes, where: str) -> Runner:
    """Return an opened model of a kind that `read` names. Raises BadOption, MissingExtra."""
    return RUNNERS[kind](data, where)


def net(foreign: Mapping[str, Any], classes: tuple[str, ...], opened: Runner) -> ForeignNet:
    """Return a model as a net; `foreign` has the words of its card: `layout`, `order`, `output` and `name`."""
    words = (str(foreign[name]) for name in ("layout", "order", "output", "name"))
    return ForeignNet(opened, classes, *words)


def _kind(path: Path, data: bytes) -> str:
    """Return what bytes are. Raises BadOption for what is no model, or would run code."""
    if data.startswith((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")):
        raise BadOption(f"{path} is a pickle, and opening one runs what is inside.", AS_ONNX + AS_WEIGHTS)
    if data.startswith(b"PK\3\4"):
        _refuse_zip(path, data)
    if known := kind_of(data[:HEAD]):
        raise BadOption(f"{path} is {known}, and no model.", "Name an .onnx file.")
    if data[8:9] == b"{":
        raise BadOption(
            f"{path} holds weights (safetensors), and not the net that they belong to.",
            "Name the net, as timm calls it, and its weights beside it: ferdata adopt NAME --weights FILE. Or begin a "
            "training with them: ferdata train --weights FILE.",
        )
    return "onnx"


def _refuse_zip(path: Path, data: bytes) -> None:
    """Raise BadOption for a zip archive of torch's."""
    try:
        names = zipfile.ZipFile(BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise BadOption(f"{path} is a damaged archive: {error}.", "Fetch it again.") from None
    inside = {name.split("/", 1)[-1] for name in names}
    if any(name.startswith("code/") or name == "constants.pkl" for name in inside):
        raise BadOption(f"{path} is TorchScript, and opening it runs what is inside.", f"{AS_ONNX}.")
    if "data.pkl" in inside:
        raise BadOption(
            f"{path} is a pickle (what torch.save writes), and opening one runs what is inside.", AS_ONNX + AS_WEIGHTS
        )
