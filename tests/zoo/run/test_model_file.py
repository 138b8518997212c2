import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ferdata import labels
from ferdata.errors import BrokenRun, CannotWrite
from zoo.models.build import backbone, build
from zoo.models.load import load_model
from zoo.run import model_file, run_folder


@pytest.fixture
def meta():
    taxonomy = labels.TAXONOMIES["fer3"]
    return model_file.Meta(
        backbone="resnet_fer",
        classes=taxonomy.classes,
        taxonomy=taxonomy.as_dict(),
        mean=(0.5,),
        std=(0.25,),
        size=32,
        channels=1,
        tta="flip",
        manifest="m.parquet",
        fingerprint="f" * 32,
        chosen={"epoch": 1},
        config={"seed": 0},
    )


@pytest.fixture
def net():
    return build(backbone("resnet_fer"), 1, 3, 32)


def test_weights_and_metadata_come_back_as_they_went(tmp_path, net, meta):
    path = tmp_path / "model.safetensors"
    model_file.save(path, net, meta)
    back, found = load_model(path)
    assert found == meta
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), back.state_dict().values(), strict=True))
    assert not back.training


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_pickle_is_refused_and_never_opened_as_one(tmp_path):
    path, mark = tmp_path / "model.safetensors", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(BrokenRun, match="not a complete safetensors"):
        load_model(path)
    torch.save({"weights": Payload(mark)}, path)
    with pytest.raises(BrokenRun, match="not a complete safetensors"):
        load_model(path)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"junk", b"\x00" * 4096])
def test_rubbish_is_refused(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(BrokenRun):
        load_model(path)


def test_a_file_cut_short_is_refused(tmp_path, net, meta):
    path = tmp_path / "model.safetensors"
    model_file.save(path, net, meta)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BrokenRun):
        load_model(path)


def test_somebody_elses_weights_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"w": torch.zeros(1)}, path)
    with pytest.raises(BrokenRun, match="not a ferdata model"):
        load_model(path)
    save_file({"w": torch.zeros(1)}, path, {"ferdata": json.dumps({"format": 99})})
    with pytest.raises(BrokenRun, match="format 99"):
        load_model(path)
    save_file({"w": torch.zeros(1)}, path, {"ferdata": json.dumps({"format": 2, "classes": []})})
    with pytest.raises(BrokenRun, match="damaged"):
        load_model(path)
    save_file({"w": torch.zeros(1)}, path, {"ferdata": "[]"})
    with pytest.raises(BrokenRun, match="damaged"):
        load_model(path)


def test_weights_of_another_net_are_refused(tmp_path, net, meta):
    path = tmp_path / "model.safetensors"
    model_file.save(path, net, replace(meta, backbone="vgg13_ferplus"))
    with pytest.raises(BrokenRun, match="do not fit vgg13_ferplus"):
        load_model(path)
    model_file.save(path, net, replace(meta, backbone="no_such_net"))
    with pytest.raises(BrokenRun, match="no_such_net"):
        load_model(path)


def test_another_way_of_cutting_or_resizing_is_refused(tmp_path, net, meta):
    path = tmp_path / "model.safetensors"
    model_file.save(path, net, replace(meta, interpolation="bicubic"))
    with pytest.raises(BrokenRun, match="bicubic"):
        load_model(path)


def test_the_same_classes_in_another_order_are_refused(meta):
    fer3 = labels.TAXONOMIES["fer3"]
    model_file.check_classes(meta, fer3, "m.parquet")
    shuffled = replace(fer3, classes=fer3.classes[::-1])
    with pytest.raises(BrokenRun, match="sad, happy, angry") as error:
        model_file.check_classes(meta, shuffled, "m.parquet")
    assert "--taxonomy fer3" in error.value.hint


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path, net, meta, monkeypatch):
    path = tmp_path / "model.safetensors"
    model_file.save(path, net, meta)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folder.os, "fsync", full)
    with pytest.raises(CannotWrite, match="No space left"):
        model_file.save(path, net, replace(meta, size=48))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
