"""`ferdata group`: what it prints, what it exits with, what it refuses."""

import inspect
import json
from collections.abc import Callable

from ferdata.cli.group import command
from ferdata.manifest import Manifest
from ferdata.steps.group import group
from tests.conftest import MakeManifest, Ran


def test_the_groups_are_printed_and_written(ferdata: Callable[..., Ran], make_manifest: MakeManifest) -> None:
    path = make_manifest({"seed": 1}, {"seed": 1}, {"seed": 2})
    ran = ferdata("group", path, "-o", "out.parquet")
    assert ran.code == 0, ran
    assert "groups" in ran.out
    assert "2; the largest has 2 rows (made:0000)" in ran.out
    assert "1 groups of identical pictures, 2 images in them" in ran.out
    assert Manifest(path.parent / "out.parquet").table("group")["group"].to_pylist() == [0, 0, 1]


def test_without_an_output_it_reports_and_writes_nothing(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest
) -> None:
    path = make_manifest({"seed": 1}, {"seed": 1, "subject": "x"}, {"seed": 2, "subject": "x"})
    before = sorted(path.parent.iterdir())
    ran = ferdata("group", path, "--by", "subject", "--json")
    assert ran.code == 0, ran
    result = json.loads(ran.out)
    assert (result["groups"], result["by"], result["out"]) == (2, ["subject"], None)
    assert sorted(path.parent.iterdir()) == before


def test_a_leak_of_the_manifests_own_split_exits_with_3(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest
) -> None:
    path = make_manifest({"seed": 1, "split": "train"}, {"seed": 1, "split": "test"})
    ran = ferdata("group", path)
    assert ran.code == 3, ran
    assert "These groups leak" in ran.out


def test_an_unknown_reason_is_refused_with_those_there_are(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest
) -> None:
    ran = ferdata("group", make_manifest({}), "--by", "pixels,faces")
    assert ran.code == 2, ran
    assert "'faces' is not one of them. Choose one of pixels, near, subject, sequence" in " ".join(ran.err.split())


def test_the_self_test_prints_recall_and_precision_of_every_kind(
    ferdata: Callable[..., Ran], make_manifest: MakeManifest
) -> None:
    path = make_manifest(*({"seed": k} for k in range(8)))
    ran = ferdata("group", path, "--self-test")
    assert ran.code == 0, ran
    assert "mirrored" in ran.out
    assert "rotated by 10 degrees" in ran.out
    listed = json.loads(ferdata("group", path, "--self-test", "--json").out)
    assert {"kind", "planted", "found", "wrong"} <= set(listed["kinds"][0])


def test_the_command_has_the_options_of_the_function_it_is_the_twin_of_and_the_self_tests() -> None:
    parameters = {p: d.default for p, d in inspect.signature(group).parameters.items()}
    options = {p.name: p.default for p in command.params}
    assert set(options) == set(parameters) | {"planted", "seed", "as_json"}
    assert all(options[p] == default for p, default in parameters.items() if p in ("by", "thorough", "most", "force"))
