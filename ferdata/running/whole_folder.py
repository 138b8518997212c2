"""The one way to write a folder of results: checked before the work, hidden beside its name until it is all there."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ferdata.errors import AlreadyExists, CannotWrite
from ferdata.running.whole_file import is_leftover, put_in_place, recover, sync_folder, temporaries, temporary_beside

HINT = "Choose another --out."


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing where there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_stale(out: Path) -> None:
    """Remove what killed writers of `out` left."""
    for temporary in temporaries(out.parent, out.name):
        if is_leftover(temporary):
            remove(temporary)


def check(out: Path, force: bool, inputs: Sequence[Path], own: Sequence[str]) -> None:
    """Raise AlreadyExists or CannotWrite now, before the work, if the folder `out` could not be written at its end.

    `inputs` are files and folders that are read: `out` may be none of them, nor inside or around one. `own` are the
    names that an earlier folder of this kind holds; with `force`, a folder with anything else in it is not replaced.
    """
    recover(out)
    target = out.resolve()
    for path in inputs:
        read = path.resolve()
        if target == read or target in read.parents or read in target.parents:
            raise AlreadyExists(f"{out} is an input, or inside or around one: {path}. Inputs are never modified.", HINT)
    if out.exists() and not out.is_dir():
        raise CannotWrite(f"{out} is a file.", "Give a folder with --out, such as published/.")
    there = sorted(p.name for p in out.iterdir()) if out.is_dir() else []
    if others := [name for name in there if name not in own]:
        raise CannotWrite(
            f"{out} is a folder that holds other files, such as {others[0]}.", "Give a new folder with --out."
        )
    if there and not force:
        raise AlreadyExists(f"{out} already exists.", "Add --force to replace it, or choose another --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        probe = temporary_beside(out)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise CannotWrite(f"Cannot write in {out.parent}: {error.strerror}.", HINT) from None


@contextmanager
def whole_folder(out: Path, force: bool) -> Iterator[Path]:
    """Yield a temporary folder beside `out` to write into; it becomes `out` when the block ends well, else is removed.

    Raises CannotWrite for an OSError, AlreadyExists where another has written `out` meanwhile.
    """
    remove_stale(out)
    temporary = temporary_beside(out)
    try:
        temporary.mkdir()
        yield temporary
        sync_folder(temporary)
        put_in_place(temporary, out, replace=force)
    except FileExistsError:
        raise AlreadyExists(
            f"{out} was written by another run in the meantime.", "Add --force to replace it, or choose another --out."
        ) from None
    except OSError as error:
        raise CannotWrite(
            f"Writing {out} failed: {error.strerror or error}.", "Free some space, or choose another --out."
        ) from None
    finally:
        remove(temporary)
