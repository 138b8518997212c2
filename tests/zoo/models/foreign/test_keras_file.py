"""A Keras file: what may run code is refused before Keras is asked, and what is left says what Keras itself says."""

import json
import os
import sys
import zipfile

import numpy as np
import pytest

from ferdata.errors import BadOption, MissingExtra
from zoo.models.foreign import keras_config, opened
from zoo.models.foreign.signature import described

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def layer(name, module="keras.layers", **config):
    return {"module": module, "class_name": name, "config": {"name": name.lower(), **config}, "registered_name": None}


def net(*layers, **more):
    first = layer("InputLayer", batch_shape=[None, 16, 16, 1], dtype="float32")
    return {**layer("Sequential", "keras", layers=[first, *layers, layer("Flatten"), layer("Dense", units=7)]), **more}


def archive(path, config):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        file.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n")
    return path


def refused(path, kind=BadOption):
    with pytest.raises(kind) as found:
        opened.runner(*opened.read(path), str(path))
    return found.value


EVIL = {
    "a lambda": layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wAAAA=="}}),
    "a function by name": layer("Lambda", function={"module": "os", "class_name": "function", "config": "system"}),
    "another module's class": layer("Popen", "subprocess"),
    "a registered one": {**layer("Dense", "theirs"), "registered_name": "theirs>Dense"},
    "a registered one of a known module": {**layer("Dense"), "registered_name": "theirs>Dense"},
    "a wrapped pickle of torch": layer("TorchModuleWrapper", module_bytes="gAJ9cQAu"),
    "a reader of files": layer("StringLookup", vocabulary="/etc/hostname"),
    "a switch of Keras": layer("enable_unsafe_deserialization", "keras.config"),
    "a fetcher of files": layer("get_file", "keras.utils"),
    "a function in a layer": layer(
        "Dense", activation={"module": "builtins", "class_name": "function", "config": "eval"}
    ),
    "a list where a name is": {**layer("Dense"), "class_name": ["Dense"]},
    "one that looks like Keras": layer("Dense", "keras_of_mine.layers"),
}


@pytest.mark.parametrize("name", EVIL)
def test_what_may_run_code_is_refused_before_keras_is_even_imported(name, tmp_path):
    before = "keras" in sys.modules
    for config in (net(EVIL[name]), net(layer("Dense", units=3, kernel_initializer=EVIL[name]))):
        error = refused(archive(tmp_path / "net.keras", config))
        assert "may run code" in error.message
        assert "It was not opened" in error.message
        assert "format='onnx'" in error.hint
    assert ("keras" in sys.modules) == before


def test_a_damaged_archive_and_one_of_weights_alone_are_refused(tmp_path):
    assert "damaged Keras file" in refused(archive(tmp_path / "net.keras", "{")).message
    assert "weights of Keras, and not the net" in refused(archive(tmp_path / "net.keras", {"layers": []})).message
    deep = "[" * 5000 + "]" * 5000
    assert (
        "damaged"
        in refused(archive(tmp_path / "net.keras", f'{{"class_name": "Sequential", "config": {deep}}}')).message
    )


def test_known_layers_of_old_and_new_files_pass():
    old = {"class_name": "Conv2D", "config": {"kernel_initializer": {"class_name": "VarianceScaling", "config": {}}}}
    keras_config.check({"class_name": "Model", "config": {"layers": [old]}}, "old.h5")
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    keras_config.check(
        net(layer("Conv2D", dtype=policy), compile_config={"loss": layer("Mine", "theirs")}), "new.keras"
    )


def test_without_keras_the_extra_is_named(tmp_path, monkeypatch):
    for name in ("keras", "h5py"):
        monkeypatch.setitem(sys.modules, name, None)
    error = refused(archive(tmp_path / "net.keras", net()), MissingExtra)
    assert "[keras]" in error.hint
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    assert "[keras]" in refused(tmp_path / "net.h5", MissingExtra).hint


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras", reason="Keras is not installed: the extra keras")


def made(keras, channels=1):
    keras.utils.set_random_seed(3)
    x = first = keras.Input((16, 16, channels))
    x = keras.layers.SeparableConv2D(8, 3, activation="relu")(keras.layers.Rescaling(2.0, -1.0)(x))
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Add()([x, keras.layers.Conv2D(8, 1)(x)])
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.LeakyReLU()(x))
    x = keras.layers.Dense(7, activation="softmax")(keras.layers.Dropout(0.5)(x))
    model = keras.Model(first, x)
    model.compile("adam", "categorical_crossentropy")
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_its_answers_are_those_of_keras_itself(suffix, keras, tmp_path):
    import torch

    from zoo.deploy.adopt import adopt
    from zoo.models.load import load_model

    model = made(keras)
    model.save(tmp_path / f"net{suffix}")
    done = adopt(tmp_path / f"net{suffix}", tmp_path / "run", classes=SEVEN, pixels=(0, 1))
    assert (done.card.layout, done.card.size, done.card.channels) == ("NHWC", 16, 1)
    assert done.card.output == "probabilities"
    x = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    net, _ = load_model(tmp_path / "run" / "model.safetensors")
    expected = model.predict(x.permute(0, 2, 3, 1).numpy(), verbose=0)
    assert np.abs(net(x).softmax(1).numpy() - expected).max() < 1e-5
    assert np.ptp(expected, 0).max() > 1e-4


@pytest.mark.filterwarnings("ignore")
def test_a_lambda_that_keras_itself_wrote_is_refused(keras, tmp_path):
    model = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Flatten()])
    for name in ("net.keras", "net.h5"):
        model.save(tmp_path / name)
        assert "Lambda" in refused(tmp_path / name).message


@pytest.mark.filterwarnings("ignore")
def test_two_inputs_are_refused(keras, tmp_path):
    one, two = keras.Input((16, 16, 1)), keras.Input((16, 16, 1))
    keras.Model([one, two], keras.layers.Flatten()(keras.layers.Add()([one, two]))).save(tmp_path / "net.keras")
    assert "has 2 inputs and 1 outputs" in refused(tmp_path / "net.keras").message


@pytest.mark.filterwarnings("ignore")
def test_a_damaged_hdf5_file_is_refused(keras, tmp_path):
    made(keras).save(tmp_path / "net.h5")
    data = (tmp_path / "net.h5").read_bytes()
    (tmp_path / "net.h5").write_bytes(data[: len(data) // 2])
    assert "is a damaged HDF5 file" in refused(tmp_path / "net.h5").message


@pytest.mark.filterwarnings("ignore")
def test_an_open_input_says_what_it_knows(keras, tmp_path):
    first = keras.Input((None, None, 3))
    model = keras.Model(first, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(7, 3)(first)))
    model.save(tmp_path / "net.keras")
    told = described(opened.runner(*opened.read(tmp_path / "net.keras"), "net").signature, "net")
    assert (told.layout, told.channels, told.size) == ("NHWC", 3, None)


@pytest.mark.filterwarnings("ignore")
def test_weights_alone_in_hdf5_are_no_net(keras, tmp_path):
    made(keras).save_weights(tmp_path / "net.weights.h5")
    error = refused(tmp_path / "net.weights.h5")
    assert "weights of Keras, and not the net" in error.message
    assert "load_weights" in error.hint
