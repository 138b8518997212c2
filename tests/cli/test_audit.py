"""`ferdata audit`: its options are those of the two functions that it joins; it exits with 3 on what it was told to."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from ferdata.auditing.catalogue import CATALOGUE
from ferdata.cli.audit import command
from ferdata.steps.audit import audit
from tests.conftest import MakeManifest, Ran

Run = Callable[..., Ran]
ITS_OWN = {"fit", "save_predictions", "as_json", "manifest"}


@pytest.fixture
def leaky(make_manifest: MakeManifest) -> Path:
    return make_manifest(
        {"seed": 1, "native_label": "anger", "official_split": "train"},
        {"seed": 1, "native_label": "anger", "official_split": "test"},
    )


def test_the_options_are_those_of_the_step_and_of_the_nets() -> None:
    from zoo.experiments.out_of_fold import out_of_fold

    declared = {p.name: p.default for p in command.params if p.name not in ITS_OWN}
    step = {n: p.default for n, p in inspect.signature(audit).parameters.items() if n != "manifest"}
    nets = inspect.signature(out_of_fold).parameters.items()
    nets_own = {n: p.default for n, p in nets if n not in ("manifest", "save", "roots", "say")}
    assert set(declared) == set(step) | set(nets_own)
    for name, default in {**step, **nets_own}.items():
        if default not in (None, ()):
            assert declared[name] == default, name


def test_the_help_names_every_finding_and_its_threshold(ferdata: Run) -> None:
    ran = ferdata("audit", "--help")
    for finding in CATALOGUE:
        assert f"{finding.name} " in ran.out
        assert f"{finding.threshold:g}" in ran.out


def test_it_exits_with_three_on_what_it_was_told_to_fail_on(ferdata: Run, leaky: Path) -> None:
    ran = ferdata("audit", leaky, "--fail-on", "leak,unreadable")
    assert ran.code == 3, ran
    assert "failed on" in ran.out
    assert ferdata("audit", leaky, "--fail-on", "unreadable").code == 0
    assert ferdata("audit", leaky).code == 0
    ran = ferdata("audit", leaky, "--fail-on", "leeks")
    assert ran.code == 1
    assert "leak" in ran.err


def test_json_is_one_document_with_every_finding(ferdata: Run, leaky: Path) -> None:
    ran = ferdata("audit", leaky, "--json", "-o", "out.parquet")
    found = {o["name"]: o for o in json.loads(ran.out)["findings"]}
    assert set(found) == {f.name for f in CATALOGUE}
    assert found["leak"]["count"] == 2
    assert found["suspect_label"]["of"] == 0


def test_what_comes_next_is_the_page_by_an_address_that_every_system_opens(ferdata: Run, leaky: Path) -> None:
    ran = ferdata("audit", leaky, "--report", "the page.html")
    address = ran.out.split("python -m webbrowser ")[1].split()[0]
    assert Path(url2pathname(urlsplit(address).path)).samefile("the page.html")


def test_two_sources_of_predictions_are_one_too_many(ferdata: Run, leaky: Path) -> None:
    ran = ferdata("audit", leaky, "--fit", "--predictions", "x.parquet")
    assert ran.code == 2
    assert "one of them" in ran.err
    assert ferdata("audit", leaky, "--save-predictions", "x.parquet").code == 2


def test_options_of_the_nets_are_refused_where_no_net_is_trained(ferdata: Run, leaky: Path) -> None:
    ran = ferdata("audit", leaky, "--recipe", "nosuch", "--set", "lr=1")
    assert ran.code == 2
    assert "--recipe, --set" in ran.err


def test_nothing_is_trained_for_options_that_cannot_work(ferdata: Run, leaky: Path) -> None:
    ran = ferdata("audit", leaky, "--fit", "--fail-on", "leeks")
    assert (ran.code, ran.out) == (1, ""), ran
