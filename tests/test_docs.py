"""The docs: dataset pages as the declarations make them, and the plug-in example installed for real."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.fakes import face, save


def test_the_dataset_pages_are_fresh() -> None:
    made = runpy.run_path(str(REPOSITORY / "docs" / "make_pages.py"))["pages"]()
    stale = [p.name for p, text in made.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    assert stale == [], "python docs/make_pages.py"
    there = set((REPOSITORY / "docs" / "datasets").glob("*.md"))
    assert there == set(made)


def test_the_picture_of_the_architecture_is_fresh() -> None:
    made = runpy.run_path(str(REPOSITORY / "docs" / "make_architecture.py"))
    drawn = (REPOSITORY / "docs" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == made["picture"](), "python docs/make_architecture.py"


def test_the_page_of_the_architecture_names_every_room_and_no_file_that_is_gone() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    rooms = runpy.run_path(str(REPOSITORY / "docs" / "make_architecture.py"))["WORDS"]
    assert [room for room in rooms if f"| `{room.partition('.')[2]}`" not in text] == []
    files = set(re.findall(r"`((?:ferdata|zoo|docs|tests)/[\w./-]+\.(?:py|toml|md|svg))", text))
    assert [n for n in sorted(files) if "NAME." not in n and not (REPOSITORY / n).is_file()] == []
    functions = re.findall(r"`((?:ferdata|zoo)/[\w/]+\.py)`: `(\w+)`", text)
    assert functions
    for file, name in functions:
        source = (REPOSITORY / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *(?:def|class) {name}\b", source, re.MULTILINE), f"{file} has no {name}"


def blocks(language: str) -> list[str]:
    text = (REPOSITORY / "docs" / "plug-ins.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_an_adapter_of_another_package_is_installed_and_used(tmp_path: Path) -> None:
    (module,), (project,) = blocks("python"), blocks("toml")
    assert len(module.splitlines()) <= 40
    package = tmp_path / "package"
    package.mkdir()
    (package / "labface.py").write_text(module)
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    (package / "pyproject.toml").write_text(build + project)
    site = tmp_path / "site"
    install = ["install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site), str(package)]
    done = subprocess.run([sys.executable, "-m", "pip", *install], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for i, name in enumerate(("P01/fear_1.png", "P01/joy_1.png", "P02/rest_1.png", "P02/odd_1.png")):
        save(tmp_path / "data" / name, face(i))
    code = f"import sys; sys.path.append({str(site)!r}); from ferdata.cli import run; sys.exit(run(sys.argv[1:]))"

    def ferdata(*arguments: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert "4 (3 labelled)" in ferdata("ingest", "labface", "--root", "data")
    assert "labface" in ferdata("datasets")
    assert "valid" in ferdata("validate", "manifests/labface.parquet", "--images")


def test_a_broken_plug_in_is_named_and_stops_nothing_else(tmp_path: Path) -> None:
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ferdata.adapters]\nbroken = nowhere_at_all\n")
    code = f"import sys; sys.path.append({str(tmp_path)!r}); from ferdata.cli import run; sys.exit(run(sys.argv[1:]))"

    def ferdata(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    used = ferdata("ingest", "broken", "--root", ".")
    assert used.returncode == 1
    assert "nowhere_at_all" in used.stderr
    assert "pip show broken" in used.stderr
    for command in (("datasets",), ("doctor",), ("ingest", "--help")):
        ran = ferdata(*command)
        assert ran.returncode in (0, 3), ran.stderr
        assert "rafdb" in ran.stdout, command
