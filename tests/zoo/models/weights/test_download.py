import json
import shutil
import socket
import time
from pathlib import Path

import pytest
import timm
import torch
from timm.models import save_for_hf

from ferdata.errors import BadOption, MissingModel
from tests.zoo.conftest import QUICK
from zoo.models.build import backbone, begin, build
from zoo.models.describe import describe
from zoo.models.load import load_model
from zoo.run import model_file
from zoo.run.run_folder import Folder
from zoo.training.train import default_out, train

NAME = "mobilenetv3_small_050"


@pytest.fixture(scope="module", params=[True, False], ids=["safetensors", "bin"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as timm pushes it to Hugging Face: a net of five classes whose last map is not averaged."""
    torch.manual_seed(4)
    path: Path = tmp_path_factory.mktemp("saved") / "mine"
    net = timm.create_model(NAME, num_classes=5, global_pool="max")
    net.pretrained_cfg |= {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "input_size": (3, 96, 96)}
    save_for_hf(net, str(path), safe_serialization=request.param)
    return path


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return timm.create_model(f"local-dir:{folder}", pretrained=True).state_dict()


def test_a_folder_as_timm_saves_it_gives_its_net_weights_and_statistics(folder: Path) -> None:
    card = backbone(f"local-dir:{folder}", pretrained=True)
    assert (card.name, card.size, card.mean, card.std) == (NAME, 96, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    begun = begin(card, 3, 7, 64)
    wanted, found = tensors(folder), begun.net.state_dict()
    assert {k for k in wanted if not torch.equal(wanted[k], found[k])} == {"classifier.weight", "classifier.bias"}
    assert begun.net.global_pool.pool_type == "max"
    assert begun.origin is not None
    assert begun.origin.weights == f"local-dir:{folder}"
    assert "not known" in begun.origin.terms


def test_without_pretrained_it_gives_its_architecture_alone_and_says_so(folder: Path) -> None:
    begun = begin(backbone(f"local-dir:{folder}"), 1, 7, 64)
    assert begun.notes == (f"local-dir:{folder} gives its architecture alone; add --pretrained for its weights.",)
    assert (begun.origin, begun.statistics) == (None, None)
    assert not torch.equal(begun.net.state_dict()["conv_head.weight"], tensors(folder)["conv_head.weight"])


@pytest.mark.slow
def test_a_run_that_began_with_a_folder_does_without_it_afterwards(manifest_path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    net = timm.create_model(NAME, num_classes=5, global_pool="max")
    net.pretrained_cfg |= {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}
    save_for_hf(net, str(mine), safe_serialization=True)
    run = train(manifest_path, tmp_path / "run", **QUICK | {"epochs": 1}, backbone=f"local-dir:{mine}", pretrained=True)
    shutil.rmtree(mine)
    net, meta = load_model(Folder(run.path).model)
    assert (meta.backbone, meta.arguments, meta.mean) == (NAME, {"global_pool": "max"}, (0.1, 0.2, 0.3))
    assert net.global_pool.pool_type == "max"
    assert f"It began with local-dir:{mine}: not known" in (run.path / "card.md").read_text(encoding="utf-8")
    again = train(manifest_path, tmp_path / "again", **QUICK | {"epochs": 1}, backbone=NAME, init=run.path)
    assert model_file.read_meta(Folder(again.path).model).origin == meta.origin


def test_a_folder_that_is_none_or_damaged_says_what_it_should_hold(tmp_path: Path) -> None:
    with pytest.raises(MissingModel, match=r"no file .*config\.json") as refused:
        backbone(f"local-dir:{tmp_path}")
    assert "save_for_hf" in refused.value.hint
    for text in ("{", "[]", "{}", json.dumps({"architecture": NAME, "pretrained_cfg": 3})):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(BadOption, match="does not describe a net"):
            backbone(f"local-dir:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "no_such_net"}))
    with pytest.raises(BadOption, match="no backbone 'no_such_net'"):
        backbone(f"local-dir:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": NAME}))
    with pytest.raises(MissingModel, match=r"no file .*model\.safetensors"):
        build(backbone(f"local-dir:{tmp_path}", pretrained=True), 3, 7, 64)


def test_a_folder_is_described(folder: Path) -> None:
    found = describe(f"local-dir:{folder}")
    assert (found.mean, found.size, found.tags) == ((0.1, 0.2, 0.3), 96, (f"local-dir:{folder}",))


def test_a_repository_is_read_as_a_folder_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(repository: str, file: str, revision: str | None = None) -> str:
        asked.append((repository, file, revision))
        if not (folder / file).is_file():
            raise FileNotFoundError(file)
        return str(folder / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
    begun = begin(backbone("hf-hub:me/mine@v2", pretrained=True), 3, 7, 64)
    assert {(repository, revision) for repository, _, revision in asked} == {("me/mine", "v2")}
    assert torch.equal(begun.net.state_dict()["conv_head.weight"], tensors(folder)["conv_head.weight"])
    assert begun.origin is not None
    assert begun.origin.weights == "hf-hub:me/mine@v2"


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, and nothing in the hub's cache."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr("zoo.models.weights.download.getproxies", dict)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waits {seconds} s for another try"))


@pytest.mark.usefixtures("nowhere")
def test_without_a_network_the_way_out_is_said_at_once() -> None:
    from huggingface_hub import constants

    with pytest.raises(MissingModel, match="--weights FILE"):
        build(backbone("resnet10t", pretrained=True), 3, 7, 64)
    with pytest.raises(MissingModel, match=r"config\.json of hf-hub:owner/name could not be fetched") as refused:
        backbone("hf-hub:owner/name", pretrained=True)
    assert "local-dir:FOLDER --pretrained" in refused.value.hint
    assert not constants.HF_HUB_OFFLINE


def test_a_runs_folder_is_named_after_the_last_part_of_a_source() -> None:
    assert default_out("m/faces.parquet", "default", {"backbone": "hf-hub:owner/net"}) == "runs/faces-net"
    assert default_out("m/faces.parquet", "default", {"backbone": "local-dir:/tmp/mine/"}) == "runs/faces-mine"
    assert default_out("m/faces.parquet", "default", {"backbone": "resnet18.a1_in1k"}) == "runs/faces-resnet18.a1_in1k"
