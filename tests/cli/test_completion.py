"""What the Tab key offers, as the shells ask for it, and how fast."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ferdata.cli.completion import SHELLS, make
from ferdata.cli.completion.kept import FILE
from tests.test_architecture import HEAVY


def offered(line: str) -> list[str]:
    """What `ferdata LINE<Tab>` offers in bash: words, or the kind of path that the shell itself completes."""
    words = f"ferdata {line}"
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_FERDATA_COMPLETE": "bash_complete"}
    command = [sys.executable, "-m", "ferdata.cli"]
    ran = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return [word.removeprefix("plain,") for word in ran.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("ing", ["ingest"]),
        ("ingest kag", ["kaggle_face_expression"]),
        ("ingest csv --label-c", ["--label-column"]),
        ("datasets show raf", ["rafd", "rafdb"]),
        ("datasets get kd", ["kdef"]),
        ("zoo show resnet_f", ["resnet_fer"]),
        ("zoo recipes khai", ["khaireddin"]),
        ("train --backbone tf_efficientnetv2_b", [f"tf_efficientnetv2_b{i}" for i in range(4)]),
        ("train --recipe auto", ["auto-fernet"]),
        ("train --recipe runs/fi", ["file,runs/fi"]),
        ("train --manifest m", ["file,m"]),
        ("train --set head_w", ["head_widths="]),
        ("train --loss fo", ["focal"]),
        ("train --opti", ["--optimizer"]),
        ("train --optimizer adamw", None),
        ("audit --fail-on leak,blu", ["leak,blurred"]),
        ("stats m.parquet --by datas", ["dataset"]),
        ("merge m.parquet --taxonomy basic7", ["basic7"]),
        ("review pu", ["pull"]),
        ("review m.parquet --pre", ["--predictions"]),
        ("completion f", ["fish"]),
        ("no_such_command x", None),
    ],
)  # fmt: skip
def test_the_tab_key_completes(line: str, some: list[str] | None) -> None:
    found = offered(line)
    assert found, line
    if some is not None:
        assert sorted(found) == sorted(some)


def test_a_completion_loads_no_command_and_no_heavy_library() -> None:
    """So that it takes a tenth of a second, where the command itself takes seconds to load torch."""
    code = (
        "import json, sys\nfrom ferdata.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    for line in ("train --backbone res", "train --recipe k", "audit --fail-on b", "datasets show r"):
        asked = {"COMP_WORDS": f"ferdata {line}", "COMP_CWORD": "3", "_FERDATA_COMPLETE": "bash_complete"}
        ran = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=True
        )
        assert ran.stdout.startswith("plain,"), line
        loaded = set(json.loads(ran.stderr.splitlines()[-1]))
        assert loaded & {*HEAVY, "numpy", "ferdata.cli.train", "ferdata.cli.audit"} == set(), line


def test_where_torch_is_not_installed_nothing_is_offered_and_nothing_said() -> None:
    code = "import sys\nsys.modules['torch'] = None\nfrom ferdata.cli import main\nmain()"
    asked = {"COMP_WORDS": "ferdata train --recipe k", "COMP_CWORD": "3", "_FERDATA_COMPLETE": "bash_complete"}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=True)
    assert (ran.stdout.strip(), ran.stderr) in (("", ""), ("file,k", ""))


def test_what_is_kept_for_the_tab_key_is_what_the_commands_take() -> None:
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    assert kept == make.told(), "python -m ferdata.cli.completion.make writes it anew"


def test_every_list_is_some_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    used = set()

    def noted(path: str, parameter: object) -> dict[str, object]:
        used.update((f"{path} {parameter.name}", parameter.name))  # type: ignore[attr-defined]
        return {}

    monkeypatch.setattr(make, "_parameter", noted)
    make.told()
    assert {*make.LISTS, *make.WORDS, *make.COMMAS} - used == set()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_each_shell_is_one_that_it_takes(shell: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ferdata.cli", "completion", shell]
    script = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"_FERDATA_COMPLETE={shell}_complete" in script
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([program, "-n", tmp_path / "script"], check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_the_name_of_a_dataset(tmp_path: Path) -> None:
    program = tmp_path / "ferdata"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ferdata.cli "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(ferdata completion bash)"\n'
        "COMP_WORDS=(ferdata datasets show ckp) COMP_CWORD=3\n"
        '_ferdata_completion ferdata ckp show\necho "${COMPREPLY[@]}"'
    )
    where = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(["bash", "-c", script], env=where, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "ckplus"


def test_without_a_shell_it_is_said_how_to_switch_it_on() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ferdata.cli", "completion"], capture_output=True, text=True, check=True
    )
    assert """echo 'eval "$(ferdata completion bash)"' >> ~/.bashrc""" in ran.stdout
    assert [shell for shell in SHELLS if f"ferdata completion {shell}" not in ran.stdout] == []
