"""The App on a port, until Ctrl-C: its server, a look every second at whether the database still lives, the end."""

import contextlib
import http.client
import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from types import FrameType
from typing import Any

from ferdata.errors import BadOption, NoApp
from ferdata.reviewing.fiftyone import app_server, decide
from ferdata.reviewing.fiftyone.start import gone

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERY = 1.0  # seconds between two looks at the database
JOIN = 60.0  # seconds for FiftyOne's session, which tries again after ten, to join
PATIENCE = 5.0  # seconds for its server to answer
NO_FACE = "ferdata"  # no sample has this id


def free(port: int, address: str) -> None:
    """Raise BadOption now if the port is taken: FiftyOne would quietly join whatever App is there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise BadOption(
                f"Port {port} of {address} cannot be had: {error.strerror}.",
                f"Another App may be running there. Take another one: --port {port + 1}",
            ) from None


def serve(
    fo: Any, dataset: Any, port: int, address: str, browser: bool, ready: Callable[[str], None] | None = None
) -> int:
    """Show a dataset until Ctrl-C; return how many pictures are to be pulled then. Raises BadOption, NoApp, NoDatabase.

    `ready` is called with the App's address as soon as it answers and its session has joined.
    """
    free(port, address)
    server = f"http://{'127.0.0.1' if address in (*LOOPBACK, '0.0.0.0') else address}:{port}"
    url = f"{server}/datasets/{dataset.name}"
    with _stopped_by_us() as asked:
        session = _launched(fo, dataset, port, address)
        _wait_until_joined(session, server, asked)
        try:
            if ready:
                ready(url)
            if browser:
                import webbrowser

                webbrowser.open(url)
            return _watch(dataset, asked)
        finally:
            with contextlib.suppress(Exception):  # the server may be gone already
                session.close()


def _launched(fo: Any, dataset: Any, port: int, address: str) -> Any:
    """Start FiftyOne's server with our pages' policy, and its session. Raises NoApp."""
    from fiftyone.core import service
    from fiftyone.core.session import client

    service.ServerService.command = property(lambda self: app_server.command(self.port, self.address))
    client.print = _unsaid  # it prints each time that it tries again, on stdout, whenever that may be
    try:
        return fo.launch_app(dataset, port=port, address=address, remote=True)
    except service.ServiceListenTimeout:
        raise NoApp(
            f"FiftyOne's server did not start on port {port} of {address} within a minute.",
            "Other programs may keep this machine busy: run the same command again when they are done.\n"
            "What was decided before is kept.",
        ) from None


def _unsaid(*words: object) -> None:
    del words


def _wait_until_joined(session: Any, server: str, asked: list[int]) -> None:
    """Wait until FiftyOne's session hears its server: as it joins, the App closes the face that is open.

    The session is told what is selected in the App: so a face that is none is selected until it knows, and let go.
    """
    end = time.monotonic() + JOIN
    while NO_FACE not in session.selected and not asked and time.monotonic() < end:
        _select(server, NO_FACE)
        time.sleep(0.2)
    _select(server)


def _select(server: str, *samples: str) -> None:
    """Select samples in the App as another page of it would; nothing happens where no server answers."""
    told = {"event": "select_samples", "data": {"samples": [{"id": s, "type": "default"} for s in samples]}}
    request = urllib.request.Request(
        f"{server}/event", json.dumps(told | {"subscription": NO_FACE}).encode(), {"Content-Type": "application/json"}
    )
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of this machine
    with contextlib.suppress(OSError, http.client.HTTPException), directly.open(request, timeout=PATIENCE):
        pass


@contextlib.contextmanager
def _stopped_by_us() -> Any:
    """Turn Ctrl-C and a polite kill into a word to `_watch`, so that the App is closed before this process ends.

    A terminal's Ctrl-C reaches mongod at the same moment, which then closes its files and ends.
    """
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(number)

    kinds = [signal.SIGINT, signal.SIGTERM]
    before = [signal.signal(kind, note) for kind in kinds]
    try:
        yield asked
    finally:
        for kind, handler in zip(kinds, before, strict=True):
            signal.signal(kind, handler)


def _watch(dataset: Any, asked: list[int]) -> int:
    import pymongo
    import pymongo.errors

    count = 0
    while not asked:
        try:
            with pymongo.timeout(5):
                count = decide.waiting(dataset)
        except pymongo.errors.PyMongoError as error:
            if asked:  # Ctrl-C in a terminal reaches mongod too
                break
            raise gone(error) from None
        end = time.monotonic() + EVERY
        while not asked and time.monotonic() < end:
            time.sleep(0.05)
    return count


def port_of(given: int | None) -> int:
    """Return the port: as given, else FIFTYONE_DEFAULT_APP_PORT, else FiftyOne's own, 5151."""
    return given if given is not None else int(os.environ.get("FIFTYONE_DEFAULT_APP_PORT", "5151"))
