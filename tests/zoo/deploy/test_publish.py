"""A published run: timm or ferdata loads the same net from it, and nothing of it names a folder of this machine."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml

from ferdata.errors import AlreadyExists, BadOption, BrokenRun, CannotWrite
from tests.zoo.conftest import shape
from tests.zoo.strangers import stranger
from tests.zoo.untaught import untaught
from zoo.deploy.adopt import adopt
from zoo.deploy.predict import predict
from zoo.deploy.publish import bare, publish
from zoo.evaluation.evaluate import evaluate
from zoo.models.load import load_model
from zoo.run.model_file import read_meta

SEVEN = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
SMALL = "tf_efficientnet_lite0"


def judged(folder: Path, manifest: Path, backbone: str = "mini_xception", **more: Any) -> Path:
    """Return a run that has a report."""
    options = {"targets": "crossentropy", "select": "accuracy", "seed": 0, "manifest": str(manifest)}
    run = untaught(folder, manifest, backbone, config=options, **more)
    report = evaluate(run, split="test", device="cpu")
    report["training"] = None
    (run / "report.json").write_text(json.dumps(report))
    return run


@pytest.fixture(scope="module")
def run(manifest_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judged(tmp_path_factory.mktemp("runs") / "ours", manifest_path)


@pytest.fixture(scope="module")
def of_timm(manifest_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judged(tmp_path_factory.mktemp("runs") / "timms", manifest_path, SMALL)


def test_timm_alone_makes_the_same_net_of_the_folder(of_timm: Path, tmp_path: Path) -> None:
    done = publish(of_timm, tmp_path / "model", repo="me/model")
    assert done.loaded_by == "timm"
    theirs = timm.create_model(f"local-dir:{done.out}", pretrained=True).eval()
    ours, meta = load_model(of_timm / "model.safetensors")
    pixels = torch.rand(3, 1, 48, 48)
    with torch.no_grad():
        assert torch.allclose(theirs(pixels), ours(pixels), atol=1e-3)
        assert ours(pixels).std() > 1e-3
    assert theirs.pretrained_cfg["label_names"] == list(meta.classes)
    assert tuple(theirs.pretrained_cfg["mean"]) == meta.mean
    assert 'timm.create_model("hf-hub:me/model", pretrained=True)' in (done.out / "README.md").read_text()


def test_a_net_of_ours_says_how_ferdata_loads_it_and_gives_the_same_answers(run: Path, tmp_path: Path) -> None:
    from ferdata.images import encode_png

    done = publish(run, tmp_path / "model")
    assert done.loaded_by == "ferdata"
    assert done.files == ("README.md", "config.json", "model.safetensors")
    assert "ferdata predict path/to/this/folder" in (done.out / "README.md").read_text()
    (tmp_path / "face.png").write_bytes(encode_png(shape("anger", 3)))
    before, after = (predict(path, [tmp_path / "face.png"], device="cpu")[0] for path in (run, done.out))
    assert before.probabilities == after.probabilities


def test_the_card_has_figures_with_intervals_terms_and_what_it_is_not_for(run: Path, tmp_path: Path) -> None:
    text = (publish(run, tmp_path / "model").out / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---\n")[1])
    report = json.loads((run / "report.json").read_text())
    (result,) = head["model-index"][0]["results"]
    accuracy = next(each for each in result["metrics"] if each["type"] == "accuracy")
    assert accuracy["value"] == report["accuracy"]
    low, high = report["confidence_intervals"]["accuracy"]
    assert accuracy["name"] == f"accuracy (95 % interval {low:.4f} to {high:.4f})"
    assert f"| accuracy | {report['accuracy']:.1%} | {low:.1%} to {high:.1%} |" in text
    for words in ("## Data, licences, citations", "It has no place in decisions about people", "## How to load it"):
        assert words in text
    assert head["license"] == "other"


def test_no_file_of_it_names_a_folder_of_this_machine(run: Path, manifest_path: Path, tmp_path: Path) -> None:
    out = publish(run, tmp_path / "model").out
    for file in out.iterdir():
        assert str(manifest_path.parent).encode() not in file.read_bytes(), file.name
    meta = read_meta(out / "model.safetensors")
    assert (meta.manifest, meta.config["manifest"]) == (manifest_path.name, manifest_path.name)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/scratch/me/weights/a.pt", "a.pt"),
        ("../../m/x.parquet", "x.parquet"),
        ("C:\\nets\\me\\a.pt, as timm", "a.pt, as timm"),
        ("local-dir:/scratch/me/net", "net"),
        ("~/nets/a.pt", "a.pt"),
        ("see https://github.com/a/b/c", "see https://github.com/a/b/c"),
        ("hf-hub:owner/name", "hf-hub:owner/name"),
        ("train/val", "train/val"),
    ],
)
def test_files_are_named_without_their_folders_and_addresses_stay(text: str, left: str) -> None:
    assert bare(text) == left


def test_a_model_of_others_is_not_published(tmp_path: Path) -> None:
    adopt(stranger(tmp_path / "theirs.onnx"), tmp_path / "run", classes=SEVEN, pixels=(0, 1))
    with pytest.raises(BadOption, match="a model that others trained"):
        publish(tmp_path / "run", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_run_that_is_not_finished_is_refused(manifest_path: Path, tmp_path: Path) -> None:
    with pytest.raises(BrokenRun, match=r"report\.json cannot be read"):
        publish(untaught(tmp_path / "run", manifest_path), tmp_path / "model")


def test_the_output_is_not_the_run_and_replaces_nothing_of_others(run: Path, tmp_path: Path) -> None:
    for out in (run, run / "model", run.parent):
        with pytest.raises(AlreadyExists, match="is an input, or inside or around one"):
            publish(run, out, force=True)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.tex").touch()
    with pytest.raises(CannotWrite, match=r"thesis\.tex"):
        publish(run, tmp_path / "model", force=True)


def test_the_command_tells_a_run_from_a_manifest(ferdata, run: Path) -> None:
    done = ferdata("publish", str(run), "-o", "model")
    assert done.code == 0, done.err
    assert "ferdata" in done.out
    refused = ferdata("publish", str(run), "-o", "other", "--pixels")
    assert refused.code == 2
    assert "only of a manifest, and this is a run" in refused.err
