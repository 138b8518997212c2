"""What a Keras file would build, read from the file itself before Keras sees it: known layers, and no code.

A Keras file may carry code (a Lambda layer), name any module's function, or a layer that reads other files. So only
layers that compute with arrays are let through, by name; whatever else there is, is refused.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from ferdata.errors import BadOption, listed

CONFIG, WEIGHTS = "config.json", "model.weights.h5"  # in a .keras archive
DEEPEST = 200  # levels of a configuration
LAYERS = frozenset(
    {
        *("InputLayer", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose", "Dense", "EinsumDense"),
        *("Convolution2D", "SeparableConvolution2D", "DepthwiseConvolution2D", "Convolution2DTranspose"),
        *("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "Normalization"),
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "ThresholdedReLU"),
        *("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
        *("Flatten", "Reshape", "Permute", "RepeatVector", "Identity", "Masking"),
        *("Dropout", "SpatialDropout2D", "AlphaDropout", "GaussianNoise", "GaussianDropout", "ActivityRegularization"),
        *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"),
        *("ZeroPadding2D", "Cropping2D", "UpSampling2D", "Resizing", "Rescaling", "CenterCrop"),
        *("MultiHeadAttention", "Attention", "AdditiveAttention", "Embedding", "LayerScale"),
        *("RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness"),
        *("RandomCrop", "RandomHeight", "RandomWidth"),
        *("Sequential", "Functional", "Model"),
    }
)
# What layers are set up with, and the functions that may stand in one.
SMALL = frozenset(
    {
        *("Zeros", "Ones", "Constant", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform"),
        *("LecunNormal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Orthogonal"),
        *("OrthogonalInitializer", "IdentityInitializer", "L1", "L2", "L1L2", "OrthogonalRegularizer"),
        *("MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm", "DTypePolicy", "Policy", "FloatDTypePolicy"),
    }
)
ACTIVATIONS = frozenset(
    {
        *("relu", "relu6", "elu", "selu", "softmax", "softplus", "softsign", "tanh", "sigmoid", "hard_sigmoid"),
        *("hard_silu", "hard_swish", "silu", "swish", "gelu", "mish", "linear", "exponential", "leaky_relu"),
        *("log_softmax", "celu", "glu"),
    }
)
OWN = re.compile(r"keras(\.\w+)*")
MARKS = {"__keras_tensor__", "__tuple__", "__numpy__", "__tensor__"}
AS_ONNX = (
    "Where you trust it, turn it into ONNX in the environment that it was made in: model.export('net.onnx', "
    "format='onnx'), or python -m tf2onnx.convert --keras FILE --output net.onnx."
)


def of_archive(data: bytes, where: str) -> Any:
    """Return the configuration in a .keras archive's bytes. Raises BadOption."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return json.loads(archive.read(CONFIG))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RecursionError) as error:
        raise BadOption(f"{where} is a damaged Keras file: {error}.", "Fetch it again.") from None


def check(config: Any, where: str) -> None:
    """Raise BadOption unless a model's configuration builds known layers of Keras' own, and nothing else."""
    if not isinstance(config, dict) or "class_name" not in config:
        raise BadOption(
            f"{where} holds weights of Keras, and not the net that they belong to.",
            "Build it as its publisher does, model.load_weights(FILE), then model.export('net.onnx', format='onnx').",
        )
    strange = list(dict.fromkeys(_strange({k: v for k, v in config.items() if k != "compile_config"}, 0)))
    if strange:
        raise BadOption(
            f"{where} has what may run code, or is not known to be without: {listed(strange, 4)}. It was not opened.",
            AS_ONNX,
        )


def _strange(part: Any, depth: int) -> Iterator[str]:
    """Yield, in words, each thing of a configuration that is no known layer of Keras' own, nor a part of one."""
    if depth > DEEPEST:
        yield "layers in layers without end"
    elif isinstance(part, list):
        for one in part:
            yield from _strange(one, depth + 1)
    elif isinstance(part, dict):
        if "class_name" in part and (why := _why(part)):
            yield why
        elif "registered_name" in part and part["registered_name"] not in (None, part.get("class_name")):
            yield f"{part['registered_name']}, registered by its author"
        for one in part.values():
            yield from _strange(one, depth + 1)


def _why(part: dict[str, Any]) -> str | None:
    """Return what is strange about a serialised object, None where it is known."""
    name, module = part["class_name"], part.get("module")
    if not isinstance(name, str) or not isinstance(module, str | None):
        return "an object without a name"
    own = module is None or OWN.fullmatch(module)  # files before Keras 3 name no module
    if own and (name in LAYERS or name in SMALL):
        return None
    if (name in MARKS and module is None) or (name == "function" and part.get("config") in ACTIVATIONS):
        return None
    return f"{name} of {module}" if module else name
