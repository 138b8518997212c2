"""Opening a foreign model's file by what it is, whatever its name ends in. What would run code is refused."""

import pickletools
import re
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption, MissingModel, paths_like
from ferdata.running.file_kind import HEAD, kind_of
from zoo.models.foreign import keras_config
from zoo.models.foreign.keras_file import HDF5, KerasRunner
from zoo.models.foreign.net import ForeignNet
from zoo.models.foreign.onnx_file import OnnxRunner
from zoo.models.foreign.signature import Runner
from zoo.models.foreign.tflite_file import TfliteRunner
from zoo.run.model_file import KEY

PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
TFLITE = b"TFL3"  # from the fifth byte on
FEW = 64  # instructions of a pickle, among which it names what it calls
LONGEST_TABLE = 1 << 20  # bytes of a safetensors file's table that are looked at
LARGEST = 2 << 30  # bytes of a file: what protobuf, and so ONNX, allows
RUNNERS: Mapping[str, Callable[[bytes, str], Runner]] = {
    "onnx": OnnxRunner,
    "keras": KerasRunner,
    "tflite": TfliteRunner,
}
AS_ONNX = (
    "Where you trust it, turn it into ONNX in the environment that it was made in: "
    "torch.onnx.export(net, torch.zeros(1, CHANNELS, SIZE, SIZE), 'net.onnx', dynamo=True)"
)
AS_WEIGHTS = "; of a state dict, build the net first and load it with torch.load(FILE, weights_only=True)."


def read(path: Path) -> tuple[str, bytes]:
    """Return what a file is, a key of RUNNERS, and its bytes. Raises BadOption, MissingModel."""
    if not path.is_file():
        raise _no_file(path)
    size = path.stat().st_size
    if not 0 < size <= LARGEST:
        what = f"has {size:,} bytes" if size else "is empty"
        raise BadOption(f"{path} {what}.", f"A model has up to {LARGEST:,} bytes." if size else "Fetch it again.")
    data = path.read_bytes()
    return _kind(path, data), data


def runner(kind: str, data: bytes, where: str) -> Runner:
    """Return an opened model of a kind that `read` names. Raises BadOption, MissingExtra."""
    return RUNNERS[kind](data, where)


def net(foreign: Mapping[str, Any], classes: tuple[str, ...], opened: Runner) -> ForeignNet:
    """Return a model as a net; `foreign` has the words of its card: `layout`, `order`, `output` and `name`."""
    words = (str(foreign[name]) for name in ("layout", "order", "output", "name"))
    return ForeignNet(opened, classes, *words)


def _no_file(path: Path) -> MissingModel:
    """Return the error of a path that is no file, by what it is instead."""
    if (path / "model.safetensors").is_file() and not (path / "config.json").is_file():
        return MissingModel(
            f"{path} is a run of your own, or one that was adopted.", f"Use it as it is: ferdata evaluate {path}"
        )
    if (path / "config.json").is_file():
        return MissingModel(f"{path} is a folder.", f"One that timm.models.save_for_hf wrote is local-dir:{path}")
    if (path / "saved_model.pb").is_file():
        return MissingModel(
            f"{path} is a SavedModel of TensorFlow, which may hold any of its operations.",
            f"Turn it into ONNX: python -m tf2onnx.convert --saved-model {path} --output net.onnx",
        )
    what = "is a folder" if path.is_dir() else "is no plain file" if path.exists() else "is not there"
    like = "" if path.exists() else paths_like(path)
    return MissingModel(f"{path} {what}.", f"{like}Name the file of a model, such as net.onnx.")


def _kind(path: Path, data: bytes) -> str:
    """Return what bytes are. Raises BadOption for what is no model, or would run code."""
    if data.startswith(PICKLES) or _is_old_pickle(data):
        raise BadOption(f"{path} is a pickle, and opening one runs what is inside.", AS_ONNX + AS_WEIGHTS)
    if data.startswith(HDF5):
        return "keras"
    if data[4:8] == TFLITE:
        return "tflite"
    if data.startswith(b"PK\3\4") and _is_keras(path, data):
        return "keras"
    if known := kind_of(data[:HEAD]):
        raise BadOption(f"{path} is {known}, and no model.", "Name an .onnx, .keras, .h5 or .tflite file.")
    if data[8:9] == b"{":
        if f'"{KEY}":'.encode() in data[: 8 + int.from_bytes(data[:8], "little")][:LONGEST_TABLE]:
            raise BadOption(
                f"{path} is a run of your own, or one that was adopted.", "Name its folder where a run goes."
            )
        raise BadOption(
            f"{path} holds weights (safetensors), and not the net that they belong to.",
            "Name the net, as timm calls it, and its weights beside it: ferdata adopt NAME --weights FILE. Or begin a "
            "training with them: ferdata train --weights FILE.",
        )
    return "onnx"


def _is_old_pickle(data: bytes) -> bool:
    """Say whether bytes are a pickle of the first two forms; they are read as a list of words."""
    try:
        for operation, words, _ in islice(pickletools.genops(data[:HEAD]), FEW):
            if operation.name == "GLOBAL":
                return re.fullmatch(r"[\w.]+ [\w.]+", str(words)) is not None
    except Exception:  # what is no pickle fails in any way
        return False
    return False


def _is_keras(path: Path, data: bytes) -> bool:
    """Say whether a zip archive is of Keras. Raises BadOption for one of torch's."""
    try:
        names = zipfile.ZipFile(BytesIO(data)).namelist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise BadOption(f"{path} is a damaged archive: {error}.", "Fetch it again.") from None
    if {keras_config.CONFIG, keras_config.WEIGHTS} <= set(names):
        return True
    inside = {name.split("/", 1)[-1] for name in names}
    if any(name.startswith("code/") or name in ("constants.pkl", "bytecode.pkl") for name in inside):
        raise BadOption(f"{path} is TorchScript, and opening it runs what is inside.", f"{AS_ONNX}.")
    if "data.pkl" in inside:
        raise BadOption(
            f"{path} is a pickle (what torch.save writes), and opening one runs what is inside.", AS_ONNX + AS_WEIGHTS
        )
    return False
