"""A TFLite file, run by LiteRT's interpreter: data, as an ONNX file is."""

import zipfile
from importlib import import_module
from io import BytesIO
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ferdata.errors import BadOption, MissingExtra
from ferdata.running.extras import install
from zoo.models.foreign import card
from zoo.models.foreign.card import Card
from zoo.models.foreign.signature import Signature, in_words
from zoo.models.weights.files import reason

# Where the interpreter is to be had: LiteRT, its forerunner, and TensorFlow.
INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow.lite")
TYPES = (np.float32, np.uint8, np.int8)
LABELS = 1 << 20  # bytes of a list of labels that is read


class TfliteRunner:
    """An interpreter, and what the file says of its input. Raises BadOption for one that takes no pictures alone."""

    def __init__(self, data: bytes, where: str) -> None:
        """Open a file of these bytes. `where` names it in errors. Raises BadOption, MissingExtra."""
        try:
            self._model, self._where = _interpreter()(model_content=data, num_threads=torch.get_num_threads()), where
            self._model.allocate_tensors()
            inputs, outputs = self._model.get_input_details(), self._model.get_output_details()
        except (ValueError, RuntimeError, TypeError) as error:
            raise BadOption(
                f"{where} is no TFLite file that its interpreter opens: {reason(error)}.",
                "Name a whole .tflite file, without operations of TensorFlow's own (Flex).",
            ) from None
        if len(inputs) != 1 or len(outputs) != 1:
            raise BadOption(
                f"{where} has {len(inputs)} inputs and {len(outputs)} outputs; one picture goes in, and one answer "
                "comes out.",
                "Convert it again with the input and the output that you mean.",
            )
        self._input, self._output = inputs[0], outputs[0]
        if self._input["dtype"] not in TYPES:
            raise BadOption(
                f"{where} takes {np.dtype(self._input['dtype']).name}.", "Pictures are given as float32, uint8 or int8."
            )
        named = self._input.get("shape_signature")
        shape = tuple(int(side) if side > 0 else None for side in (self._input["shape"] if named is None else named))
        # What a quantised input's scale turns into whole numbers is fed as the numbers that it was trained on.
        plain = self._input["dtype"] == np.uint8 and not _scale(self._input)
        self.signature = Signature(shape, np.dtype(np.uint8 if plain else np.float32), _labels(data, where))

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output, float32 (n, ...), for a batch. Raises BadOption where the model does not take it."""
        try:
            if self._input["shape"][0] != len(images):
                self._model.resize_tensor_input(self._input["index"], images.shape)
                self._model.allocate_tensors()
                self._input = self._model.get_input_details()[0]
            self._model.set_tensor(self._input["index"], _quantised(images, self._input))
            self._model.invoke()
            out = self._model.get_tensor(self._output["index"])
        except (ValueError, RuntimeError) as error:
            raise BadOption(
                f"{self._where} does not compute on {in_words(images.shape)}: {reason(error)}.",
                "Give the --size, --channels and --layout that its publisher names.",
            ) from None
        scale = _scale(self._output)
        return (out.astype(np.float32) - scale[1]) * scale[0] if scale else np.asarray(out, np.float32)


def _interpreter() -> Any:
    """Return the interpreter's class. Raises MissingExtra."""
    for name in INTERPRETERS:
        try:
            return import_module(name).Interpreter
        except ImportError:
            continue
    raise MissingExtra("A TFLite file needs LiteRT's interpreter.", install("tflite"))


def _scale(details: dict[str, Any]) -> tuple[float, int] | None:
    """Return what a quantised tensor's numbers are multiplied by, and their zero; None for one that is not."""
    scale, zero = details["quantization"]
    return (float(scale), int(zero)) if scale and details["dtype"] != np.float32 else None


def _quantised(images: NDArray[Any], details: dict[str, Any]) -> NDArray[Any]:
    """Return a batch as the input keeps its numbers."""
    kind, scale = details["dtype"], _scale(details)
    if scale is None:
        return images.astype(kind, copy=False)
    ends = np.iinfo(kind)
    whole: NDArray[Any] = (images / scale[0] + scale[1]).round().clip(ends.min, ends.max).astype(kind)
    return whole


def _labels(data: bytes, where: str) -> Card:
    """Return the classes that a list of labels in the file says, as TFLite's metadata append one."""
    if not zipfile.is_zipfile(BytesIO(data)):
        return Card()
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            lists = [i for i in archive.infolist() if i.filename.endswith(".txt") and i.file_size < LABELS]
            words = archive.read(lists[0]).decode("utf-8").split("\n") if len(lists) == 1 else []
    except (zipfile.BadZipFile, UnicodeError, OSError, NotImplementedError):
        return Card()
    words = [word.strip() for word in words if word.strip()]
    return card.of({"classes": words}, f"{where}, its labels") if len(words) > 1 else Card()
