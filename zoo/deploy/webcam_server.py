"""A page with the camera, for this computer only: frames come in over HTTP, the faces in them go back.

Bound to 127.0.0.1, and still every request is mistrusted: another web page may be made to send some here. So the Host
must be ours (else a foreign name that resolves to 127.0.0.1 would do), a foreign Origin is refused, pictures have a
limit, requests a time and connections a number, and there are no files but the page's own.
"""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from ferdata.errors import BadOption
from ferdata.images import UnreadableImage, decode
from ferdata.labels import COLOURS
from zoo.deploy.connections import Connections
from zoo.deploy.predict import Prediction, Predictor, followed
from zoo.deploy.record import record
from zoo.deploy.tracks import Tracker
from zoo.run.run_folder import Folder

ADDRESS = "127.0.0.1"
LARGEST = 16 << 20  # bytes of a picture
PATIENCE = 10  # seconds for a whole request, and for the pause before it
CONNECTIONS = 64  # at once; a browser opens six to one server
SESSIONS = 8  # cameras whose faces are followed at once: a page's tab is one, and each time its camera is started
SPARE = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # for classes that are no basic emotion
FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def serve(
    run: str | Path,
    port: int = 8765,
    device: str = "auto",
    tta: str | None = None,
    detect: str | None = None,
    model: str | Path | None = None,
    margin: float | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve the page until Ctrl-C. `port` 0 takes any that is free; the other options are those of `predict`.

    A camera shows scenes, so a detector looks for faces unless `detect` is none. `say` is given the address. Raises
    BrokenRun, MissingModel, and BadOption for a port that is taken.
    """
    predictor = Predictor(run, device, tta, detect, model, margin, scenes=True)
    with Page(predictor, Folder(Path(run).resolve()), port) as page:
        if predictor.meta.caution:
            say(predictor.meta.caution)
        say(f"{page.url}\nOpen it in a browser on this computer. Ctrl-C ends it.")
        say(f"Face detector: {predictor.cut.detector or 'none, each picture is one face'}.")
        try:
            page.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            say("Ended.")


class Page(ThreadingHTTPServer):
    """The server. One picture is looked at at a time: the net takes all cores, and memory has a bound."""

    daemon_threads = True  # a browser that holds a connection open does not hold up the end

    def __init__(self, predictor: Predictor, folder: Folder, port: int) -> None:
        """Bind to 127.0.0.1. Raises BadOption if the port is taken or not allowed."""
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            reason = error.strerror or error
            raise BadOption(f"Port {port} cannot be used: {reason}.", "Add --port 0 for any free port.") from None
        self.predictor, self.turn = predictor, threading.Lock()
        self.connections = Connections(CONNECTIONS, PATIENCE)
        self.followed: OrderedDict[str, Tracker] = OrderedDict()
        self.url = f"http://{ADDRESS}:{self.server_port}"
        hosts = (ADDRESS, "localhost")
        self.hosts = {f"{host}:{self.server_port}" for host in hosts} | (
            set(hosts) if self.server_port == 80 else set()
        )
        self.origins = {f"http://{host}" for host in self.hosts}
        page = resources.files("zoo.deploy") / "page"
        self.files = {path: (page.joinpath(name).read_bytes(), kind) for path, (name, kind) in FILES.items()}
        self.about = about(predictor, folder)

    def faces(self, data: bytes, session: str = "") -> dict[str, Any]:
        """Return the faces in an encoded picture, as the page draws them. Raises UnreadableImage.

        Under a `session`, which names a camera, each has the number under which it is followed from frame to frame.
        """
        with self.turn:
            began = time.perf_counter()
            image = decode(data)
            looked = self.predictor.look(image, Prediction(Path(), None, {}))
            if session and self.predictor.cut.detector is not None:
                looked = followed(looked, self._tracker(session), began)
            predictions = self.predictor([looked])
            spent = time.perf_counter() - began
        shown = ("label", "probabilities", "box", "score", "track")
        return {
            "width": image.shape[1],
            "height": image.shape[0],
            "faces": [{name: getattr(p, name) for name in shown} for p in predictions if p.label is not None],
            "milliseconds": round(1000 * spent, 1),
        }

    def _tracker(self, session: str) -> Tracker:
        """Return who follows the faces of a session; the ones that were silent for the longest are forgotten."""
        tracker = self.followed.pop(session, None) or Tracker()
        self.followed[session] = tracker
        while len(self.followed) > SESSIONS:
            self.followed.popitem(last=False)
        return tracker

    def process_request(self, request: Any, client_address: Any) -> None:
        """Count a connection in, and answer it in a thread of its own."""
        self.connections.opened(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        self.connections.closed(request)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what has kept the server waiting; called several times a second."""
        self.connections.end_overdue()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone; anything else is a bug, and shown."""
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def about(predictor: Predictor, folder: Folder) -> dict[str, Any]:
    """Return what the page says of the run: classes in order, a colour for each, the face detector, record, caution."""
    meta = predictor.meta
    spare = iter(SPARE * len(meta.classes))
    colours = {c: COLOURS[c] if c in COLOURS else next(spare) for c in meta.classes}
    return {
        "run": folder.path.name,
        "backbone": meta.backbone,
        "classes": meta.classes,
        "colours": colours,
        "detector": predictor.cut.detector,
        "size": meta.size,
        "record": record(folder, meta),
        "caution": meta.caution,
    }


class Handler(BaseHTTPRequestHandler):
    """Answers GET for the page's own files, and POST for the faces in one picture."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "ferdata", ""
    timeout = PATIENCE
    server: Page

    def do_GET(self) -> None:
        """Send one of the page's files, or what there is to know of the run."""
        if not self._ours():
            return
        if self.path == "/about":
            self._send(HTTPStatus.OK, self.server.about)
        elif self.path in self.server.files:
            data, kind = self.server.files[self.path]
            self._reply(HTTPStatus.OK, data, f"{kind}; charset=utf-8")
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def do_POST(self) -> None:
        """Take a picture, and send back the faces in it."""
        if not self._ours():
            return
        if self.path != "/faces":
            return self._refuse(HTTPStatus.NOT_FOUND, "There is no such page.")
        # A foreign page can send plain forms without asking first, but nothing of this type.
        if not self.headers.get("Content-Type", "").startswith("image/"):
            return self._refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send a picture, image/jpeg or image/png.")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return self._refuse(HTTPStatus.LENGTH_REQUIRED, "Send a Content-Length.")
        # Python reads no number of thousands of digits.
        if len(length) > len(str(LARGEST)) or int(length) > LARGEST:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Pictures have {LARGEST >> 20} MB at most.")
        data = self.rfile.read(int(length))
        if len(data) < int(length):  # it has gone, or was ended
            self.close_connection = True
            return None
        self.server.connections.answers(self.connection)
        try:
            self._send(HTTPStatus.OK, self.server.faces(data, self.headers.get("Ferdata-Session", "")))
        except UnreadableImage as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": f"The picture cannot be read: {error}"})

    def _ours(self) -> bool:
        """Return whether the request is for this address and from its page; else it has been refused."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"This is {self.server.url} and nothing else.")
        elif self.headers.get("Origin", self.server.url) not in self.server.origins or self.headers.get(
            "Sec-Fetch-Site", "none"
        ) not in ("none", "same-origin"):
            self._refuse(HTTPStatus.FORBIDDEN, "Another site has no business here.")
        else:
            return True
        return False

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer with an error and end the connection: what was sent along has not been read."""
        self.close_connection = True
        self._send(status, {"error": reason})

    def _send(self, status: HTTPStatus, value: Any) -> None:
        self._reply(status, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8")

    def _reply(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.server.connections.waits(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name there
        """Keep no log: a line per frame is of no use to anyone."""
