"""An ONNX file, run by onnxruntime. It is data: no code in it is run, and no other file is read for it."""

import ast
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ferdata.errors import BadOption, MissingExtra
from ferdata.running.extras import install
from zoo.models.foreign import card
from zoo.models.foreign.card import Card
from zoo.models.foreign.signature import Signature, in_words

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
OUTSIDE = ("external", "model_path must not be empty")  # of onnxruntime's reasons: the file's tensors lie elsewhere
LONGEST = 300  # characters of the engine's own reason
CUT_OUT = "onnx.utils.extract_model('FILE', 'one.onnx', ['INPUT'], ['OUTPUT']) writes a file with those that you name."


class OnnxRunner:
    """A session, and what the file says of its input. Raises BadOption for a file that takes no pictures alone."""

    def __init__(self, data: bytes, where: str) -> None:
        """Open a file of these bytes. `where` names it in errors. Raises BadOption, MissingExtra."""
        self._where, self._session = where, _session(data, where)
        inputs, self._outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1:
            names = ", ".join(f"{i.name} {in_words(_shape(i))}" for i in inputs)
            raise BadOption(f"{where} has {len(inputs)} inputs ({names}); pictures are all it is given.", CUT_OUT)
        if inputs[0].type not in DTYPES:
            raise BadOption(f"{where} takes {inputs[0].type}.", "Pictures are given as float, float16 or uint8.")
        if len(self._outputs) != 1:
            names = ", ".join(f"{o.name} {in_words(_shape(o))}" for o in self._outputs)
            raise BadOption(f"{where} has {len(self._outputs)} outputs: {names}.", f"Keep one. {CUT_OUT}")
        self._input = inputs[0].name
        said = _said(self._session.get_modelmeta().custom_metadata_map, where)
        self.signature = Signature(_shape(inputs[0]), np.dtype(DTYPES[inputs[0].type]), said)

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output, float32 (n, ...), for a batch. Raises BadOption where the graph does not take it."""
        try:
            (out,) = self._session.run([self._outputs[0].name], {self._input: images})
        except Exception as error:  # onnxruntime has no error of its own that is public
            raise BadOption(
                f"{self._where} does not compute on {in_words(images.shape)}: {_reason(error)}.",
                "Give the --size, --channels and --layout that its publisher names.",
            ) from None
        return np.asarray(out, np.float32)


def _session(data: bytes, where: str) -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("An ONNX file needs onnxruntime.", install("export")) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    there = onnxruntime.get_available_providers()
    providers = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in there]
    if not torch.cuda.is_available():
        providers = ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # as above
        reason = _reason(error)
        if any(word in reason.lower() for word in OUTSIDE):
            raise BadOption(
                f"{where} keeps tensors in another file, and a run keeps one.",
                "Put them into one: python -c \"import onnx; onnx.save(onnx.load('FILE'), 'whole.onnx')\"",
            ) from None
        hint = "Name a whole .onnx file, of opset 7 or newer, with its tensors in it."
        raise BadOption(f"{where} is no ONNX file that onnxruntime opens: {reason}.", hint) from None


def _shape(argument: Any) -> tuple[int | None, ...]:
    return tuple(side if isinstance(side, int) and side > 0 else None for side in argument.shape)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:LONGEST]


def _said(metadata: Mapping[str, str], where: str) -> Card:
    """Return what a file's metadata say: those of `ferdata export`, or the names that YOLO's exporter writes."""
    if metadata.get("contract") and metadata.get("classes"):
        return _of_ours(metadata, where)
    for key in ("classes", "names", "labels"):
        if key in metadata:
            words = _listed(metadata[key])
            return card.of({"classes": words}, f"{where}, {key} in its metadata") if words else Card()
    return Card()


def _of_ours(metadata: Mapping[str, str], where: str) -> Card:
    """Return the card of a file that `ferdata export` wrote, which takes pixels as they are."""
    try:
        cut = json.loads(metadata.get("alignment", "null")) or {}
        said = {
            "name": metadata["backbone"],
            "classes": json.loads(metadata["classes"]),
            "size": int(metadata["size"]),
            "channels": int(metadata["channels"]),
            "pixels": [0, 255],
            "order": "RGB",
            "layout": "NCHW",
            "output": "probabilities",
            "crop": cut.get("template", "published"),
            **({"margin": cut["margin"], "cut": cut["size"]} if "template" in cut else {}),
        }
    except (KeyError, ValueError, TypeError, AttributeError):
        return Card()
    return card.of(said, f"{where}, its metadata")


def _listed(text: str) -> list[str] | None:
    """Return a list of words as JSON, as Python writes a list or a dictionary by number, or with commas between."""
    try:
        found = ast.literal_eval(text) if len(text) < 10_000 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = [word.strip() for word in text.split(",")]
    if isinstance(found, dict) and all(isinstance(key, int) for key in found):
        found = [found[key] for key in sorted(found)]
    words = list(found) if isinstance(found, list | tuple) else []
    return words if len(words) > 1 and all(isinstance(word, str) for word in words) else None
