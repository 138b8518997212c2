"""What a check found is said where a model is adopted, and where it is judged; nothing is changed by it."""

import json

import pytest

from ferdata.errors import BadOption, FerdataWarning
from ferdata.labels import EMOTIONS
from tests.zoo.conftest import shape_rows
from zoo.deploy.adopt import adopt
from zoo.evaluation.evaluate import evaluate

WRONG = ("anger", *EMOTIONS[1:4], "neutral", *EMOTIONS[5:])
FOUND = "With anger and neutral exchanged it would be"


@pytest.fixture
def wrong(shapes_file, tmp_path):
    """Return a run in which two classes were exchanged."""
    return adopt(shapes_file, tmp_path / "wrong", classes=WRONG).out


def test_evaluate_warns_of_a_wrong_reading_and_judges_as_it_was_told(wrong, manifest_path):
    with pytest.warns(FerdataWarning, match=f"{wrong} may be read wrongly. {FOUND}"):
        told = evaluate(wrong, manifest_path, bootstrap=50)
    assert told["accuracy"] < 0.6
    check = json.loads(json.dumps(told["reading_check"]))
    assert check["findings"][0]["kind"] == "order"
    assert check["splits"] == {"train": 128, "val": 40}


def test_evaluate_says_that_a_right_reading_is_not_bettered(shapes_file, manifest_path, tmp_path, ferdata):
    adopt(shapes_file, tmp_path / "right")
    ran = ferdata("evaluate", tmp_path / "right", "--manifest", manifest_path, "--bootstrap", "50")
    assert ran.code == 0, ran
    assert "Reading check on 168 labelled faces" in ran.out
    assert "fits much better" in ran.out
    assert "read wrongly" not in ran.err


def test_a_manifest_without_a_face_of_its_classes_is_judged_without_a_check(shapes_file, shapes, tmp_path):
    adopt(shapes_file, tmp_path / "run", classes=[f"kind {i}" for i in range(7)] + ["contempt"])
    told = evaluate(tmp_path / "run", shapes(shape_rows(), name="others"), bootstrap=20)
    assert told["reading_check"] is None


def test_adopt_says_it_at_once_and_of_a_run_that_was_adopted_before(shapes_file, manifest_path, wrong, ferdata):
    given = ("--check", manifest_path)
    at_once = ferdata("adopt", shapes_file, "-o", "runs/a", "--classes", ",".join(WRONG), *given)
    assert at_once.code == 0, at_once
    before = (wrong / "model.safetensors").read_bytes()
    later = ferdata("adopt", wrong, *given)
    assert later.code == 0, later
    for ran in (at_once, later):
        words = " ".join(ran.out.split())
        assert FOUND in words
        assert f"adopt it with --classes {','.join(EMOTIONS)}." in words
    assert (wrong / "model.safetensors").read_bytes() == before
    told = json.loads(ferdata("adopt", wrong, *given, "--json").out)
    assert told["check"]["findings"][0]["name"] == "exchange"


def test_a_check_alone_takes_a_run_that_was_adopted_and_nothing_that_would_be_ignored(
    wrong, shapes_file, trained, manifest_path, tmp_path
):
    for model in (shapes_file, trained.path):
        with pytest.raises(BadOption, match="as a run was not said"):
            adopt(model, check=manifest_path)
    with pytest.raises(BadOption, match="as a run was not said"):
        adopt(wrong)
    with pytest.raises(BadOption, match="size, order would do nothing"):
        adopt(wrong, check=manifest_path, size=32, order="BGR")
    with pytest.raises(Exception, match="nothing-there"):
        adopt(shapes_file, tmp_path / "new", check=tmp_path / "nothing-there.parquet")
    assert not (tmp_path / "new").exists()
