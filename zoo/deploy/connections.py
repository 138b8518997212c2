"""The open connections of a server: who lets it wait, and for how long; and an end to that.

A timeout of a socket begins anew with each byte, so that a byte now and then holds a connection open for ever. Here a
whole request has a time, and all connections a number.
"""

import contextlib
import math
import socket
import threading
import time


class Connections:
    """Which connections are open, and since when each has let the server wait. Threads may share it.

    One that is being answered lets nobody wait. Ended ones are closed for both sides, which wakes who reads from them;
    their thread closes them.
    """

    def __init__(self, most: int, patience: float) -> None:
        """Allow `most` at once, of which each may let the server wait for `patience` seconds."""
        self.most, self.patience = most, patience
        self._since: dict[socket.socket, float] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._since)

    def opened(self, link: socket.socket) -> None:
        """Count a new one in; where there are too many, the one is ended that has let wait for the longest."""
        with self._lock:
            self._since[link] = time.monotonic()
            if len(self._since) > self.most:
                self._end(min(self._since, key=self._since.__getitem__))

    def waits(self, link: socket.socket) -> None:
        """Begin the time of its next request."""
        self._set(link, time.monotonic())

    def answers(self, link: socket.socket) -> None:
        """Stop its time: its request is here, and the server is at work on it."""
        self._set(link, math.inf)

    def closed(self, link: socket.socket) -> None:
        """Forget it."""
        with self._lock:
            self._since.pop(link, None)

    def end_overdue(self) -> None:
        """End those that have let the server wait for too long."""
        with self._lock:
            last = time.monotonic() - self.patience
            for link in [link for link, since in self._since.items() if since < last]:
                self._end(link)

    def _set(self, link: socket.socket, since: float) -> None:
        with self._lock:
            if link in self._since:
                self._since[link] = since

    def _end(self, link: socket.socket) -> None:
        del self._since[link]
        with contextlib.suppress(OSError):  # its client has closed it already
            link.shutdown(socket.SHUT_RDWR)
