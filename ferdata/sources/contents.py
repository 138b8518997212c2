"""What a file holds, whatever its name says: for an archive or a table that turns out to be neither."""

import tarfile
import zipfile
from pathlib import Path

from ferdata.running.file_kind import BZIP2, GZIP, HEAD, TAR, XZ, ZIP, kind_of
from ferdata.running.plain_file import open_plain

READ = (ZIP, TAR, GZIP, BZIP2, XZ)  # or may be, behind the first bytes


def what_it_is(path: Path) -> str | None:
    """Return what a file's first bytes say it is (`a RAR archive`), None where they say nothing. Raises OSError."""
    with open_plain(path) as file:
        head = file.read(HEAD)
    return kind_of(head) if head else "an empty file"


def holds_files(path: Path) -> bool:
    """Return whether a file is an archive that is read here, by what it holds. Raises OSError."""
    return what_it_is(path) in READ and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))
