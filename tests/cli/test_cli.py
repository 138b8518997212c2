"""The command line: exit codes, hints, twins of the functions, one JSON document, nothing heavy for --help."""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from ferdata.cli import COMMANDS, cli
from ferdata.errors import FerdataError
from tests.conftest import MakeManifest, Ran
from tests.fakes import face, layouts, save

Run = Callable[..., Ran]


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    return {name: cli.get_command(context, name) for name in COMMANDS}


TWINS = {
    "align": "ferdata.steps.align:align",
    "split": "ferdata.steps.split:split",
    "stats": "ferdata.steps.stats:stats",
    "merge": "ferdata.steps.merge:merge",
    "validate": "ferdata.steps.validate:validate",
    "share": "ferdata.steps.share:share",
    "rehydrate": "ferdata.steps.rehydrate:rehydrate",
    "publish": "ferdata.steps.publish:publish",
    "pack": "ferdata.steps.pack:pack",
    "augment": "zoo.augment.contact_sheet:sheet",
    "train": "zoo.training.train:train",
    "evaluate": "zoo.evaluation.evaluate:evaluate",
    "adopt": "zoo.deploy.adopt:adopt",
    "doubt": "ferdata.steps.doubt:doubt",
    "compare": "zoo.evaluation.compare:compare",
    "ablate": "zoo.experiments.ablation:ablate",
    "matrix": "zoo.experiments.matrix:matrix",
    "predict": "zoo.deploy.predict:predict",
    "export": "zoo.deploy.onnx_export:export",
}
NOT_OPTIONS = {
    "accuracy",
    "dataset",
    "folds",
    "manifest",
    "share",
    "manifests",
    "run",
    "runs",
    "paths",
    "say",
    "roots",
    "options",
    "begun",
    "page",
    "port",
}


@pytest.mark.parametrize("name", TWINS)
def test_a_command_has_the_options_of_the_function_it_is_the_twin_of(name: str) -> None:
    import importlib

    module, function = TWINS[name].split(":")
    twin = getattr(importlib.import_module(module), function)
    parameters = {p: d.default for p, d in inspect.signature(twin).parameters.items() if p not in NOT_OPTIONS}
    options = {
        p.name: p.default for p in commands()[name].params if p.name not in NOT_OPTIONS | {"as_json", "show", "as_is"}
    }
    assert set(options) == set(parameters)
    for option, default in parameters.items():
        if default is not inspect.Parameter.empty and default is not None:
            assert options[option] == default, option


def test_ingest_of_each_dataset_has_the_shared_options_and_its_own() -> None:
    from ferdata.adapters import load, names
    from ferdata.steps.ingest import ingest

    shared = {p for p, d in inspect.signature(ingest).parameters.items() if d.kind is d.KEYWORD_ONLY}
    group = commands()["ingest"]
    assert isinstance(group, click.Group)
    for name in names():
        command = group.get_command(click.Context(group), name)
        assert command is not None
        source = load(name).SOURCE
        own = {option.name for option in source.options}
        others = set() if source.generic else {"known", "known_votes"}  # a published set is known by its name
        assert {p.name for p in command.params} == (shared - others) | own | {"as_json"}


@pytest.mark.parametrize(
    ("name", "twin", "own"),
    [
        ("open", "review:review", {"listing", "name", "force"}),
        ("pull", "pull:pull", set()),
        ("apply", "apply:apply", set()),
        ("export", "sheet:export", set()),
        ("import", "sheet:import_sheet", set()),
    ],
)
def test_each_command_of_review_has_the_options_of_its_function(name: str, twin: str, own: set[str]) -> None:
    import importlib

    module, function = twin.split(":")
    parameters = inspect.signature(getattr(importlib.import_module(f"ferdata.steps.{module}"), function)).parameters
    group = commands()["review"]
    assert isinstance(group, click.Group)
    options = {p.name: p.default for p in group.commands[name].params} | {}
    assert set(options) - own - {"as_json"} == set(parameters) - {"announce", "ask"}
    for option, default in options.items():
        if option in parameters and parameters[option].default not in (inspect.Parameter.empty, None, ()):
            assert default == parameters[option].default, option


