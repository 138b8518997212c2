"""What a model file says of its model, when somebody has changed it: refused by the field, before a net is built."""

import json
import math
import pickle
from dataclasses import asdict, replace

import pytest
from safetensors.torch import save_file

from ferdata import labels
from ferdata.errors import BadOption, BrokenRun
from tests.zoo.run.test_model_file import Payload
from zoo.models.build import backbone, build
from zoo.models.load import load_model
from zoo.models.weights import download
from zoo.run import model_file

GONE = object()


@pytest.fixture
def meta():
    taxonomy = labels.TAXONOMIES["fer3"]
    return model_file.Meta(
        "resnet_fer", taxonomy.classes, taxonomy.as_dict(), (0.5,), (0.25,), 32, 1, "flip", "m.parquet", "f" * 32,
        {"epoch": 1}, {"seed": 0},
    )  # fmt: skip


def changed(tmp_path, known, field, value):
    """A model file, its weights right, of whose metadata one field is another."""
    said = asdict(known)
    if value is GONE:
        del said[field]
    else:
        said[field] = value
    path = tmp_path / "model.safetensors"
    net = build(backbone("resnet_fer"), 1, 3, 32)
    save_file(net.state_dict(), path, {model_file.KEY: json.dumps(said)})
    return path


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("std", [0.0], r"std is \[0.0\], expected a list of numbers above 0"),
        ("std", [math.nan], "std is"),
        ("std", "0.25", "std is '0.25'"),
        ("std", [0.2, 0.2], "std has 2 numbers for 1 channels"),
        ("mean", None, "mean is None"),
        ("mean", [], "mean has 0 numbers for 1 channels"),
        ("mean", [[0.5]], "mean is"),
        ("dropout", "x", "dropout is 'x', expected a rate"),
        ("dropout", 1, "dropout is 1"),
        ("dropout", True, "dropout is True"),
        ("drop_path", None, "drop_path is None"),
        ("temperature", 0, "temperature is 0, expected a number above 0"),
        ("temperature", math.inf, "temperature is inf"),
        ("size", 2**40, "size is 1099511627776, expected a side in pixels"),
        ("size", 48.0, "size is 48.0"),
        ("channels", True, "channels is True"),
        ("channels", 4, "channels is 4, expected 1 or 3"),
        ("classes", [], r"classes is \[\]"),
        ("classes", "abc", "classes is 'abc'"),
        ("classes", ["a", "a", "b"], "a list of different names"),
        ("classes", [["a"]], "classes is"),
        ("taxonomy", [], r"taxonomy is \[\]"),
        ("taxonomy", {}, "taxonomy: 'name'"),
        ("taxonomy", {"name": 5, "classes": [], "mapping": {}}, "taxonomy: it has 5, where a name belongs"),
        ("taxonomy", {"name": "a", "classes": 5, "mapping": {}}, "taxonomy: its classes"),
        ("head", [], r"head is \[\], expected a table"),
        ("config", None, "config is None"),
        ("chosen", 5, "chosen is 5"),
        ("aux", 1, "aux is 1, expected true or false"),
        ("alignment", "x", "alignment is 'x'"),
        ("origin", {"a": 5}, "origin is"),
        ("stem", None, "stem is None, expected text"),
        ("tta", [], r"tta is \[\]"),
        ("fingerprint", 5, "fingerprint is 5"),
        ("caution", None, "caution is None"),
        ("arguments", {"checkpoint_path": "x"}, "arguments.checkpoint_path is not an argument of a net's"),
        ("arguments", {"pretrained": True}, "arguments.pretrained"),
        ("arguments", {"pretrained_cfg": {"url": "http://127.0.0.1:1/x"}}, "arguments.pretrained_cfg"),
        ("arguments", {"cache_dir": "/x"}, "arguments.cache_dir"),
        ("backbone", "hf-hub:owner/net", "backbone is 'hf-hub:owner/net'"),
        ("backbone", 5, "backbone is 5"),
        ("std", GONE, "std"),
        ("nothing_of_ours", 5, "nothing_of_ours"),
    ],
)
def test_a_field_of_another_form_is_named(tmp_path, meta, field, value, why):
    with pytest.raises(BrokenRun, match=f"metadata of .* is damaged: .*{why}"):
        load_model(changed(tmp_path, meta, field, value))


@pytest.mark.parametrize("head", [{"kind": "odd"}, {"kind": 5}, {"no": 1}, {"kind": "mlp", "widths": "ab"},
                                  {"kind": "mlp", "widths": [1.5]}, {"kind": "mlp", "widths": [10**9]}])  # fmt: skip
def test_a_head_that_cannot_be_built_is_an_error_of_ours(tmp_path, meta, head):
    with pytest.raises(BrokenRun):
        load_model(changed(tmp_path, meta, "head", head))


@pytest.mark.parametrize(
    "arguments", [{"no_such_argument": 1}, {"layers": "x"}, {"layers": [10**9]}, {"layers": [1.5]}]
)
def test_arguments_that_the_net_does_not_take_are_an_error_of_ours(tmp_path, meta, arguments):
    with pytest.raises(BrokenRun):
        load_model(changed(tmp_path, replace(meta, backbone="resnet18"), "arguments", arguments))


def test_no_argument_opens_a_pickle_beside_the_model(tmp_path, meta):
    mark = tmp_path / "executed"
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Payload(mark)))
    for name in ("checkpoint_path", "pretrained_cfg"):
        with pytest.raises(BrokenRun, match=f"arguments.{name}"):
            load_model(changed(tmp_path, meta, "arguments", {name: str(tmp_path / "evil.pth")}))
    assert not mark.exists()


def test_a_folder_that_describes_a_net_may_not_name_files_either(tmp_path):
    said = {"architecture": "resnet18", "model_args": {"checkpoint_path": "/x"}, "pretrained_cfg": {}}
    (tmp_path / "config.json").write_text(json.dumps(said))
    with pytest.raises(BadOption, match=r"arguments\.checkpoint_path"):
        download.saved(f"{download.LOCAL}{tmp_path}")


def test_deep_brackets_and_long_numbers_are_errors_of_ours(tmp_path, meta):
    for text in ("[" * 200_000, '{"format": ' + "9" * 10_000 + "}", "5", "null", '{"format": 2, "size": "\\ud800"}'):
        path = tmp_path / "model.safetensors"
        save_file(build(backbone("resnet_fer"), 1, 3, 32).state_dict(), path, {model_file.KEY: text})
        with pytest.raises(BrokenRun, match=r"damaged|format"):
            load_model(path)
