"""A name that is chosen from a list, and misspelt, is answered with the close one, wherever it is chosen."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from ferdata.cli import COMMANDS, cli
from ferdata.cli.options import Choice
from ferdata.errors import choose_one, close_names, did_you_mean
from tests.conftest import MakeManifest, Ran

Run = Callable[..., Ran]

LINES = [
    ("ingest raf_bd", "rafdb"),
    ("ingest FER2013x", "fer2013"),
    ("ingest csv --root . --image-column pth --table t.csv", "path"),
    ("ingest csv --root . --table trian=t.csv", "train"),
    ("ingest ferplus --images referense", "reference"),
    ("datasets show jafe", "jaffe"),
    ("datasets get kaggle_face", "kaggle_face_expression"),
    ("zoo show deep_emotions", "deep_emotion"),
    ("zoo show resnet18.a1_in1", "a1_in1k"),
    ("zoo recipes khairedin", "khaireddin"),
    ("zoo lst", "list"),
    ("stats m.parquet --by datset", "dataset"),
    ("stats m.parquet --votes majorty", "majority"),
    ("stats m.parquet --taxonomy basic6", "basic7"),
    ("stats m.parquet --taxonomy basic7:contemp=disgust", "contempt"),
    ("stats m.parquet --taxonomy basic7:contempt=disgst", "disgust"),
    ("stats m.parquet --format latx", "latex"),
    ("group m.parquet --by pixel", "pixels"),
    ("merge m.parquet -o n.parquet --conflicts dropp", "drop"),
    ("merge m.parquet -o n.parquet --conflicts first:maed", "made"),
    ("merge m.parquet -o n.parquet --cap feer=3", "fear"),
    ("merge m.parquet -o n.parquet --cap dataset:mode=3", "made"),
    ("merge m.parquet -o n.parquet --frozen ids.csv", "test"),
    ("audit m.parquet --fail-on leaks", "leak"),
    ("audit m.parquet --threshold blured=0.2", "blurred"),
    ("align m.parquet -o n.parquet --template arcfase", "arcface"),
    ("pack m.parquet --split tran", "train"),
    ("pack m.parquet --dataset mad", "made"),
    ("augment m.parquet --policy standart -o s.png", "standard"),
    ("augment m.parquet --set rotatoin=3 -o s.png", "rotation"),
    ("augment m.parquet --policy standart.toml -o s.png", "standard.toml"),
    ("train --manifest m.parquet --recipe deep_emotoin", "deep-emotion"),
    ("train --manifest m.parquet --set lrr=1", "lr"),
    ("train --manifest m.parquet --set loss=focall", "focal"),
    ("train --manifest m.parquet --loss focall", "focal"),
    ("train --manifest m.parquet --backbone resnet_ferr", "resnet_fer"),
    ("train --manifest m.parquet --optimizer adamww --select last --dry-run", "adamw"),
    ("train --manifest m.parquet --augment standart --dry-run", "standard"),
    ("train --manifest m.parquet --dataset mad --dry-run", "made"),
]


@pytest.mark.parametrize(("line", "meant"), LINES, ids=[line for line, _ in LINES])
def test_a_misspelt_name_is_answered_with_the_close_one(
    ferdata: Run, make_manifest: MakeManifest, tmp_path: Path, line: str, meant: str
) -> None:
    splits = ("train", "val", "test")
    made = [{"native_label": label, "official_split": split} for label in ("fear", "anger") for split in splits]
    make_manifest(*made, name="m")
    (tmp_path / "t.csv").write_text("path,label\na.png,fear\n")
    (tmp_path / "standard.toml").write_text("flip = 0.5\n")
    (tmp_path / "ids.csv").write_text("sample_id,split\nmade:0000,tets\n")
    ran = ferdata(*line.split())
    assert ran.code in (1, 2)
    said = ran.err.partition("Did you mean ")[2]
    assert meant in said.partition("?")[0].replace("'", "").split(" or "), ran


def commands(group: click.Command, path: str = "ferdata") -> Iterator[tuple[str, click.Command]]:
    yield path, group
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            inner = group.get_command(click.Context(group), name)
            assert inner is not None
            yield from commands(inner, f"{path} {name}")


def test_every_choice_of_every_command_answers_so() -> None:
    assert len(COMMANDS) > 20
    deaf = [
        f"{path} {parameter.name}"
        for path, command in commands(cli)
        for parameter in command.params
        if isinstance(parameter.type, click.Choice) and not isinstance(parameter.type, Choice)
    ]
    assert deaf == []


def test_capitals_and_hyphens_do_not_hide_a_name() -> None:
    assert close_names("FER-2013", ["ferplus", "fer2013", "rafdb"])[0] == "fer2013"
    assert did_you_mean("Oulu-CASIA", ["oulu_casia", "expw"]) == "Did you mean oulu_casia? "


def test_what_is_much_further_off_is_not_named_beside_the_close_one() -> None:
    assert did_you_mean("agument", ["augment", "momentum", "logit_adjustment"]) == "Did you mean augment? "
    assert did_you_mean("basic9", ["basic8", "basic7", "fer3"]) == "Did you mean basic8 or basic7? "


def test_where_nothing_is_close_all_names_are_told() -> None:
    assert choose_one("zzz", ["train", "val", "test"]) == "Choose one of train, val, test."
    assert choose_one("tset", ["train", "val", "test"]).startswith("Did you mean test? Choose one of train, ")
