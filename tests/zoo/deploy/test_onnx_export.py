"""The exported file says what the run says: of real pictures, of one or of many, and nothing is written where not."""

import json
import re
import warnings

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
from zoo.deploy.onnx_export import check_parity, export
from zoo.deploy.predict import predict
from zoo.deploy.preprocess import Preprocess
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


@pytest.mark.parametrize("tta", ["none", "ten-crop"])
def test_the_views_are_those_that_were_asked_for(run, tmp_path, tta):
    done = export(run, tmp_path / "m.onnx", tta=tta)
    assert (done.parity["most"] < 1e-5, done.metadata["tta"]) == (True, tta)


@pytest.mark.parametrize("backbone", ["mini_xception", "resnet_fer"])
@pytest.mark.parametrize("tta", ["none", "flip"])
def test_opencv_reads_the_file_and_gives_the_same_numbers_for_any_number_of_pictures(
    manifest_path, tmp_path, backbone, tta
):
    made = untaught(tmp_path / "run", manifest_path, backbone)
    done = export(made, tmp_path / "m.onnx", tta=tta, faces=8)
    net = cv2.dnn.readNetFromONNX(str(done.out))
    for n in (1, 4, 3):
        pixels = np.stack([shape("anger", 700 + i, side=48) for i in range(n)])[:, np.newaxis]
        net.setInput(pixels.astype(np.float32))
        told = net.forward()
        assert told.shape == (n, len(json.loads(done.metadata["classes"])))
        assert np.abs(told - ask(done.out, pixels)).max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "size", "channels"),
    [("resnet_fer", 48, 1), ("deep_emotion", 48, 1), ("squeezenet1_1", 64, 3), ("efficientnet_b0", 64, 3)],
)
def test_other_nets_too(manifest_path, tmp_path, backbone, size, channels):
    statistics = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    made = untaught(tmp_path / "run", manifest_path, backbone, size=size, channels=channels, **statistics)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        assert export(made, faces=8).parity["most"] < 1e-4


def test_a_graph_that_says_something_else_is_not_written(run, tmp_path):
    with pytest.raises(BrokenRun, match="is not the run"):
        export(run, tmp_path / "m.onnx", tolerance=0.0)
    assert list(tmp_path.iterdir()) == []


def test_labels_count_but_for_ties():
    one = np.array([[0.6, 0.4], [0.50001, 0.49999]], np.float32)
    tied = np.array([[0.6, 0.4], [0.49999, 0.50001]], np.float32)
    assert check_parity(one, tied, 1e-4)["labels"] == 0
    with pytest.raises(BrokenRun, match="of 2 faces of val 1 get another label"):
        check_parity(one, np.array([[0.48, 0.52], [0.51, 0.49]], np.float32), 0.15)
    with pytest.raises(BrokenRun, match="nan"):
        check_parity(one, np.full((2, 2), np.nan, np.float32), 1e-4)


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


def test_in_8_bits_it_is_smaller_and_its_loss_is_measured_on_val(manifest_path, tmp_path):
    made = untaught(tmp_path / "run", manifest_path, "resnet_fer")
    done = export(made, int8=True)
    assert done.out.name == "model-int8.onnx"
    lost = done.int8
    assert lost["bytes"]["int8"] < 0.35 * lost["bytes"]["float32"]
    assert done.size == done.out.stat().st_size
    model = onnx.load(done.out)
    assert json.loads({p.key: p.value for p in model.metadata_props}["int8"]) == json.loads(json.dumps(lost))
    rows = read_rows(Manifest(manifest_path))
    val = load(rows, {"val": rows.where("val")}, 48, 1)["val"]
    p = ask(done.out, val.pixels.numpy().transpose(0, 3, 1, 2))
    assert (p.argmax(1) == val.hard.numpy()).mean() == pytest.approx(lost["accuracy"]["int8"])
    assert lost["most"] < 0.2
    assert any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def test_the_command_exports_too(ferdata, manifest_path, tmp_path):
    run = untaught(tmp_path / "run", manifest_path, "lenet5")
    ran = ferdata("export", run, "--int8")
    assert ran.code == 0, ran
    for word in ("model-int8.onnx", "neither rescaled nor normalised", " points", "40 faces of val"):
        assert word in ran.out
    assert json.loads(ferdata("export", run, "--json", "-o", "m.onnx").out)["parity"]["labels"] == 0
    refused = ferdata("export", run, "-o", "m.onnx")
    assert (refused.code, "--force" in refused.err) == (1, True)
