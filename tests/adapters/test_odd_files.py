"""Every adapter and odd files: one costs its own row, by name, and nothing is waited on or lost without a word."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ferdata.errors import BrokenSource, FerdataError, NotAFile
from ferdata.schema import is_image
from ferdata.sources.left_out import UNLISTED
from ferdata.steps.ingest import Ingested, ingest
from tests.fakes import face, layouts, save

ALL = sorted(layouts())


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """End a test that waits for ever."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(60)
    yield
    signal.alarm(0)


def written(name: str, layout: str, root: Path) -> Path:
    root.mkdir()
    layouts()[name, layout](root)
    return root


def ingested(name: str, root: Path, **options: str) -> Ingested:
    return ingest(name, root=root, out=root.with_name("m.parquet"), workers=1, force=True, **options)


def files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file() and p.name[0] != "." and "__MACOSX" not in p.parts)


@pytest.mark.parametrize(("name", "layout"), ALL, ids=map("-".join, ALL))
def test_a_pipe_in_place_of_any_file_is_waited_on_by_nobody(tmp_path, name, layout):
    root = written(name, layout, tmp_path / "d")
    whole = {path: path.read_bytes() for path in files(root) if not is_image(path.name)}
    for path, data in list(whole.items())[:12]:
        path.unlink()
        os.mkfifo(path)
        try:
            done = ingested(name, root)
            assert done.rows + sum(done.rejected.values())
        except FerdataError as error:
            assert error.hint  # noqa: PT017  # either way is right
        path.unlink()
        path.write_bytes(data)


@pytest.mark.parametrize(("name", "layout"), ALL, ids=map("-".join, ALL))
def test_a_link_to_itself_costs_its_own_picture(tmp_path, name, layout):
    root = written(name, layout, tmp_path / "d")
    before = ingested(name, root)
    pictures = [path for path in files(root) if is_image(path.name)]
    if not pictures:
        pytest.skip("its pixels are in tables")
    pictures[-1].unlink()
    pictures[-1].symlink_to(pictures[-1].name)
    done = ingested(name, root)
    assert before.rows - 4 <= done.rows <= before.rows  # a picture may have several faces


@pytest.mark.parametrize("name", ["sfew-table", "ferplus-png", "muxspace-official", "kdef-official", "rafdb-kaggle"])
def test_a_name_that_is_no_text_is_left_out_by_an_escaped_name(tmp_path, name):
    adapter, _, layout = name.partition("-")
    root = written(adapter, layout if (adapter, layout) in ALL else "folders", tmp_path / "d")
    before = ingested(adapter, root)
    picture = [path for path in files(root) if is_image(path.name)][-1]  # the first of KDEF's are averages beside it
    os.close(os.open(os.fsencode(picture.parent) + b"/\xff\xfe.png", os.O_CREAT))
    done = ingested(adapter, root)
    assert done.rows == before.rows
    assert done.rejects is not None
    named = pq.read_table(done.rejects)["sample_id"].to_pylist()
    assert any("\\udcff\\udcfe" in each for each in named)


def test_a_nul_in_a_table_is_refused_with_its_line(tmp_path):
    root = written("hf", "imagefolder", tmp_path / "d")
    table = next(path for path in files(root) if path.name == "metadata.csv")
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], lines[1].replace(".", "\0.", 1), *lines[2:], ""]))
    with pytest.raises(BrokenSource, match=r"metadata\.csv, line 2: "):
        ingested("hf", root)


def test_a_table_that_is_a_device_is_refused_and_not_read_without_end(tmp_path):
    root = written("fer2013", "csv", tmp_path / "d")
    (table,) = (path for path in files(root) if path.suffix == ".csv")
    table.unlink()
    table.symlink_to("/dev/zero")
    with pytest.raises(NotAFile, match=r"fer2013\.csv is a device, not a file"):
        ingested("fer2013", root)


def test_pictures_beside_those_that_a_table_lists_are_left_out_by_name(tmp_path):
    root = written("csv", "table", tmp_path / "d")
    picture = next(path for path in files(root) if is_image(path.name))
    save(picture.with_name("nobody lists me.png"), face(77))
    save(root / "elsewhere" / "nor me.png", face(78))
    done = ingested("csv", root)
    assert done.named[UNLISTED] == [f"csv:{picture.parent.relative_to(root)}/nobody lists me.png"]
    assert "elsewhere/nor me.png" in done.first_others


def test_an_empty_list_of_affectnet_is_named_and_so_are_its_pictures(tmp_path):
    root = written("affectnet", "csv", tmp_path / "d")
    before = ingested("affectnet", root)
    (root / "Manually_Annotated_file_lists/training.csv").write_bytes(b"")
    done = ingested("affectnet", root)
    assert done.named["a list without a line"] == ["affectnet:Manually_Annotated_file_lists/training.csv"]
    assert 0 < done.rows < before.rows
    assert done.rejected[UNLISTED] > 0


def test_videos_of_aff_wild2_without_a_file_of_the_task_are_left_out_by_name(tmp_path):
    root = written("affwild2", "videos", tmp_path / "d")
    (text,) = root.rglob("EXPR_Classification_Challenge/Train_Set/10-60-1280x720.txt")
    text.unlink()
    done = ingested("affwild2", root)
    assert [
        each for each in done.named["a video that the task's files do not annotate"] if "10-60-1280x720.avi" in each
    ]


def test_frames_that_no_list_of_aff_wild2_names_are_left_out_by_name(tmp_path):
    root = written("affwild2", "lists", tmp_path / "d")
    crop = next(path for path in files(root) if is_image(path.name))
    save(crop.with_name("00099.jpg"), face(9))
    named = ingested("affwild2", root).named[UNLISTED]
    assert f"affwild2:{crop.parent.relative_to(root).as_posix()}/00099.jpg" in named
