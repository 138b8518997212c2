import os
import pickle
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ferdata import labels
from ferdata.errors import BadOption, BrokenRun, MissingModel
from tests.zoo.conftest import QUICK, shape_rows, write_shapes
from zoo.models import initial_weights
from zoo.models.build import backbone, blocks, build
from zoo.options.options import TrainConfig
from zoo.run import model_file
from zoo.run.run_folder import Folder
from zoo.training.train import train

ONE = {**QUICK, "epochs": 1, "precision": "32-true", "lr": 1e-12}  # so that the first weights are the last


def tensors(run):
    with safe_open(run.path / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_a_run_begins_with_the_weights_of_another(manifest_path, trained, tmp_path):
    run = train(manifest_path, tmp_path / "run", **ONE, init=trained.path, norm="frozen")
    before, after = tensors(trained), tensors(run)
    assert all(torch.allclose(before[name], after[name]) for name in before)
    assert run.report["accuracy"] == trained.report["accuracy"]
    ours, theirs = (model_file.read_meta(Folder(r.path).model) for r in (run, trained))
    assert (ours.mean, ours.std, ours.size, ours.channels) == (theirs.mean, theirs.std, theirs.size, theirs.channels)


def test_a_head_for_other_classes_is_drawn_anew_and_the_rest_taken_over(trained, tmp_path):
    path = write_shapes(tmp_path / "three.parquet", shape_rows(), taxonomy="valence3")
    lines = []
    run = train(path, tmp_path / "run", **ONE, init=trained.path, say=lines.append)
    assert any("(8 classes) is replaced by one for 3" in line for line in lines)
    before, after = tensors(trained), tensors(run)
    net = build(backbone("resnet_fer"), 1, 3, 32)
    head = set(blocks(net)[-1])
    assert all(torch.allclose(before[n], after[n]) for n, _ in net.named_parameters() if n not in head)
    assert {after[n].shape[0] for n in head} == {3}


def test_a_hidden_layer_put_behind_another_runs_features_is_drawn(manifest_path, trained, tmp_path):
    options = {"head_widths": (16,), "head_dropout": (0.1,), "head_norm": True}
    run = train(manifest_path, tmp_path / "run", **ONE, init=trained.path, head="mlp", options=options)
    assert train(manifest_path, tmp_path / "again", **ONE, init=run.path).report["n"] == 48


def test_the_same_head_under_another_penalty_is_taken_over(manifest_path, tmp_path):
    options = {"head_widths": (16,), "head_l2": 1e-3}
    run = train(manifest_path, tmp_path / "run", **ONE, head="mlp", options=options)
    notes = []
    again = {**options, "head_l2": 0.1}
    train(manifest_path, tmp_path / "again", **ONE, init=run.path, head="mlp", options=again, say=notes.append)
    assert not any("gives way" in note for note in notes)


def test_classes_in_another_order_are_named(trained, manifest_path):
    basic8 = labels.TAXONOMIES["basic8"]
    order = (basic8.classes[1], basic8.classes[0], *basic8.classes[2:])
    with pytest.raises(BadOption, match="neutral / happiness, happiness / neutral"):
        initial_weights.of_run(TrainConfig(init=str(trained.path)), replace(basic8, classes=order))


def test_another_backbone_is_named(manifest_path, trained, tmp_path):
    with pytest.raises(BadOption, match="is of backbone resnet_fer, and lenet5 is to be trained") as error:
        train(manifest_path, tmp_path / "run", **QUICK, init=trained.path, backbone="lenet5")
    assert "--backbone resnet_fer" in error.value.hint
    with pytest.raises(BrokenRun, match="is not a folder"):
        train(manifest_path, tmp_path / "run", **QUICK, init=tmp_path / "nowhere")


def test_weights_of_a_file_are_taken_and_refused_by_what_is_wrong(manifest_path, tmp_path):
    net = build(backbone("mobilenetv3_small_050"), 3, 4, 32)
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, tmp_path / "net.safetensors")
    quick = {**ONE, "backbone": "mobilenetv3_small_050"}
    run = train(manifest_path, tmp_path / "run", **quick, weights=tmp_path / "net.safetensors", norm="frozen")
    after = tensors(run)
    name = "conv_stem.weight"
    assert torch.allclose(after[name], net.state_dict()[name])
    meta = model_file.read_meta(Folder(run.path).model)
    assert (meta.mean, meta.channels) == ((0.485, 0.456, 0.406), 3)
    with pytest.raises(BadOption, match="is not of resnet18"):
        train(manifest_path, tmp_path / "r", **{**ONE, "backbone": "resnet18"}, weights=tmp_path / "net.safetensors")
    with pytest.raises(MissingModel, match="no file"):
        train(manifest_path, tmp_path / "r", **quick, weights=tmp_path / "none.safetensors")


class Payload:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_weights_with_a_payload_are_never_unpickled(manifest_path, tmp_path, name):
    mark, file = tmp_path / "executed", tmp_path / name
    for write in (
        lambda: torch.save({"w": Payload(mark)}, file),
        lambda: file.write_bytes(pickle.dumps(Payload(mark), protocol=2)),
    ):
        write()
        with pytest.raises(BadOption, match="cannot be read as weights"):
            train(manifest_path, tmp_path / "run", **{**QUICK, "backbone": "resnet18"}, weights=file)
    assert not mark.exists()


def test_published_weights_without_a_network_end_with_the_way_out(manifest_path, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path / "hub"))
    quick = {**QUICK, "backbone": "mobilenetv3_small_050"}
    with pytest.raises(MissingModel, match="could not be fetched") as error:
        train(manifest_path, tmp_path / "run", **quick, pretrained=True)
    assert "--weights FILE" in error.value.hint
    assert not (tmp_path / "run").exists()
