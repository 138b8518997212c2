import json
from importlib import metadata
from pathlib import Path

import pytest
import timm

from ferdata.errors import FerdataWarning
from zoo.models import timm_nets
from zoo.models.describe import listing


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "vit_tiny_patch16_224", "mobilenetv3_small_100"])
def test_what_is_kept_of_a_net_is_what_the_built_one_has(name: str) -> None:
    kept = timm_nets.kept()[1][name]
    net = timm.create_model(name, num_classes=timm_nets.CLASSES, in_chans=kept.channels)
    assert kept.parameters == sum(p.numel() for p in net.parameters())
    config = timm.models.get_pretrained_cfg(name)
    assert (kept.channels, kept.size, kept.size) == config.input_size
    assert kept.pretrained == bool(config.has_weights)


def test_all_of_this_timms_nets_are_kept() -> None:
    version, nets = timm_nets.kept()
    assert version == timm.__version__, "python -m zoo.models.timm_nets counts this timm's"
    theirs = {name for name in timm.list_models() if timm.model_entrypoint(name).__module__.startswith("timm.")}
    assert set(nets) == theirs  # whatever nets of ours, or of a test, are registered beside them


def test_a_list_with_timms_nets_says_their_parameters_without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm, "list_models", lambda *_, **__: pytest.fail("timm was asked"))
    found = {entry.name: entry for entry in listing("efficientnet_b")}
    assert found["efficientnet_b0"].counted is not None
    assert (found["efficientnet_b0"].counted.parameters, found["efficientnet_b0"].counted.classes) == (4_016_515, 7)
    assert found["efficientnet_b0"].pretrained
    assert found["efficientnet_b0"].size == 224


def test_of_another_timm_only_what_it_says_itself_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "timm_nets.json"
    other.write_text(json.dumps({"timm": "0.0.1", "nets": {"resnet_of_old": [1, 2, 3, True]}}))
    monkeypatch.setattr(timm_nets, "FILE", other)
    timm_nets.kept.cache_clear()
    try:
        with pytest.warns(FerdataWarning, match=r"counted in timm 0\.0\.1"):
            found = {entry.name: entry for entry in listing("resnet18*")}
        assert found["resnet18"].counted is None
        assert found["resnet18"].pretrained
        assert "resnet_of_old" not in found
    finally:
        timm_nets.kept.cache_clear()


def test_a_timm_that_does_not_say_its_version_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert timm_nets.is_of_this_timm()

    def unknown(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", unknown)
    assert not timm_nets.is_of_this_timm()


@pytest.mark.slow
def test_a_net_is_counted_as_the_file_was_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names, kept = ["resnet18", "convnext_atto"], timm_nets.kept()[1]
    whole = timm.list_models
    monkeypatch.setattr(timm, "list_models", lambda *a, **k: whole(*a, **k) if a or k else names)
    monkeypatch.setattr(timm_nets, "FILE", tmp_path / "timm_nets.json")
    timm_nets.main()
    made = json.loads((tmp_path / "timm_nets.json").read_text())
    assert made["timm"] == timm.__version__
    assert {name: timm_nets.Known(*net) for name, net in made["nets"].items()} == {name: kept[name] for name in names}
