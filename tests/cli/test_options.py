"""An option that would do nothing in the way a command is asked to run is refused, and what it is for is said."""

import re
from collections.abc import Callable

import pytest

from tests.conftest import Ran
from zoo.options.options import KEYS

NAMED = set(KEYS) - {"manifest"}

IDLE = [
    ("group m.parquet --seed 3", "--seed", "add --self-test"),
    ("group m.parquet --self-test -o out.parquet", "--out", "writes nothing"),
    ("group m.parquet --self-test --by pixels --most 0.5", "--by, --most", "plants copies"),
    ("group m.parquet --force", "--force", "add --out"),
    ("group m.parquet --by pixels --thorough", "--thorough", "add near to --by"),
    ("merge m.parquet -o out.parquet --by pixels,subject --workers 2", "--workers", "add near to --by"),
    ("merge m.parquet -o out.parquet --frozen ids.csv --seed 0", "--seed", "no effect with --frozen"),
    ("split m.parquet -o out.parquet --frozen ids.csv --seed 3", "--seed", "no effect with --frozen"),
    ("audit m.parquet --epochs 3 --set lr=1", "--epochs, --set", "add --fit"),
    ("audit m.parquet --thumbnails 3", "--thumbnails", "add --out or --report"),
    ("audit m.parquet --no-pixels --workers 2", "--workers", "--no-pixels"),
    ("stats m.parquet --json --format latex", "--format", "--json"),
    ("evaluate run --force", "--force", "without --save"),
    ("predict run face.png --port 80", "--port", "of --serve alone"),
    ("predict run face.png --force", "--force", "table of --out"),
    ("predict run --serve --every 3", "--every", "the page takes no video file"),
]


@pytest.mark.parametrize(("line", "options", "why"), IDLE, ids=[line for line, _, _ in IDLE])
def test_an_option_that_would_do_nothing_is_refused(
    ferdata: Callable[..., Ran], line: str, options: str, why: str
) -> None:
    ran = ferdata(*line.split())
    assert ran.code == 2
    said = " ".join(re.sub("[│╭╮╰╯─]", " ", ran.err).split())
    assert f"{options}: " in said
    assert why in said


def test_an_option_of_train_that_is_not_given_leaves_the_recipes_alone() -> None:
    """A switch among them too: taken for off, it would train from scratch whatever the recipe says."""
    from ferdata.cli.train import command

    given = command.make_context("train", ["--manifest", "m.parquet"]).params
    assert {name: given[name] for name in NAMED if name in given and given[name] not in (None, ())} == {}
    switches = {"pretrained", "compile", "allow_leak", "trust_files"}
    assert switches <= NAMED & set(given)
    for switch, value in (("--pretrained", True), ("--from-scratch", False)):
        assert command.make_context("train", ["--manifest", "m.parquet", switch]).params["pretrained"] is value
