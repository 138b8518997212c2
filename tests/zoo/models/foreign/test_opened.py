"""A file is opened by what it is: graphs are read, and what would run code, or is no model, is refused by its kind."""

import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from ferdata.errors import BadOption, MissingModel
from tests.zoo.strangers import stranger
from zoo.models.foreign import opened


class Evil:
    ran = False

    def __reduce__(self):
        return exec, ("from tests.zoo.models.foreign.test_opened import Evil; Evil.ran = True",)


def refused(path, kind=BadOption):
    """Open a file as adopt does; return the error."""
    with pytest.raises(kind) as found:
        opened.runner(*opened.read(path), str(path))
    assert found.value.hint
    return found.value


def test_an_onnx_file_is_known_by_what_it_holds_whatever_its_name(tmp_path):
    path = stranger(tmp_path / "net.bin")
    kind, data = opened.read(path)
    assert (kind, data) == ("onnx", path.read_bytes())
    assert opened.runner(kind, data, "net.bin").signature.shape == (None, 3, 16, 16)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_is_refused_and_how_it_becomes_onnx_is_said(tmp_path):
    for name in ("net.pt", "net.onnx"):
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / name))
        error = refused(tmp_path / name)
        assert "is TorchScript, and opening it runs what is inside" in error.message
        assert "torch.onnx.export" in error.hint


def test_a_pickle_is_refused_and_never_opened(tmp_path):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / f"{protocol}.onnx").write_bytes(pickle.dumps(Evil(), protocol))
        assert "is a pickle" in refused(tmp_path / f"{protocol}.onnx").message
    torch.save(Evil(), tmp_path / "new.pth")
    torch.save(Evil(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("new.pth", "old.pth"):
        error = refused(tmp_path / name)
        assert "is a pickle" in error.message
        assert "weights_only=True" in error.hint
    assert not Evil.ran


def test_weights_without_a_net_are_refused_and_how_the_net_is_named_is_said(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "net.safetensors")
    error = refused(tmp_path / "net.safetensors")
    assert "holds weights (safetensors)" in error.message
    assert "ferdata adopt NAME --weights" in error.hint


def test_a_run_of_our_own_is_no_stranger(tmp_path):
    from tests.zoo.untaught import untaught

    run = untaught(tmp_path / "run")
    assert "is a run of your own" in refused(run, MissingModel).message
    assert "is a run of your own" in refused(run / "model.safetensors").message


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "is empty"),
        (b"\0" * 64, "is no ONNX file"),
        (b"classes = ['angry']\nsize = 48\n", "is no ONNX file"),
        (b"<!doctype html><html><head></head></html>", "is a web page"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "is a PNG picture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 34\n", "pointer of Git LFS"),
        (b"\x1f\x8b" + b"\0" * 64, "is a gzip archive"),
        (b"PK\3\4 and no more", "is a damaged archive"),
    ],
)
def test_what_is_no_model_is_said_to_be_what_it_is(data, word, tmp_path):
    (tmp_path / "net.onnx").write_bytes(data)
    assert word in refused(tmp_path / "net.onnx").message


def test_an_archive_of_other_things_a_folder_and_nothing_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        archive.writestr("net/readme.txt", "hello")
    assert "is a zip archive" in refused(tmp_path / "net.zip").message
    (tmp_path / "folder").mkdir()
    assert "is a folder" in refused(tmp_path / "folder", MissingModel).message
    (tmp_path / "folder" / "saved_model.pb").touch()
    error = refused(tmp_path / "folder", MissingModel)
    assert "SavedModel of TensorFlow" in error.message
    assert "tf2onnx" in error.hint
    stranger(tmp_path / "net.onnx")
    error = refused(tmp_path / "nett.onnx", MissingModel)
    assert "is not there" in error.message
    assert f"Did you mean {tmp_path / 'net.onnx'}?" in error.hint


def test_a_pipe_is_not_waited_on(tmp_path):
    import os

    os.mkfifo(tmp_path / "net.onnx")
    assert "is no plain file" in refused(tmp_path / "net.onnx", MissingModel).message
