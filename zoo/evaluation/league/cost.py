"""What a run weighs, and on which terms it may be used: the columns of a league that no picture is needed for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from torch import nn

from zoo.models.load import FILE
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder

WEIGHTS = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "UINT8")  # types of ONNX that weights have; not shapes
NOT_KNOWN = "not known"


def parameters(path: Path, net: nn.Module, meta: Meta) -> int | None:
    """Return how many numbers a net has learnt: a torch net's parameters, the weights that lie in an ONNX file.

    An exporter has folded batch normalisation into other weights, or not: a file is counted as it is. None where the
    file is of another kind, and for an ONNX file without the package `onnx`.
    """
    if meta.foreign is None or any(weight.numel() for weight in net.parameters()):
        return sum(weight.numel() for weight in net.parameters())
    if meta.foreign.get("kind") != "onnx":
        return None
    try:
        import onnx
    except ImportError:
        return None
    kinds = {onnx.TensorProto.DataType.Value(name) for name in WEIGHTS}
    graph = onnx.load_model_from_string(_file(Folder(path).model)).graph
    constants = (a.t for node in graph.node if node.op_type == "Constant" for a in node.attribute if a.name == "value")
    weights = [*graph.initializer, *constants]
    return sum(int(np.prod(tensor.dims, dtype=np.int64)) for tensor in weights if tensor.data_type in kinds)


def size(path: Path, meta: Meta) -> int:
    """Return the bytes of a run's model: of an adopted one those of the file that it was; the trees of ours too."""
    folder = Folder(path)
    if meta.foreign is not None:
        with safe_open(folder.model, "pt") as file:
            if FILE in file.keys():  # noqa: SIM118  # it is no dict
                return int(file.get_slice(FILE).get_shape()[0])
    return sum(file.stat().st_size for file in (folder.model, folder.trees) if file.is_file())


def _file(model: Path) -> bytes:
    with safe_open(model, "pt") as file:
        return bytes(file.get_tensor(FILE).numpy().tobytes())


def terms(path: Path, meta: Meta | None) -> str:
    """Return in words what may be done with a run: an adopted one's own terms, or those of all that ours learnt from.

    Terms of the datasets that a run's report names hold for its weights too, and so do those of its first weights.
    """
    if meta is None:
        return NOT_KNOWN
    if meta.foreign is not None:
        return str(meta.foreign.get("terms") or NOT_KNOWN)
    try:
        sources = json.loads(Folder(path).report.read_text(encoding="utf-8"))["sources"]
    except (OSError, ValueError, KeyError):
        sources = {}
    told = [f"{source.get('title') or name}: {_of_source(source)}" for name, source in sources.items()]
    if meta.origin is not None:
        told.append(f"first weights {meta.origin['weights']}: {meta.origin['terms']}")
    return "; ".join(told) if sources else "; ".join([f"{NOT_KNOWN}, since it has no report", *told])


def _of_source(source: Mapping[str, Any]) -> str:
    """Return a dataset's licence, and what it does not allow."""
    barred = [word for word in ("redistribution", "commercial") if source.get(word) is False]
    words = {"redistribution": "redistribution", "commercial": "commercial use"}
    return (source.get("licence") or NOT_KNOWN) + (
        f" ({', '.join(f'{words[word]} not allowed' for word in barred)})" if barred else ""
    )
