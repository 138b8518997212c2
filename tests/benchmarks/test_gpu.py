"""`benchmarks/gpu.sh` from a fresh clone, in a rehearsal on the processor, with what a bare GPU machine has alone."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

# What is on such a machine; with each comes what it needs itself. Nothing else may be imported, but what is brought.
BARE = (
    *("torch", "torchvision", "timm", "pyarrow", "pandas", "opencv-python-headless", "rich", "click", "safetensors"),
    *("scikit-learn", "matplotlib", "tensorboard", "torchmetrics"),
)
OURS = {"ferdata", "zoo"}
HOOK = """
import pathlib, sys

HIDDEN, SITE = set({hidden!r}), pathlib.Path({site!r})

class Bare:  # around each finder: what is hidden is not there
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if path is None and name in HIDDEN and not any(SITE.glob(name + "*")):
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Bare(finder) for finder in sys.meta_path]
"""


def with_needs(names):
    """The named distributions and all that they need, under this Python, as far as they are installed."""
    found, waiting = set(), [canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # another platform's
            continue
        found.add(name)
        waiting += [canonical(re.match(r"[\w.-]+", need)[0]) for need in needs if "extra ==" not in need]
    return found


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone of the checkout as it is, prepared, and the environment of a bare machine."""
    folder = tmp_path_factory.mktemp("fresh")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        if (REPOSITORY / name).is_file():
            target = folder / "clone" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((REPOSITORY / name).read_bytes())
            target.chmod((REPOSITORY / name).stat().st_mode)
    env = {**os.environ, "PYTHON": sys.executable}
    command = ["benchmarks/gpu.sh", "prepare"]
    done = subprocess.run(command, cwd=folder / "clone", env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = with_needs(BARE)
    owners = importlib.metadata.packages_distributions()
    hidden = [name for name, held in owners.items() if not {canonical(d) for d in held} & kept]
    (folder / "hook").mkdir()
    hook = HOOK.format(hidden=sorted(set(hidden) - OURS), site=str(folder / "clone" / ".gpu" / "site"))
    (folder / "hook" / "sitecustomize.py").write_text(hook)
    return folder / "clone", {**env, "PYTHONPATH": str(folder / "hook"), "OUT": str(folder / "out")}


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_a_rehearsal_runs_every_part_with_what_a_bare_machine_has(clone, tmp_path):
    checkout, env = clone
    for name in ("hypothesis", "albumentations", "xgboost", "onnx", "fiftyone"):
        command = [sys.executable, "-c", f"import {name}"]
        assert subprocess.run(command, env=env, capture_output=True, check=False).returncode == 1
    for name in ("lightning_fabric", "platformdirs"):  # brought, and nowhere else to be found
        assert (checkout / ".gpu" / "site" / name / "__init__.py").is_file()
    command = ["benchmarks/gpu.sh", "--device", "cpu", "--tiny"]
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    out = checkout.parent / "out"
    speed, learnt = rows(out / "speed.jsonl"), rows(out / "learn.jsonl")
    assert [row for row in speed + learnt if "why" in row] == []
    nets = ["resnet_fer", "resnet18", "resnet18", "efficientnet_b0", "mobilenetv3_large_100"]
    assert [row["net"] for row in speed] == nets
    assert all(row["share"] == pytest.approx(row["ours"] / row["cached"]) for row in speed)
    assert all(row["times"] == pytest.approx(row["ours"] / row["usual"]) for row in speed)
    assert [row["run"] for row in learnt] == ["default", "vgg13"]
    for row in learnt:
        kept = json.loads((out / f"{row['run']}.json").read_text(encoding="utf-8"))
        assert row["test"] == 100 * kept["report"]["accuracy"]
        assert len(kept["history"]) == 1
    assert re.search(r"\d+ passed", (out / "tests.txt").read_text(encoding="utf-8"))
    assert "Not run on a GPU" in done.stdout
    assert len([path for path in out.rglob("*") if path.is_file()]) <= 8


@pytest.mark.slow
def test_a_part_that_fails_is_named_and_the_others_run(clone, tmp_path):
    checkout, env = clone
    broken = tmp_path / "hook"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text("import sys\nsys.modules['timm.optim.muon'] = None\n")
    env = {**env, "PYTHONPATH": str(broken), "OUT": str(tmp_path / "out")}
    command = ["benchmarks/gpu.sh", "--device", "cpu", "--tiny", "--only", "speed,learn"]
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Failed: speed learn." in done.stdout
    assert "== learn ended with 1" in done.stdout


def test_an_option_that_there_is_not_shows_what_there_is():
    command = ["benchmarks/gpu.sh", "--quickly"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--tiny" in done.stderr
    assert "prepare [FERPLUS]" in done.stderr
