from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ferdata.errors import BadOption
from ferdata.manifest import Manifest
from zoo.data.rows import of_split, read_rows
from zoo.models.build import backbone
from zoo.options import recipes
from zoo.options.options import TrainConfig
from zoo.training import resolve
from zoo.training.optimizer import names

NONE = {"lr": None, "batch": None}


def test_named_options_come_before_set_before_the_recipe_before_the_defaults(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[options]\nlr = 0.3\nbatch = 32\nmomentum = 0.5\n")
    config = resolve.merge("m", str(file), ["batch=64", "ema=0.5"], {"ema": 0.9, "lr": None}, None)
    assert (config.lr, config.batch, config.momentum, config.ema, config.patience) == (0.3, 64, 0.5, 0.9, 20)
    assert config.manifest == "m"


def test_a_runs_config_is_a_recipe_that_gives_the_same_options_again(tmp_path):
    config = resolve.merge("m", "khaireddin", ["datasets=ferplus,ckplus", "head_widths=", "seed=4"], {}, None)
    (tmp_path / "config.toml").write_text(config.toml())
    assert resolve.merge("m", str(tmp_path / "config.toml"), (), {}, None) == config
    assert resolve.merge("m", str(tmp_path), (), {}, None) == config


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"pretrained": False}, (False, None, None)),
        ({"init": "runs/x"}, (False, None, "runs/x")),
        ({"weights": Path("w.pth")}, (False, "w.pth", None)),
        ({}, (True, None, None)),
    ],
)
def test_one_source_of_first_weights_takes_the_place_of_the_recipes(given, left):
    config = resolve.merge("m", "hsemotion", (), given, None)
    assert (config.pretrained, config.weights, config.init) == left


def test_every_recipe_merges():
    for name in recipes.names():
        assert resolve.merge("m", name, (), {}, None).manifest == "m"


def test_what_is_open_is_filled_in_by_backbone_images_and_batch(manifest_path):
    rows = read_rows(Manifest(manifest_path))
    where = of_split(rows, "crossentropy")

    def filled_in(config: TrainConfig) -> TrainConfig:
        return resolve.resolve_defaults(config, backbone("resnet_fer"), rows, where, None)

    filled = filled_in(TrainConfig(device="cpu"))
    assert (filled.size, filled.channels, filled.batch, filled.optimizer, filled.epochs) == (48, 1, 128, "muon", 30)
    assert filled.lr == filled.head_lr == 0.003
    half = filled_in(TrainConfig(device="cpu", batch=32, accumulate=2))
    assert half.lr == half.head_lr == pytest.approx(0.003 * 0.5**0.5)
    plain = filled_in(TrainConfig(device="cpu", batch=32, accumulate=2, optimizer="sgd"))
    assert plain.lr == pytest.approx(0.05 / 2)
    given = filled_in(TrainConfig(device="cpu", batch=32, lr=0.7))
    assert given.lr == 0.7
    other = filled_in(TrainConfig(device="cpu", optimizer="adamw"))
    assert other.lr == pytest.approx(1e-3)
    began = {"device": "cpu", "weights": "published.safetensors", "optimizer": "adamw", "unfreeze": "head"}
    head = filled_in(TrainConfig(**began))
    assert (head.lr, head.head_lr) == pytest.approx((1e-3, 1e-2))  # a head alone needs more than a net that is taught
    asked = filled_in(TrainConfig(**began, lr=0.7))
    assert asked.lr == asked.head_lr == 0.7
    every = filled_in(TrainConfig(**{**began, "unfreeze": "all"}))
    assert every.lr == every.head_lr
    limited = filled_in(TrainConfig(device="cpu", time_limit=60.0))
    assert limited.epochs == 60
    assert np.isfinite(filled.weight_decay)
    assert filled_in(filled) == filled


@pytest.mark.parametrize(
    ("optimizer", "times"),
    [("muon", 32**0.5), ("adamw", 32**0.5), ("rmsprop", 32**0.5), ("sgd", 32), ("momentum", 32), ("sgdw", 32)],
)
def test_a_large_batch_has_the_rate_that_its_optimizer_bears(optimizer, times):
    assert resolve.scaled(0.003, optimizer, 4096) == pytest.approx(0.003 * times)


def test_at_the_usual_batch_no_rate_moves():
    assert all(resolve.scaled(0.1, name, 128) == 0.1 for name in names())


