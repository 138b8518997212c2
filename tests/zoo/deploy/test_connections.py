"""Clients that let the server wait, and many at once: the others are answered."""

import contextlib
import http.client
import socket
import time

import pytest

from ferdata.images import encode_png
from tests.zoo.deploy.test_webcam_server import ask, portrait, raw, serving
from zoo.deploy.connections import Connections
from zoo.deploy.webcam_server import ADDRESS


@pytest.fixture
def page(run):
    """A page that waits for a second, and for eight clients."""
    with serving(run) as made:
        made.connections = Connections(most=8, patience=1)
        yield made


def begun(page):
    """A connection whose picture never comes to its end."""
    link = socket.create_connection((ADDRESS, page.server_port), timeout=30)
    own = f"Host: {ADDRESS}:{page.server_port}\r\n"
    link.sendall(f"POST /faces HTTP/1.1\r\n{own}Content-Type: image/png\r\nContent-Length: 1000\r\n\r\n".encode())
    return link


def has_ended(link):
    """Return whether the server has ended a connection, as far as is known now."""
    link.setblocking(False)
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def soon(happens, seconds=20):
    """Return whether it happens within so many seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if happens():
            return True
        time.sleep(0.05)
    return False


def test_a_byte_now_and_then_holds_no_connection_open(page):
    with contextlib.closing(begun(page)) as link:
        began = time.monotonic()

        def ended():
            with contextlib.suppress(OSError):
                link.sendall(b"x")
            return has_ended(link)

        assert soon(ended)
        assert time.monotonic() - began < 15  # a byte every 50 ms would last for 50 s
    assert soon(lambda: not len(page.connections))


def test_beside_many_slow_clients_an_honest_one_is_answered_and_the_slowest_has_gone(page):
    page.connections.patience = 60
    slow = [begun(page) for _ in range(20)]
    try:
        assert ask(page, "POST", "/faces", encode_png(portrait()), Content_Type="image/png")[0] == 200
        assert soon(lambda: sum(map(has_ended, slow)) >= 12)
        assert has_ended(slow[0])
        assert not has_ended(slow[-1])
    finally:
        for link in slow:
            link.close()


def test_a_connection_that_is_kept_has_its_time_for_each_request_anew(page):
    link = http.client.HTTPConnection(ADDRESS, page.server_port, timeout=30)
    with contextlib.closing(link):
        link.connect()
        own = link.sock
        for _ in range(4):
            link.request("GET", "/page.css")
            answer = link.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
            assert link.sock is own
            time.sleep(0.5)


def test_a_length_of_thousands_of_digits_is_refused(page):
    own = f"Host: {ADDRESS}:{page.server_port}\r\n"
    found = raw(page, f"POST /faces HTTP/1.1\r\n{own}Content-Type: image/png\r\nContent-Length: {'9' * 5000}\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 413")


def test_one_that_is_being_answered_is_not_overdue():
    mine, theirs = socket.socketpair()
    with mine, theirs:
        known = Connections(most=1, patience=0)
        known.opened(mine)
        known.answers(mine)
        known.end_overdue()
        assert not has_ended(theirs)
        known.waits(mine)
        time.sleep(0.01)
        known.end_overdue()
        assert has_ended(theirs)
        assert len(known) == 0
