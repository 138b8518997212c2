"""Plain files: read as they are, links to them too; what is no file is refused without being waited on."""

import errno
import os
import socket
from pathlib import Path

import pytest

from ferdata.errors import NotAFile
from ferdata.running.plain_file import must_be_plain, open_plain, read_plain


def test_a_file_is_read_and_so_is_a_link_to_one(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"a,b\r\n1,2\r\n")
    (tmp_path / "link.csv").symlink_to("table.csv")
    assert read_plain(tmp_path / "table.csv") == read_plain(str(tmp_path / "link.csv")) == b"a,b\r\n1,2\r\n"
    with open_plain(tmp_path / "link.csv") as file:
        assert os.get_blocking(file.fileno())
        assert file.readline() == b"a,b\r\n"


@pytest.mark.parametrize(
    ("name", "kind"), [("pipe", "a named pipe"), ("link", "a named pipe"), ("zero", "a device"), ("socket", "a socket")]
)
def test_what_is_no_file_is_refused_by_name_and_kind(tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("link").symlink_to("pipe")
    Path("zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket")
        for read in (open_plain, read_plain, must_be_plain):
            with pytest.raises(NotAFile, match=f"^{name} is {kind}, not a file"):
                read(Path(name))


def test_a_pipe_that_takes_the_files_place_after_it_was_looked_at_is_refused_too(tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    os.mkfifo(path)
    monkeypatch.setattr("ferdata.running.plain_file.must_be_plain", lambda path: None)
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(NotAFile, match="a named pipe"):
        open_plain(path)
    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize("name", ["nothing", "a\0b", "lone \ud83d surrogate"])
def test_a_name_that_no_file_can_have_is_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(FileNotFoundError):
        open_plain(tmp_path / name)


def test_a_folder_and_a_circle_of_links_are_errors_of_the_system(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_plain(tmp_path)
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="symbolic links") as refused:
        open_plain(tmp_path / "circle")
    assert refused.value.errno == errno.ELOOP
