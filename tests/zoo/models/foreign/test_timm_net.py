"""A net that timm builds is adopted with all of its own weights, and a run builds it again without a network."""

import json
from dataclasses import replace

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from ferdata.errors import BadOption, BrokenRun, MissingModel
from ferdata.images import encode_png
from tests.zoo.conftest import shape
from zoo.deploy.adopt import adopt
from zoo.models.load import load_model
from zoo.run.model_file import read_meta, write_tensors

NET = "mobilenetv3_small_050"
THREE = ("angry", "happy", "neutral")


def theirs(classes=3, seed=5, **arguments):
    torch.manual_seed(seed)
    return timm.create_model(NET, pretrained=False, num_classes=classes, **arguments).eval()


def seen(channels=3, size=64):
    return torch.rand(4, channels, size, size, generator=torch.Generator().manual_seed(2))


def said(run, x):
    net, meta = load_model(run / "model.safetensors")
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (meta.mean, meta.std))
    with torch.inference_mode():
        return net((x - mean) / std)


def expected(net, x, mean, std):
    mean, std = (torch.tensor(numbers).view(-1, 1, 1) for numbers in (mean, std))
    with torch.inference_mode():
        return net((x - mean) / std)


def test_a_folder_of_timms_form_says_all_there_is_to_say(tmp_path):
    net = theirs()
    labels = {"label_names": list(THREE)}
    timm.models.save_for_hf(net, tmp_path / "net", model_config=labels, safe_serialization=True)
    done = adopt(f"local-dir:{tmp_path / 'net'}", tmp_path / "run", size=64)
    assert done.card.classes == THREE
    assert done.classes == ("anger", "happiness", "neutral")
    assert (done.card.size, done.card.channels, done.card.output) == (64, 3, "logits")
    known = net.pretrained_cfg
    assert (done.card.mean, done.card.std) == (tuple(known["mean"]), tuple(known["std"]))
    assert torch.allclose(said(tmp_path / "run", seen()), expected(net, seen(), known["mean"], known["std"]), atol=1e-5)


def test_its_labels_by_number_are_read_in_the_order_of_the_numbers(tmp_path):
    timm.models.save_for_hf(theirs(), tmp_path / "net", safe_serialization=True)
    config = tmp_path / "net" / "config.json"
    known = json.loads(config.read_text())
    known["label_names"] = {"2": "neutral", "0": "angry", "1": "happy"}
    config.write_text(json.dumps(known))
    assert adopt(f"local-dir:{tmp_path / 'net'}", tmp_path / "run", size=64).card.classes == THREE


@pytest.mark.parametrize("prefix", ["", "module.", "model.backbone."])
def test_a_files_weights_fill_an_architecture_last_layer_included(prefix, tmp_path):
    net = theirs()
    save_file({f"{prefix}{name}": t.clone() for name, t in net.state_dict().items()}, tmp_path / "net.safetensors")
    done = adopt(NET, tmp_path / "run", weights=tmp_path / "net.safetensors", classes=THREE, size=64, pixels=(-1, 1))
    half = ((0.5,) * 3, (0.5,) * 3)
    assert torch.allclose(said(tmp_path / "run", seen()), expected(net, seen(), *half), atol=1e-5)
    assert done.card.file == "net.safetensors"
    assert read_meta(tmp_path / "run" / "model.safetensors").foreign["architecture"] == NET


def test_a_run_needs_neither_its_file_nor_its_folder_again(tmp_path):
    net = theirs(in_chans=1)
    torch.save({"state_dict": net.state_dict()}, tmp_path / "net.pth")
    adopt(NET, tmp_path / "run", weights=tmp_path / "net.pth", classes=THREE, size=64, channels=1, pixels=(0, 1))
    (tmp_path / "net.pth").unlink()
    (tmp_path / "run").rename(tmp_path / "moved")
    assert torch.allclose(said(tmp_path / "moved", seen(1)), expected(net, seen(1), (0.0,), (1.0,)), atol=1e-5)


