"""The wheel alone, in an environment of its own: the data half works without torch and without this checkout."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow
NO_NETWORK = ("NewConnectionError", "Temporary failure in name resolution", "Max retries exceeded", "ProxyError")


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FERDATA_", "COVERAGE"))}
    return subprocess.run(command, cwd=cwd, env=quiet, capture_output=True, text=True, check=False, timeout=900)


@pytest.fixture(scope="module")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it, with no extra, where nothing else is."""
    place = tmp_path_factory.mktemp("wheel")
    build = ("-m", "build", "--wheel", "--no-isolation", "--outdir", str(place), str(REPOSITORY))
    built = run(sys.executable, *build, cwd=place)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = place.glob("ferdata-*.whl")
    venv.create(place / "clean", with_pip=True)
    folder = place / "clean" / ("Scripts" if os.name == "nt" else "bin")
    constraints = str(REPOSITORY / "constraints.txt")
    done = run(folder / "python", "-m", "pip", "install", "-q", "-c", constraints, str(wheel), cwd=place)
    if done.returncode and any(sign in done.stderr for sign in NO_NETWORK):
        pytest.skip("pip reaches no package index, so no clean environment can be filled")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def ferdata(bin_folder: Path, *arguments: str | Path) -> str:
    done = run(bin_folder / "ferdata", *arguments, cwd=bin_folder.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_wheel_carries_its_licence_and_both_halves(bin_folder: Path) -> None:
    import zipfile

    (wheel,) = bin_folder.parent.parent.glob("ferdata-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    packages = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert packages == {"ferdata", "zoo"}
    sources = [p for package in packages for p in (REPOSITORY / package).rglob("*.py")]
    assert {p.relative_to(REPOSITORY).as_posix() for p in sources} <= set(names)


def test_help_and_catalogue(bin_folder: Path) -> None:
    assert "ingest" in ferdata(bin_folder, "--help")
    assert "rafdb" in ferdata(bin_folder, "datasets")


def test_ingest_and_stats_of_a_folder_without_torch(bin_folder: Path, tmp_path: Path) -> None:
    from ferdata.drawing import expression, paint, person, scene
    from ferdata.images import encode_png

    for emotion in ("happiness", "sadness"):
        folder = tmp_path / "faces" / emotion
        folder.mkdir(parents=True)
        for seed in range(3):
            picture = paint(person(seed), expression(emotion, 1.0, seed), scene(seed))
            (folder / f"{seed}.png").write_bytes(encode_png(picture))
    out = tmp_path / "faces.parquet"
    ferdata(bin_folder, "ingest", "folder", "--root", tmp_path / "faces", "-o", out)
    assert out.is_file()
    assert "happiness" in ferdata(bin_folder, "stats", out)
    imported = run(bin_folder / "python", "-c", "import torch", cwd=tmp_path)
    assert imported.returncode != 0
    assert "No module named 'torch'" in imported.stderr
