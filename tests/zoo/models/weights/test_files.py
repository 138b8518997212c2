import os
import pickle
import socket
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ferdata.errors import BadOption, MissingModel
from zoo.models.build import backbone, build
from zoo.models.weights.files import read

NAME = "mobilenetv3_small_050"


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(11)
    return build(backbone(NAME), 3, 1000, 48).state_dict()


@pytest.fixture(params=["w.safetensors", "w.pth", "wrapped.pth"])
def file(request: pytest.FixtureRequest, tmp_path: Path, weights: dict[str, torch.Tensor]) -> Path:
    path: Path = tmp_path / request.param
    if path.suffix == ".safetensors":
        save_file({key: t.clone() for key, t in weights.items()}, path)
    else:
        torch.save({"state_dict": weights} if "wrapped" in path.name else weights, path)
    return path


def test_a_files_weights_are_loaded_and_the_last_layer_is_drawn_for_our_classes(file, weights):
    card = backbone(NAME, weights=file)
    net = build(card, 3, 7, 48)
    mine = net.state_dict()
    differs = [key for key in mine if not key.startswith("classifier") and not torch.equal(mine[key], weights[key])]
    assert differs == []
    assert mine["classifier.weight"].shape[0] == 7
    assert (card.mean, card.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_one_channel_gets_the_kernels_summed(file, weights):
    net = build(backbone(NAME, weights=file), 1, 7, 48)
    torch.testing.assert_close(net.conv_stem.weight, weights["conv_stem.weight"].sum(1, keepdim=True))


def test_the_seed_decides_the_new_last_layer(file):
    def drawn() -> torch.Tensor:
        torch.manual_seed(2)
        return build(backbone(NAME, weights=file), 3, 7, 48).get_classifier().weight

    assert torch.equal(drawn(), drawn())


def test_weights_of_another_net_are_refused(tmp_path, weights):
    path = tmp_path / "w.safetensors"
    save_file({key: t.clone() for key, t in weights.items()}, path)
    with pytest.raises(BadOption, match="is not of resnet18"):
        build(backbone("resnet18", weights=path), 3, 7, 48)


def test_a_file_that_lacks_a_layer_is_refused_by_its_name(tmp_path, weights):
    path = tmp_path / "w.safetensors"
    save_file({key: t.clone() for key, t in weights.items() if key != "conv_head.weight"}, path)
    with pytest.raises(BadOption, match="conv_head"):
        build(backbone(NAME, weights=path), 3, 7, 48)


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_pickle_with_a_payload_is_never_run(tmp_path):
    mark = tmp_path / "ran"
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Payload(mark)))
    torch.save({"w": Payload(mark)}, tmp_path / "evil2.pth")
    for name in ("evil.pth", "evil2.pth"):
        with pytest.raises(BadOption, match="cannot be read as weights") as refused:
            read(tmp_path / name)
        assert "weights_only" not in str(refused.value)  # torch's advice is to run it
    assert not mark.exists()


def test_what_holds_no_weights_is_refused(tmp_path):
    with pytest.raises(MissingModel, match="no file"):
        read(tmp_path / "nowhere.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(BadOption, match="cannot be read"):
        read(tmp_path / "cut.safetensors")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(BadOption, match="no weights by name"):
        read(tmp_path / "none.pth")


def test_without_a_network_the_way_out_is_said_at_once(tmp_path, monkeypatch):
    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setattr("zoo.models.weights.files.getproxies", dict)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"waits {seconds} s for another try"))
    with pytest.raises(MissingModel, match="--weights FILE"):
        build(backbone("resnet10t", pretrained=True), 3, 7, 64)
    assert not constants.HF_HUB_OFFLINE
