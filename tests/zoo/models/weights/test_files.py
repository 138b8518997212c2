import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ferdata.errors import BadOption, MissingModel
from zoo.models.build import backbone, build
from zoo.models.weights.files import read, reason

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
    assert "do not open it anywhere" in refused.value.hint
    assert not mark.exists()


def test_a_whole_net_is_not_unpickled_and_how_to_turn_it_into_tensors_is_said(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "net.pt")
    with pytest.raises(BadOption, match=r"more than tensors \(torch\.nn\.modules\.linear\.Linear\)") as refused:
        read(tmp_path / "net.pt")
    assert f"torch.load('{tmp_path / 'net.pt'}'" in refused.value.hint
    assert "state_dict()" in refused.value.hint


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_a_traced_net_is_code_too(tmp_path):
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), tmp_path / "net.pt")
    with pytest.raises(BadOption, match="TorchScript"):
        read(tmp_path / "net.pt")


def test_half_a_file_is_refused_as_cut_short(file):
    path = file.with_name(f"half{file.suffix}")
    data = file.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadOption, match="cannot be read as weights"):
        read(path)


def test_the_reason_of_a_torn_file_ends_with_a_whole_sentence(tmp_path):
    """What torch says of half a zip file is longer than what is shown of it."""
    torch.save({f"layer{i}": torch.randn(64, 64) for i in range(20)}, tmp_path / "whole.pth")
    data = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(data[: len(data) // 2])
    with pytest.raises(
        BadOption, match=r"failed finding central directory\. This is an internal miniz error\)\.\n"
    ) as torn:
        read(tmp_path / "half.pth")
    assert torn.value.hint == "Fetch it again, or take a .safetensors file."


def test_a_reason_without_a_sentence_is_cut_between_words():
    assert reason(ValueError("word " * 100)) == "word " * 39 + "word (and so on)"
    assert reason(ValueError()) == "ValueError"
    assert reason(OSError("One.\n  Two.")) == "One. Two"


def test_what_holds_no_weights_is_refused(tmp_path):
    with pytest.raises(MissingModel, match="no file"):
        read(tmp_path / "nowhere.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(BadOption, match="cannot be read"):
        read(tmp_path / "cut.safetensors")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(BadOption, match=r"no weights by name \(epoch\)"):
        read(tmp_path / "none.pth")


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_bare_pickle_with_a_payload_is_named_for_what_it_would_call(tmp_path, protocol):
    path = tmp_path / "bare.pth"
    path.write_bytes(pickle.dumps(Payload(tmp_path / "ran"), protocol))
    with pytest.raises(BadOption, match=r"more than tensors \((posix|nt)\.mkdir\)") as refused:
        read(path)
    assert "do not open it anywhere" in refused.value.hint
    assert not (tmp_path / "ran").exists()


def test_a_file_is_read_by_what_it_holds_whatever_its_name_ends_in(tmp_path, weights):
    save_file({key: t.clone() for key, t in weights.items()}, tmp_path / "safe.pth")
    torch.save(weights, tmp_path / "torch.safetensors")
    for name in ("safe.pth", "torch.safetensors"):
        (stored,) = read(tmp_path / name)
        assert stored.tensors.keys() == weights.keys()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"weights: later", "neither safetensors nor what torch.save writes"),
        (b"", "neither safetensors nor what torch.save writes"),
    ],
)
def test_a_file_that_is_something_else_is_called_what_it_is(tmp_path, content, what):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(BadOption, match=what):
        read(path)
