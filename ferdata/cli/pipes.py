"""What is printed into pipes, whose readers may leave before its end, as `head` does."""

import contextlib
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO

import click

from ferdata.cli.layout import prose
from ferdata.running import progress


@contextlib.contextmanager
def as_far_as_read() -> Iterator[None]:
    """End well where nobody reads on what is printed, as in `ferdata ... | head`: click would exit with 1."""
    try:
        yield
    except (BrokenPipeError, SystemExit) as end:
        nobody = _silenced()
        # Rich has sent the rest to nobody already, and ends the process in answer to the error. Other broken pipes,
        # such as a database's, are errors.
        if not nobody and not (isinstance(end, SystemExit) and isinstance(end.__context__, BrokenPipeError)):
            raise
        raise click.exceptions.Exit(0) from None


def _silenced() -> bool:
    """Have those of stdout and stderr that nobody reads go nowhere, and return whether there are such."""
    unread = [stream for stream in (sys.stdout, sys.stderr) if _is_unread(stream)]
    for stream in unread:
        send_nowhere(stream)
    return bool(unread)


def _is_unread(stream: TextIO) -> bool:
    """Return whether a stream goes into a pipe that its reader has closed."""
    try:
        asked = select.poll()
        asked.register(stream, 0)  # such an end is told without being asked for
        return bool(asked.poll(0))
    except (AttributeError, OSError):  # a system without this way to ask; no file, but memory
        return False


def send_nowhere(stream: TextIO) -> None:
    """Have the null device take what a stream still holds, so that Python's own last flush does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(line: str, err: bool = False) -> None:
    """Print a line of work under way, which goes on where nobody reads it any more: it is not for what is printed."""
    if progress.quiet():
        return
    try:
        prose(line, err=err)
    except BrokenPipeError:
        if not _silenced():
            raise
