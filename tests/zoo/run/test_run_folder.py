from pathlib import Path

import pytest

from ferdata.errors import AlreadyExists, BrokenRun, CannotWrite
from zoo.run.run_folder import Folder


def test_a_folder_that_holds_a_run_is_kept_unless_forced(tmp_path):
    folder = Folder(tmp_path / "run")
    folder.check(force=False)
    assert not folder.path.exists()  # a run that is refused after this leaves nothing
    folder.clear()
    folder.model.touch()
    with pytest.raises(AlreadyExists, match="--force"):
        folder.check(force=False)
    folder.check(force=True)


def test_clearing_takes_a_runs_own_files_only(tmp_path):
    folder = Folder(tmp_path)
    folder.model.touch()
    (tmp_path / "notes.txt").touch()
    folder.clear()
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(CannotWrite, match="is a file"):
        Folder(tmp_path / "run").check(force=False)


def test_a_folder_without_a_model_is_no_run(tmp_path):
    with pytest.raises(BrokenRun, match=r"holds no model\.safetensors"):
        Folder(tmp_path).must_exist()
    with pytest.raises(BrokenRun, match="is not a folder"):
        Folder(tmp_path / "nowhere").must_exist()


def test_a_run_and_its_manifest_may_move_together(tmp_path):
    recorded = Folder(tmp_path / "a" / "runs" / "x").relative(tmp_path / "a" / "manifests" / "m.parquet")
    assert recorded == "../../manifests/m.parquet"
    assert Folder(Path("/elsewhere/runs/x")).absolute(recorded) == Path("/elsewhere/manifests/m.parquet")


def test_an_unfinished_run_is_kept_and_the_way_on_is_named(tmp_path):
    folder = Folder(tmp_path / "run")
    with pytest.raises(BrokenRun, match="no run in"):
        folder.check(force=False, resume=True)
    folder.clear()
    folder.last.touch()
    with pytest.raises(AlreadyExists, match="--resume to continue"):
        folder.check(force=False)
    folder.check(force=False, resume=True)
    folder.last.unlink()
    folder.report.touch()
    with pytest.raises(BrokenRun, match="is finished"):
        folder.check(force=False, resume=True)


def test_what_a_killed_process_left_half_written_is_tidied(tmp_path):
    folder = Folder(tmp_path)
    (tmp_path / ".last.ckpt.123.part").touch()
    folder.last.touch()
    folder.tidy()
    assert [p.name for p in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_check_leaves_no_empty_folder_behind_not_even_the_one_above(tmp_path):
    Folder(tmp_path / "runs" / "deep" / "run").check(force=False)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_begins_beside_it_in_a_new_folder_is_no_hindrance(tmp_path, monkeypatch):
    touch = Path.touch

    def beside(probe, *arguments, **more):
        touch(probe, *arguments, **more)
        (tmp_path / "runs" / "other").mkdir()

    monkeypatch.setattr(Path, "touch", beside)
    Folder(tmp_path / "runs" / "mine").check(False)
    assert [found.name for found in (tmp_path / "runs").iterdir()] == ["other"]
