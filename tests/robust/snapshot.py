"""What a folder holds, to compare before and after; and its removal, whatever rights it has lost."""

import os
import shutil
import stat
from collections.abc import Container
from pathlib import Path

Entry = tuple[str, int, str]  # kind, rights, and what is in it


def snapshot(root: Path, without: Container[str] = ()) -> dict[str, Entry]:
    """Return everything below `root` by its path; files by inode, size and time of change, links by where they lead."""
    found: dict[str, Entry] = {}
    folders = [str(root)]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        for entry in entries:
            name = entry.path[len(str(root)) + 1 :]
            if name in without:
                continue
            status = entry.stat(follow_symlinks=False)
            rights = stat.S_IMODE(status.st_mode)
            if stat.S_ISLNK(status.st_mode):
                found[name] = ("link", 0, os.readlink(entry.path))  # noqa: PTH115  # its name may be no text
            elif stat.S_ISDIR(status.st_mode):
                found[name] = ("folder", rights, "")
                folders.append(entry.path)
            else:
                kind = "file" if stat.S_ISREG(status.st_mode) else "other"
                found[name] = (kind, rights, f"{status.st_ino} {status.st_size} {status.st_mtime_ns}")
    return found


def changed(before: dict[str, Entry], after: dict[str, Entry]) -> list[str]:
    """Return the paths that are not as they were."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def remove(path: Path) -> None:
    """Remove a file or a tree, of which nothing may be left."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for folder, names, _ in os.walk(path):
        Path(folder).chmod(0o755)
        for name in names:
            if not (inner := Path(folder, name)).is_symlink():
                inner.chmod(0o755)
    shutil.rmtree(path)