def test_datasets_compare_has_the_options_of_its_function_and_a_net_in_place_of_features() -> None:
    from ferdata.steps.compare_datasets import compare_datasets

    twin = inspect.signature(compare_datasets).parameters
    group = commands()["datasets"]
    assert isinstance(group, click.Group)
    options = {p.name: p.default for p in group.commands["compare"].params}
    assert set(options) - {"manifests", "as_json", "net", "device"} == set(twin) - {"paths", "features"}
    assert (options["images"], options["seed"], options["pixels"]) == (2000, 0, True)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(ferdata: Run, name: str) -> None:
    ran = ferdata(name, "--help")
    assert ran.code == 0, ran
    assert f"ferdata {name}" in ran.out.split("Options:")[0].split("\n", 1)[1], ran


def test_every_option_of_every_command_says_what_it_does() -> None:
    for name, command in commands().items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)


def test_the_summary_of_a_command_is_not_longer_than_a_line(ferdata: Run) -> None:
    ran = ferdata("--help")
    assert ran.code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"  {name}" in ran.out
        assert text in ran.out


def test_help_lists_the_commands_by_what_they_are_for(ferdata: Run) -> None:
    listed = ferdata("--help").out.partition("Data:")[2].partition("Start here:")[0]
    headings = [line.strip(":") for line in listed.splitlines() if line and not line.startswith(" ")]
    assert headings == ["Quality", "Models", "This tool"]
    first_words = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line.strip()]
    assert first_words == list(COMMANDS)
    assert listed.index("  review ") < listed.index("Models:") < listed.index("  train ")
    assert max(map(len, listed.splitlines())) <= 80


def test_sizes_are_those_that_people_say(
    ferdata: Run, make_manifest: MakeManifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "cache"))
    assert ferdata("cache", "limit", "20GB").out == "The cache may hold 20 GB.\n"
    made = make_manifest(*({"native_label": "fear", "official_split": "train", "seed": seed} for seed in range(50)))
    assert "size     115.2 KB\n" in ferdata("pack", made).out  # 50 faces of 48 x 48 pixels
    assert "limit   20 GB\n" in ferdata("cache").out
    assert " KB" in ferdata("cache", "clear").out


def test_an_unknown_command_is_a_usage_error_that_names_the_close_ones(ferdata: Run) -> None:
    ran = ferdata("injest")
    assert ran.code == 2
    assert "Did you mean ingest" in ran.err


def test_our_errors_are_a_message_and_a_hint_on_stderr_without_traceback(ferdata: Run) -> None:
    ran = ferdata("show", "nowhere.parquet")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[0] == "Error: There is no file nowhere.parquet."
    assert "ferdata ingest" in ran.err
    assert "Traceback" not in ran.err


def test_a_dataset_that_is_not_there_exits_with_1_and_how_to_obtain_it(ferdata: Run) -> None:
    ran = ferdata("ingest", "rafdb")
    assert ran.code == 1
    assert "Who may have it" in ran.err
    assert "Where to put it: data/rafdb" in ran.err


def test_ingest_stats_merge_validate_show_on_one_dataset(ferdata: Run, tmp_path: Path) -> None:
    layouts()["ckplus", "ck48"](tmp_path)
    assert ferdata("ingest", "ckplus", "--root", ".", "-o", "ck.parquet").code == 0
    merged = ferdata("merge", "ck.parquet", "-o", "m.parquet")
    assert merged.code == 0, merged
    assert "30 in, 30 out" in merged.out
    assert ferdata("validate", "m.parquet", "--images").code == 0
    shown = ferdata("show", "m.parquet", "--columns")
    assert "merge taxonomy=basic8" in shown.out
    assert "ingest ckplus votes=majority" in shown.out
    stats = ferdata("stats", "m.parquet", "--plot", "b.png")
    assert stats.code == 0
    assert (tmp_path / "b.png").is_file()


@pytest.mark.parametrize("command", ["show", "stats", "validate"])
def test_json_is_one_document_on_stdout(ferdata: Run, make_manifest: MakeManifest, command: str) -> None:
    ran = ferdata(command, make_manifest({"native_label": "fear"}), "--json")
    assert ran.code == 0, ran
    assert isinstance(json.loads(ran.out), dict)