def refused(tmp_path, model=NET, kind=BadOption, **options):
    with pytest.raises(kind) as found:
        adopt(model, tmp_path / "run", **{"pixels": (0, 1), "size": 64, **options})
    assert not (tmp_path / "run").exists()
    return found.value


def test_weights_that_do_not_fit_to_the_last_tensor_are_refused(tmp_path):
    file = tmp_path / "net.safetensors"
    save_file(theirs().state_dict(), file)
    error = refused(tmp_path, weights=file, classes=("a", "b", "c", "d"))
    assert "has 3 outputs, and there are 4 classes" in error.message
    grey = refused(tmp_path, weights=file, classes=THREE, channels=1)
    assert "conv_stem.weight is (16, 3, 3, 3) there and (16, 1, 3, 3) in the net" in grey.message
    other = refused(tmp_path, "resnet18", weights=file, classes=THREE)
    assert "is not of resnet18" in other.message
    whole = theirs().state_dict()
    save_file({name: t for name, t in whole.items() if not name.startswith("classifier")}, file)
    assert "has no classifier.weight" in refused(tmp_path, weights=file, classes=THREE).message
    save_file({**whole, "classifier.bias": torch.full((3,), torch.nan)}, file)
    assert "no numbers, in classifier.bias" in refused(tmp_path, weights=file, classes=THREE).message


def test_an_architecture_without_weights_and_names_that_nobody_has_are_refused(tmp_path):
    assert "--weights FILE" in refused(tmp_path, classes=THREE).hint
    save_file(theirs().state_dict(), tmp_path / "net.safetensors")
    error = refused(tmp_path, "mobilenetv3_smal_050", weights=tmp_path / "net.safetensors", classes=THREE)
    assert "mobilenetv3_small_050" in error.hint
    refused(tmp_path, f"local-dir:{tmp_path / 'gone'}", MissingModel, classes=THREE)
    refused(tmp_path, "mobilenetv3_smal_050", MissingModel, classes=THREE)  # without weights it is a file's name


def test_weights_beside_a_file_are_refused(tmp_path):
    from tests.zoo.strangers import stranger

    file = stranger(tmp_path / "net.onnx")
    assert "--weights goes with the name of a net" in refused(tmp_path, file, weights=file, size=16).message


def test_arguments_of_the_builder_in_a_configuration_or_a_run_are_refused(tmp_path):
    """They are somebody else's: they set up the net, and name no file that is read for it."""
    folder = tmp_path / "net"
    timm.models.save_for_hf(theirs(), folder, model_config={"label_names": list(THREE)}, safe_serialization=True)
    adopt(f"local-dir:{folder}", tmp_path / "good", size=64)
    known = json.loads((folder / "config.json").read_text())
    known["model_args"] = {"checkpoint_path": str(tmp_path / "secret.pth")}
    (folder / "config.json").write_text(json.dumps(known))
    assert "checkpoint_path" in refused(tmp_path, f"local-dir:{folder}").message
    path = tmp_path / "good" / "model.safetensors"
    meta = read_meta(path)
    for arguments in ({"checkpoint_path": "secret.pth"}, {"in_chans": 10**9}):
        evil = replace(meta, foreign={**meta.foreign, "arguments": arguments})
        write_tensors(tmp_path / "evil.safetensors", load_file(path), evil)
        with pytest.raises(BrokenRun, match=next(iter(arguments))):
            load_model(tmp_path / "evil.safetensors")


def test_it_is_judged_and_used_as_any_run(manifest_path, tmp_path):
    from zoo.deploy.predict import predict
    from zoo.evaluation.evaluate import evaluate

    save_file(theirs().state_dict(), tmp_path / "net.safetensors")
    adopt(NET, tmp_path / "run", weights=tmp_path / "net.safetensors", classes=THREE, size=32)
    told = evaluate(tmp_path / "run", manifest_path, bootstrap=10)
    assert told["protocol"]["table"]["classes_lacking"][:2] == ["surprise", "sadness"]
    (tmp_path / "face.png").write_bytes(encode_png(shape("anger", 1)))
    (face,) = predict(tmp_path / "run", [tmp_path / "face.png"], device="cpu")
    assert set(face.probabilities) == {"anger", "happiness", "neutral"}
