"""A Keras file (.keras, .h5), run by Keras on torch, once `keras_config` has found no code in it."""

import json
import os
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import BadOption, MissingExtra
from ferdata.running.extras import install
from zoo.models.foreign import keras_config
from zoo.models.foreign.card import Card
from zoo.models.foreign.signature import Signature, in_words
from zoo.models.weights.files import reason

HDF5 = b"\x89HDF"


class KerasRunner:
    """A model of Keras, and what its input says. Raises BadOption for one that takes no pictures alone."""

    def __init__(self, data: bytes, where: str) -> None:
        """Open a file of these bytes. `where` names it in errors. Raises BadOption, MissingExtra."""
        old = data.startswith(HDF5)
        keras_config.check(_of_hdf5(data, where) if old else keras_config.of_archive(data, where), where)
        self._keras, self._where = _keras(), where
        self._model = _loaded(self._keras, data, ".h5" if old else ".keras", where)
        inputs, outputs = list(self._model.inputs or ()), list(self._model.outputs or ())
        if len(inputs) != 1 or len(outputs) != 1:
            raise BadOption(
                f"{where} has {len(inputs)} inputs and {len(outputs)} outputs; one picture goes in, and one answer "
                "comes out.",
                "Make a model of the one that you mean, keras.Model(model.inputs[0], model.outputs[0]), and save that.",
            )
        shape = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)
        self.signature = Signature(shape, np.dtype(np.float32), Card())

    def __call__(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return the output, float32 (n, ...), for a batch. Raises BadOption where the model does not take it."""
        try:
            out = self._model(images, training=False)
            return np.asarray(self._keras.ops.convert_to_numpy(out), np.float32)
        except (ValueError, TypeError, RuntimeError) as error:
            raise BadOption(
                f"{self._where} does not compute on {in_words(images.shape)}: {reason(error)}.",
                "Give the --size, --channels and --layout that its publisher names.",
            ) from None


def _of_hdf5(data: bytes, where: str) -> Any:
    """Return the configuration in an HDF5 file's bytes, None where there is none. Raises BadOption, MissingExtra."""
    try:
        import h5py
    except ImportError:
        raise _missing() from None
    try:
        with h5py.File(BytesIO(data), "r") as file:
            text = file.attrs.get("model_config")
            return None if text is None else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BadOption(f"{where} is a damaged HDF5 file: {reason(error)}.", "Fetch it again.") from None


def _loaded(keras: Any, data: bytes, suffix: str, where: str) -> Any:
    """Return the model. Raises BadOption for one that this Keras does not build."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        path.write_bytes(data)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras fails in many ways, over files of its older selves above all
            raise BadOption(
                f"{where} cannot be built by Keras {keras.__version__}: {reason(error)}.", keras_config.AS_ONNX
            ) from None


def _keras() -> Any:
    """Return Keras, on torch unless its user chose otherwise. Raises MissingExtra."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ImportError:
        raise _missing() from None
    return keras


def _missing() -> MissingExtra:
    return MissingExtra("A Keras file needs keras.", install("keras"))