def test_ingest_and_merge_speak_json_too(ferdata: Run, tmp_path: Path) -> None:
    save(tmp_path / "d" / "fear" / "a.png", face(1))
    ran = ferdata("ingest", "folder", "--root", "d", "-o", "m.parquet", "--json")
    assert json.loads(ran.out)["rows"] == 1, ran
    assert json.loads(ferdata("merge", "m.parquet", "-o", "n.parquet", "--json").out)["rows"] == 1


def test_no_line_of_a_table_ends_in_blanks(ferdata: Run, make_manifest: MakeManifest) -> None:
    ran = ferdata("stats", make_manifest({"native_label": "fear"}))
    assert [line for line in ran.out.splitlines() if line != line.rstrip()] == []


def test_names_that_a_terminal_would_obey_are_written_out() -> None:
    from ferdata.cli.output import cell

    assert cell("a\nb\x1b[31m.png") == "a\\nb\\x1b[31m.png"
    assert cell("zufällig 😀") == "zufällig 😀"


def test_an_existing_output_is_refused_without_force(ferdata: Run, make_manifest: MakeManifest) -> None:
    path = make_manifest({"native_label": "fear"})
    assert ferdata("merge", path, "-o", "m.parquet").code == 0
    ran = ferdata("merge", path, "-o", "m.parquet")
    assert ran.code == 1
    assert "--force" in ran.err
    assert ferdata("merge", path, "-o", "m.parquet", "--force").code == 0


def test_a_bug_of_ours_keeps_its_traceback(ferdata: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ferdata.cli.show.show", bug)
    with pytest.raises(ZeroDivisionError):
        ferdata("show", "m.parquet")


def test_every_error_of_ours_survives_the_way_between_processes() -> None:
    import pickle

    for kind in FerdataError.__subclasses__():
        back = pickle.loads(pickle.dumps(kind("what", "do")))  # noqa: S301
        assert (type(back), back.message, back.hint) == (kind, "what", "do")


def test_our_warnings_are_notes_and_those_of_libraries_are_not_shown(
    make_manifest: MakeManifest, tmp_path: Path
) -> None:
    """In a process of its own, as `ferdata` starts: a cache that cannot be written costs a note, not a warning."""
    made = make_manifest(*({"native_label": "fear", "official_split": "train", "seed": i} for i in range(3)))
    (tmp_path / "file").write_text("in the way")
    code = (
        "import warnings\nfrom ferdata import cli\nfrom zoo.augment import contact_sheet\n"
        "drawn = contact_sheet._draw\n"
        "def loud(*given):\n    warnings.warn('of a library', RuntimeWarning)\n    return drawn(*given)\n"
        "contact_sheet._draw = loud\ncli.main()"
    )
    where = {**os.environ, "FERDATA_CACHE": str(tmp_path / "file" / "cache")}
    command = ["augment", str(made), "-o", str(tmp_path / "sheet.png")]

    def told(*options: str) -> str:
        asked = [sys.executable, *options, "-c", code, *command, "--force"]
        return subprocess.run(asked, capture_output=True, text=True, env=where, check=True).stderr

    quiet = told()
    assert quiet.startswith("Note: The cache ")
    assert "kept in memory for this run. Set a folder that you may write in: FERDATA_CACHE=" in quiet
    assert "cache clear" not in quiet
    assert "Warning" not in quiet
    assert "RuntimeWarning: of a library" in told("-W", "default")


def test_an_ingest_that_passes_over_what_a_stopped_one_left_says_so_in_a_line(
    ferdata: Callable[..., Ran], tmp_path: Path
) -> None:
    save(tmp_path / "data" / "happy" / "1.png", face(1))
    (tmp_path / ".m.parquet.resume").write_bytes(b"?")
    ran = ferdata("ingest", "folder", "--root", "data", "-o", "m.parquet")
    assert ran.code == 0
    assert ran.err.startswith("Note: An interrupted run left 0 rows for m.parquet")
    assert ran.err.count("\n") == 1
