"""`ferdata adopt`: what is said on the command line reaches the run, and what was concluded is printed."""

import json
import re
import shlex

import click

from ferdata.cli import cli
from tests.conftest import REPOSITORY
from tests.zoo.strangers import stranger

SEVEN = "angry,disgust,fear,happy,sad,surprise,neutral"


def test_a_model_is_adopted_and_judged_in_two_commands(ferdata, make_manifest, tmp_path):
    faces = make_manifest(*({"native_label": word, "split": "test"} for word in ("anger", "fear", "neutral") * 3))
    stranger(tmp_path / "net.onnx", size=32)
    ran = ferdata("adopt", "net.onnx", "-o", "runs/theirs", "--classes", SEVEN, "--pixels", "-1,1", "--terms", "MIT")
    assert ran.code == 0, ran
    assert "input   32 x 32 px, RGB, -1..1, NCHW" in ran.out
    assert "Output detected: logits" in ran.out
    assert "Classes read: angry as anger" in ran.out
    assert "terms   MIT" in ran.out
    assert ran.out.strip().endswith("Next: ferdata evaluate runs/theirs --manifest M")
    ran = ferdata("evaluate", "runs/theirs", "--manifest", faces, "--bootstrap", 20)
    assert ran.code == 0, ran
    assert "adopted from net.onnx" in ran.out
    assert "trained on      not known, so that a leak cannot be excluded" in ran.out


def test_json_says_the_same(ferdata, tmp_path):
    stranger(tmp_path / "net.onnx", channels=1)
    ran = ferdata("adopt", "net.onnx", "-o", "runs/a", "--classes", SEVEN, "--mean", "0.5", "--std", "0.25", "--json")
    told = json.loads(ran.out)
    assert told["card"]["mean"] == [0.5]
    assert told["classes"][0] == "anger"


def test_a_card_of_ten_lines_says_all(ferdata, tmp_path):
    stranger(tmp_path / "net.onnx", channels=1, layout="NHWC")
    (tmp_path / "theirs.toml").write_text(
        f"classes = {json.dumps(SEVEN.split(','))}\npixels = [0, 1]\nlayout = 'NHWC'\n"
    )
    ran = ferdata("adopt", "net.onnx", "--card", "theirs.toml", "-o", "runs/a")
    assert ran.code == 0, ran
    assert "16 x 16 px, grey, 0..1, NHWC" in ran.out


def test_numbers_that_are_none_and_classes_that_lack_are_refused_in_a_sentence(ferdata, tmp_path):
    stranger(tmp_path / "net.onnx")
    ran = ferdata("adopt", "net.onnx", "-o", "runs/a", "--pixels", "0;1", "--classes", SEVEN)
    assert (ran.code, "--pixels" in ran.err) == (2, True), ran
    ran = ferdata("adopt", "net.onnx", "-o", "runs/a", "--pixels", "0,1")
    assert ran.code == 1, ran
    assert "Not known of net.onnx: its classes: --classes A,B,C in the order of its outputs" in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "runs").exists()


def test_the_commands_of_the_page_are_the_programs_own():
    page = (REPOSITORY / "docs" / "adopting.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    ferdata (.+)$", page, re.MULTILINE)
    assert sum(line.startswith("adopt ") for line in lines) >= 4
    for line in lines:
        name, *words = shlex.split(line)
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            command, words = command.get_command(click.Context(command), words[0]), words[1:]
        command.make_parser(click.Context(command)).parse_args(words)
