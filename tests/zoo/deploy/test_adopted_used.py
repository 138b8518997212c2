"""Every use of a run is a use of an adopted one, or says why it is none, and what to do instead."""

import numpy as np
import pytest

from ferdata.errors import BadOption, BrokenRun
from ferdata.manifest import Manifest
from tests.browser import browser
from tests.zoo.conftest import QUICK
from tests.zoo.deploy.test_webcam_server import DESK, camera, serving, text, visit
from tests.zoo.strangers import stranger
from zoo.deploy.adopt import adopt
from zoo.deploy.features import features
from zoo.deploy.predict import Predictor, predict
from zoo.deploy.preprocess import Preprocess
from zoo.deploy.record import record
from zoo.deploy.webcam_server import Page
from zoo.evaluation import report
from zoo.evaluation.compare import compare
from zoo.evaluation.evaluate import evaluate
from zoo.models.foreign.onnx_file import OnnxRunner
from zoo.run.model_file import read_meta
from zoo.run.run_folder import Folder
from zoo.training.train import train

SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def theirs(tmp_path):
    """Return an adopted run; its file lies beside it."""
    file = stranger(tmp_path / "theirs.onnx", size=32, channels=1, output="probabilities")
    adopt(file, tmp_path / "theirs", classes=SEVEN, pixels=(-1, 1))
    return tmp_path / "theirs"


def test_predict_says_of_pictures_what_the_file_says_of_their_pixels(theirs, pictures, tmp_path):
    from ferdata.images import decode

    told = predict(theirs, [pictures], device="cpu", out=tmp_path / "faces.csv")
    assert len(told) == 8
    before = Preprocess.of(read_meta(theirs / "model.safetensors"))
    pixels = np.stack([before.pixels(decode(p.path.read_bytes())) for p in told]).transpose(0, 3, 1, 2)
    fed = (pixels / 127.5 - 1).astype(np.float32)
    expected = OnnxRunner((tmp_path / "theirs.onnx").read_bytes(), "theirs")(fed)
    assert np.abs(np.array([list(p.probabilities.values()) for p in told]) - expected).max() < 1e-5
    assert list(told[0].probabilities)[:2] == ["anger", "disgust"]


def test_the_camera_page_serves_it_and_claims_nothing_of_its_training(theirs, pictures, manifest_path):
    predictor = Predictor(theirs, "cpu", detect="none", scenes=True)
    with Page(predictor, Folder(theirs), port=0) as page:
        assert page.about["record"] == (
            "Adopted from theirs.onnx; what it was trained on is not known here. Accuracy unknown: ferdata evaluate "
            "RUN --manifest M --save measures it."
        )
        assert len(page.about["colours"]) == 7
        found = page.faces(next(pictures.glob("*.png")).read_bytes())
    assert found["faces"][0]["label"] in page.about["classes"]
    told = evaluate(theirs, manifest_path, bootstrap=20, save=True)
    said = record(Folder(theirs), read_meta(theirs / "model.safetensors"))
    assert f"Accuracy on the test split of shapes.parquet: {told['accuracy']:.1%} (95% interval" in said
    assert said.endswith("on 48 images.")


def test_a_training_does_not_begin_with_it(theirs, manifest_path, tmp_path):
    with pytest.raises(BadOption, match=r"--init .* was adopted from theirs\.onnx") as refused:
        train(manifest_path, tmp_path / "run", init=theirs, **QUICK)
    assert "--weights FILE" in refused.value.hint
    assert not (tmp_path / "run").exists()
    with pytest.raises(BrokenRun, match=r"no run in .* to resume"):
        train(manifest_path, theirs, resume=True, **QUICK)
    assert (theirs / "model.safetensors").is_file()


def test_it_has_no_features_to_compare_sets_by(theirs):
    with pytest.raises(BadOption, match=r"inside of theirs\.onnx"):
        features(theirs, device="cpu")


def test_without_predictions_it_is_not_compared_and_with_them_it_is(theirs, manifest_path, tmp_path):
    with pytest.raises(BrokenRun, match="has predicted nothing yet") as refused:
        compare([theirs, theirs])
    assert "--save-predictions theirs.parquet" in refused.value.hint
    for tta in ("none", "flip"):
        evaluate(theirs, manifest_path, bootstrap=20, tta=tta, save_predictions=tmp_path / f"{tta}.parquet")
    told = compare([tmp_path / "none.parquet", tmp_path / "flip.parquet"])
    assert told["n"] == 48


def test_charts_of_a_training_that_nobody_saw_are_not_drawn(theirs):
    with pytest.raises(BrokenRun, match="no report of its training") as refused:
        report.draw(theirs, ("png",))
    assert "--save --plots png" in refused.value.hint


def test_an_audit_takes_what_it_predicted(theirs, manifest_path, tmp_path):
    from ferdata.steps.audit import audit

    evaluate(theirs, manifest_path, split="all", bootstrap=10, save_predictions=tmp_path / "theirs.parquet")
    quality = {}
    for name, found in (("with", tmp_path / "theirs.parquet"), ("without", None)):
        audit(manifest_path, out=tmp_path / f"{name}.parquet", predictions=found)
        quality[name] = Manifest(tmp_path / f"{name}.parquet").table("label_quality")["label_quality"].to_pylist()
    assert len(set(quality["with"])) > 100
    assert len(set(quality["without"])) == 1


@pytest.mark.slow
def test_a_browser_with_a_camera_sees_the_answers_of_an_adopted_net(theirs, tmp_path):
    with serving(theirs) as page, browser(tmp_path / "browser", *camera(tmp_path)) as chromium:
        visit(chromium, page, DESK)
        assert text(chromium, "#record").startswith("Adopted from theirs.onnx; what it was trained on is not known")
        chromium.click("document.getElementById('camera')")
        chromium.until("document.querySelectorAll('article').length === 1")
        assert chromium.run("document.querySelectorAll('dl dt').length") == 7
        assert chromium.complaints == []
