"""The exported file says what the run says: of real pictures, of one or of many, and nothing is written where not."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, NotAManifest
from ferdata.images import encode_png
from ferdata.manifest import Manifest
from tests.conftest import REPOSITORY
from tests.zoo.conftest import shape
from tests.zoo.untaught import untaught
from zoo.data.rows import load, read_rows
from zoo.deploy.onnx_check import as_input
from zoo.deploy.onnx_export import export
from zoo.deploy.predict import predict
from zoo.deploy.preprocess import Preprocess
from zoo.evaluation.inference import score
from zoo.models.load import load_model
from zoo.run import model_file


@pytest.fixture(scope="module")
def run(manifest_path, tmp_path_factory):
    return untaught(tmp_path_factory.mktemp("runs") / "first", manifest_path)


@pytest.fixture(scope="module")
def exported(run):
    return export(run)


def ask(path, pixels):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"pixels": pixels})[0]


def test_the_file_gives_predicts_own_probabilities_for_one_picture_and_for_seven(run, exported, tmp_path):
    pictures = [shape("anger", 700 + i, side=48 + 8 * i) for i in range(7)]
    for i, picture in enumerate(pictures):
        (tmp_path / f"{i}.png").write_bytes(encode_png(picture))
    told = predict(run, [tmp_path / f"{i}.png" for i in range(7)], device="cpu")
    expected = np.array([list(p.probabilities.values()) for p in told])
    before = Preprocess.of(model_file.read_meta(run / "model.safetensors"))
    pixels = np.stack([before.pixels(picture).transpose(2, 0, 1) for picture in pictures])
    assert np.abs(ask(exported.out, pixels) - expected).max() < 1e-5
    assert np.abs(ask(exported.out, pixels[:1]) - expected[:1]).max() < 1e-5
    assert np.ptp(expected, 0).max() > 1e-3  # a net that says the same of everything would prove nothing


def test_the_pages_own_example_says_what_predict_says(run, exported, tmp_path, monkeypatch, capsys):
    page = (REPOSITORY / "docs" / "predicting.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "first").symlink_to(run)
    (tmp_path / "face.png").write_bytes(encode_png(shape("anger", 700, side=48)))
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    (told,) = predict("runs/first", ["face.png"], device="cpu")
    assert capsys.readouterr().out.strip() == told.label


def test_it_takes_pixels_and_no_scaled_numbers(exported):
    with pytest.raises(Exception, match="tensor\\(float\\)"):
        ask(exported.out, np.zeros((1, 1, 48, 48), np.float32))


def test_all_that_must_be_known_stands_in_its_metadata(run, exported, manifest_path):
    model = onnx.load(exported.out)
    onnx.checker.check_model(model, full_check=True)
    told = {p.key: p.value for p in model.metadata_props}
    meta = model_file.read_meta(run / "model.safetensors")
    assert json.loads(told["classes"]) == list(meta.classes)
    assert (json.loads(told["mean"]), json.loads(told["std"])) == ([0.5], [0.25])
    assert [told[name] for name in ("size", "channels", "crop", "interpolation", "temperature", "tta")] == [
        "48", "1", meta.crop, meta.interpolation, "1.3", "flip"]  # fmt: skip
    assert told["fingerprint"] == Manifest(manifest_path).fingerprint
    assert "Do not rescale" in told["contract"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param  # any number of pictures
    assert exported.parity["faces"] == 40
    assert exported.parity["most"] < 1e-5


def test_what_the_comparison_found_stands_in_the_file_and_so_do_the_versions_of_the_engines(run, exported):
    told = {p.key: p.value for p in onnx.load(exported.out).metadata_props}
    found = json.loads(told["comparison"])
    versions = {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__, "opencv": cv2.__version__}
    assert found == {**exported.parity, "versions": versions, "opencv": dict(exported.opencv)}
    net, meta = load_model(run / "model.safetensors")
    rows = read_rows(Manifest(run / meta.manifest))
    val = load(rows, {"val": rows.where("val")}, 48, 1)["val"].pixels
    apart = np.abs(score(net, val, meta.mean, meta.std, "flip", 1.3) - ask(exported.out, as_input(val))).max()
    assert (found["faces"], found["labels"], found["tolerance"]) == (40, 0, 1e-4)
    assert found["most"] == pytest.approx(apart, abs=1e-6)
    assert (found["opencv"]["read"], found["opencv"]["faces"]) == (True, 40)
    assert 0 < found["opencv"]["most"] < 1e-4


def test_the_file_says_nothing_of_the_computer_it_was_made_on(exported):
    data = exported.out.read_bytes()
    for place in (REPOSITORY, Path(torch.__file__).parent, exported.out.parent):
        assert str(place).encode() not in data


def test_a_graph_for_a_fixed_number_of_pictures_takes_that_number_and_has_the_views_asked_for(run, tmp_path):
    done = export(run, tmp_path / "m.onnx", tta="none", batch=3)  # 40 faces of val: the last time there is one
    model = onnx.load(done.out)
    for shown in (model.graph.input[0], model.graph.output[0]):
        assert shown.type.tensor_type.shape.dim[0].dim_value == 3
    assert (done.metadata["batch"], done.metadata["tta"]) == ("3", "none")
    assert (done.parity["faces"], done.opencv["read"]) == (40, True)
    pictures = torch.from_numpy(np.stack([shape("anger", 700 + i, side=48) for i in range(3)])[..., np.newaxis])
    net, meta = load_model(run / "model.safetensors")
    expected = score(net, pictures, meta.mean, meta.std, "none", meta.temperature)
    assert np.abs(ask(done.out, as_input(pictures)) - expected).max() < 1e-5
    with pytest.raises(Exception, match="Got: 2 Expected: 3"):
        ask(done.out, as_input(pictures[:2]))
    with pytest.raises(BadOption, match="--batch is 0"):
        export(run, tmp_path / "none.onnx", batch=0)


def test_a_graph_that_says_something_else_is_not_written(run, tmp_path):
    with pytest.raises(BrokenRun, match="is not the run"):
        export(run, tmp_path / "m.onnx", tolerance=0.0)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_refused_before_any_work(run, exported, tmp_path):
    trees = {"kind": "xgboost", "widths": [], "dropout": [], "norm": False, "l2": 0.0}
    with pytest.raises(BadOption, match="trees behind its net"):
        export(untaught(tmp_path / "trees", head=trees))
    with pytest.raises(AlreadyExists):
        export(run)
    with pytest.raises(NotAManifest) as caught:
        export(untaught(tmp_path / "alone"))
    assert "--manifest names another" in caught.value.hint
    assert torch.is_inference_mode_enabled() is False


def test_the_command_exports_too(ferdata, manifest_path, tmp_path):
    run = untaught(tmp_path / "run", manifest_path, "lenet5")
    ran = ferdata("export", run, "--int8")
    assert ran.code == 0, ran
    for word in ("model-int8.onnx", "neither rescaled nor normalised", " points", "40 val faces", "read by OpenCV"):
        assert word in ran.out
    assert json.loads(ferdata("export", run, "--json", "-o", "m.onnx").out)["parity"]["labels"] == 0
    fixed = ferdata("export", run, "--batch", "1", "-o", "one.onnx")
    assert "uint8 (1, 1, 48, 48)" in fixed.out
    assert re.search(r"read by OpenCV +yes: 40 faces, probabilities within \d", fixed.out)
    refused = ferdata("export", run, "-o", "m.onnx")
    assert (refused.code, "--force" in refused.err) == (1, True)