def test_plain_are_the_forms_of_stochastic_gradient_descent_and_no_others():
    forms = {name for name in names() if "sgd" in name} | {"momentum", "nesterov", "nesterovw"}
    assert {name for name in names() if resolve.is_plain(name)} == forms
    assert not resolve.is_plain("not-an-optimizer")


def test_options_that_differ_on_resuming_are_all_named():
    before = TrainConfig(lr=0.1)
    resolve.check_same(before, before, Path("runs/x"))
    with pytest.raises(BadOption, match=r"seed \(was 0, now 1\)") as error:
        resolve.check_same(before, replace(before, lr=0.2, seed=1), Path("runs/x"))
    assert "lr (was 0.1, now 0.2)" in error.value.message
    merged = resolve.merge("m", "default", (), {"epochs": 9, **NONE}, replace(before, manifest="m"))
    assert (merged.lr, merged.epochs) == (0.1, 9)


def test_a_key_that_is_none_is_refused():
    with pytest.raises(BadOption, match="lrr"):
        resolve.merge("m", "default", ["lrr=1"], {}, None)


def test_an_idle_option_is_refused_where_it_was_asked_for_and_passed_over_where_a_recipe_brings_it(tmp_path):
    with pytest.raises(BadOption, match=r"focal_gamma=\.\.\. needs --loss focal"):
        resolve.merge("m", "default", ["focal_gamma=3"], {}, None)
    with pytest.raises(BadOption, match="--patience needs a --select"):
        resolve.merge("m", "default", (), {"patience": 5, "select": "last"}, None)
    assert resolve.merge("m", "default", ["focal_gamma=3"], {"loss": "focal"}, None).focal_gamma == 3
    file = tmp_path / "mine.toml"
    file.write_text('[options]\nloss = "focal"\n')
    assert resolve.merge("m", str(file), {"focal_gamma": 3}, {}, None).focal_gamma == 3
    file.write_text("[options]\nfocal_gamma = 4\n")
    assert resolve.merge("m", str(file), (), {"lr": 0.1}, None).focal_gamma == 4


def test_a_run_that_is_resumed_may_be_given_its_options_again():
    before = replace(TrainConfig(), schedule="plateau", head_lr=0.1, lr=0.1)
    given = ["schedule=plateau", "plateau_patience=2"]
    assert resolve.merge("m", "default", given, {}, before).plateau_patience == 2
    assert resolve.merge("m", "default", ["plateau_patience=2"], {}, before).plateau_patience == 2


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("weights", "/somewhere/w.pth"),
        ("weights", "w.safetensors"),
        ("init", "../another/run"),
        ("backbone", "hf-hub:owner/net"),
        ("backbone", "local-dir:/somewhere"),
    ],
)
def test_a_file_names_nothing_to_fetch_or_open_unless_the_command_says_so_too(tmp_path, key, place):
    file = tmp_path / "sent.toml"
    file.write_text(f'[options]\n{key} = "{place}"\n')
    with pytest.raises(BadOption, match=f"{key} names a .*'{place}', which a file may not") as caught:
        resolve.merge("m", str(file), (), {}, None)
    assert f"add --{key} {place} to the command" in caught.value.hint
    assert getattr(resolve.merge("m", str(file), (), {key: place}, None), key) == place
    assert getattr(resolve.merge("m", str(file), [f"{key}={place}"], {}, None), key) == place
    assert resolve.merge("m", str(file), (), {"backbone": "resnet18", "pretrained": True}, None).pretrained


@pytest.mark.parametrize("policy", ["/etc/mine.toml", "../mine.toml", "a/../../mine.toml", "/etc/passwd", "..\\\\mine"])
def test_a_file_names_no_policy_outside_its_folder(tmp_path, policy):
    file = tmp_path / "sent.toml"
    file.write_text(f'[options]\naugment = "{policy}"\n')
    with pytest.raises(BadOption, match=r"augment is .* leads out of the recipe's folder"):
        resolve.merge("m", str(file), (), {}, None)


@pytest.mark.parametrize(
    "option", ["force = true", 'address = "127.0.0.1:1"', 'out = "/x"', 'root = "/etc"', "workers = 8"]
)
def test_a_file_sets_options_of_a_run_and_no_others(tmp_path, option):
    file = tmp_path / "sent.toml"
    file.write_text(f"[options]\n{option}\n")
    with pytest.raises(BadOption, match="There is no option"):
        resolve.merge("m", str(file), (), {}, None)
