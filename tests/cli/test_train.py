import json
import re
import tomllib

import pytest

from ferdata.images import encode_png
from tests.zoo.conftest import shape, shape_rows, write_shapes

QUICK = ("--size", 32, "--batch", 16, "--epochs", 2, "--augment", "light", "--device", "cpu")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return write_shapes(tmp_path_factory.mktemp("manifest") / "shapes.parquet", shape_rows())


def test_train_evaluate_and_predict_one_after_the_other(ferdata, drawn, tmp_path):
    ran = ferdata("train", "--manifest", drawn, *QUICK)
    assert ran.code == 0, ran
    assert len(re.findall(r"^epoch ", ran.out, re.MULTILINE)) == 2
    for word in (
        "accuracy",
        "macro-F1",
        "95 % interval",
        *(f"/{name}.png" for name in ("curves", "confusion", "classes", "reliability", "roc")),
        "tensorboard --logdir runs\n",
        "ferdata evaluate runs/s",
    ):
        assert word in ran.out

    scored = ferdata("evaluate", "runs/shapes-resnet_fer")
    assert scored.code == 0, scored
    assert "surprise" in scored.out
    figure = re.compile(r"^accuracy.*$", re.MULTILINE)
    assert figure.search(scored.out)[0] == figure.search(ran.out)[0]

    picture = tmp_path / "face.png"
    picture.write_bytes(encode_png(shape("surprise", 5000)))
    predicted = ferdata("predict", "runs/shapes-resnet_fer", picture, drawn)
    assert predicted.code == 0, predicted
    assert "unread    1, in whole or in part\nfaces     1: " in predicted.out
    assert "not read" in predicted.err
    assert ferdata("predict", "runs/shapes-resnet_fer", drawn).code == 1  # nothing could be read


def test_json_is_one_document_and_epochs_go_to_stderr(ferdata, drawn):
    ran = ferdata("train", "--manifest", drawn, *QUICK, "-o", "run", "--json", "--time-limit", "24h")
    assert json.loads(ran.out)["n"] == 48
    assert "epoch   1" in ran.err
    assert json.loads(ferdata("evaluate", "run", "--json").out)["n"] == 48
    assert json.loads(ferdata("predict", "run", "none.png", "--json").out)[0]["label"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--backbone", "resnet_ferr"), 1, "Did you mean resnet_fer"),
        (("--time-limit", "soon"), 2, "is no time"),
        (("--targets", "fuzzy"), 2, "crossentropy"),
        (("--dataset", "nowhere"), 1, "no dataset nowhere"),
        (("--backbone", "alexnet", "--size", 32), 1, "The smallest that works is"),
    ],
)
def test_what_cannot_work_is_refused_with_a_word_on_what_can(ferdata, drawn, arguments, code, words):
    ran = ferdata("train", "--manifest", drawn, *arguments)
    assert ran.code == code
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_ctrl_c_says_how_the_run_stands(ferdata, drawn, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("zoo.training.loop.learn_epoch", stop)
        ran = ferdata("train", "--manifest", drawn, *QUICK, "-o", "run")
    assert ran.code == 130
    assert "not validated" in ran.err
    assert "Continue with: ferdata train --manifest " in ran.err
    assert f"{drawn.name} --out run --resume" in ran.err
    assert ferdata("train", "--manifest", drawn, *QUICK, "-o", "run").code == 1
    assert ferdata("train", "--manifest", drawn, "-o", "run", "--resume").code == 0


def test_a_dry_run_prints_what_a_run_would_take_and_writes_nothing(ferdata, drawn, tmp_path):
    ran = ferdata("train", "--manifest", drawn, *QUICK, "-o", "dry", "--dry-run")
    assert ran.code == 0, ran
    for word in ("128 train, 40 val, 48 test", "a step", "an epoch", "the whole", "memory", "Val has 40 images"):
        assert word in ran.out
    assert " for 2 epochs at the most" in ran.out
    once = ferdata("train", "--manifest", drawn, *QUICK, "--epochs", 1, "-o", "dry", "--dry-run")
    assert " for 1 epoch at the most" in once.out
    assert not (tmp_path / "dry").exists()
    told = json.loads(ferdata("train", "--manifest", drawn, *QUICK, "-o", "dry", "--dry-run", "--json").out)
    assert told["dry_run"]
    assert told["seconds_per_epoch"] > 0


def test_set_and_recipe_reach_the_run_and_named_options_come_last(ferdata, drawn, tmp_path):
    arguments = ("--set", "lr=0.02", "--set", "batch=8", "--recipe", "default", "-o", "run")
    assert ferdata("train", "--manifest", drawn, *QUICK, *arguments).code == 0
    options = tomllib.loads((tmp_path / "run" / "config.toml").read_text())["options"]
    assert (options["lr"], options["batch"]) == (0.02, 16)
    ran = ferdata("train", "--manifest", drawn, "--set", "lrr=1", "-o", "other")
    assert ran.code == 1
    assert "Did you mean lr" in ran.err
    again = ferdata("train", "--manifest", drawn, "--recipe", "run/config.toml", "-o", "again", "--epochs", 1)
    assert again.code == 0, again
    assert tomllib.loads((tmp_path / "again" / "config.toml").read_text())["options"]["lr"] == 0.02


def test_help_lists_the_options_under_headings(ferdata):
    out = ferdata("train", "--help").out
    headings = ("Data and output", "Recipe", "Network and initial weights", "Optimisation", "This command")
    places = [out.index(f"\n{heading}") for heading in headings]
    assert places == sorted(places)
    assert "[default: one_cycle]" in out


def test_a_leaky_manifest_ends_with_the_merge_command(ferdata, tmp_path):
    rows = shape_rows()
    rows[-1]["group"] = rows[0]["group"]
    path = write_shapes(tmp_path / "leaky.parquet", rows)
    ran = ferdata("train", "--manifest", path, *QUICK)
    assert ran.code == 1
    assert f"ferdata merge {path}" in ran.err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("600", 600)])
def test_times_are_given_as_people_write_them(text, seconds):
    from ferdata.cli.train import Duration

    assert Duration().convert(text, None, None) == seconds


def test_every_parameter_of_train_has_an_option(ferdata):
    import inspect

    from ferdata.cli.train import command
    from zoo.training.train import train

    options = {parameter.name for parameter in command.params} - {"as_json", "folds", "as_is"}
    # `say` is a function; roots are named by FERDATA_ROOT_<NAME>; `begun` is the moment at which the command began.
    assert options == set(inspect.signature(train).parameters) - {"say", "roots", "begun"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--manifest", "m", "--folds", "all", "--resume"), "--resume: --folds all goes on by itself"),
        (("train", "--manifest", "m", "--resume", "--force"), "--force: what --resume goes on with"),
        (("train", "--manifest", "m", "--select", "last", "--patience", 3), "--patience: under --select last"),
        (("evaluate", "run", "--force"), "--force: nothing is written without --save"),
        (("predict", "run", "a.png", "--port", 8000), "--port: for the page of --serve alone"),
        (("predict", "run", "a.png", "--force"), "--force: it replaces the table of --out"),
        (("predict", "run", "--serve", "--every", 2, "--force"), "--every, --force: the page takes no video file"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused_by_name(ferdata, arguments, words):
    ran = ferdata(*arguments)
    assert (ran.code, words in ran.err) == (2, True), ran
