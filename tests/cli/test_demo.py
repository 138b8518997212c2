"""The demo: the whole path, and what is learnt on it, by epochs and a seed, whatever else the machine does."""

import json
import tomllib

import pytest


@pytest.mark.slow
def test_the_demo_learns_by_epochs_and_by_its_seed(ferdata, tmp_path):
    ran = ferdata("demo", "--json")
    assert ran.code == 0, ran
    report = json.loads(ran.out)["report"]
    assert report["accuracy"] >= 0.65
    assert report["accuracy"] > 2 * report["baseline"]["majority_share"]
    folder = tmp_path / "demo" / "runs" / "demo"
    options = tomllib.loads((folder / "config.toml").read_text())["options"]
    assert (options.get("time_limit"), options["epochs"], options["seed"]) == (None, 20, 0)
    assert (folder / "card.md").is_file()
