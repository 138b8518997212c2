"""The page with the camera: what it answers, whom it refuses, and that a browser with a camera sees faces in it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferdata.drawing import expression, paint, person, scene
from ferdata.errors import BadOption
from ferdata.images import decode, detectors, encode_png
from tests.browser import browser
from tests.conftest import REPOSITORY
from tests.zoo.untaught import untaught
from zoo.deploy.predict import Predictor
from zoo.deploy.webcam_server import ADDRESS, LARGEST, SESSIONS, Page
from zoo.run.run_folder import Folder


def portrait(side=240):
    """A drawn face that Haar finds."""
    drawn = (paint(person(i), expression("happiness", 1.0, 0), scene(i, plain=True), side, side) for i in range(20))
    return showing(1, drawn)


def showing(faces, pictures):
    """Return the first of some pictures in which Haar finds so many faces."""
    looking = detectors.make("haar")
    return next(one for one in pictures if len(looking(one)) == faces)


def scenes(side, at, height, width):
    """Pictures with a face at each of some places, all of them moved right and down step by step."""
    for by in range(0, 120, 5):
        seen = np.full((height, width, 3), 200, np.uint8)
        for x, y in at:
            seen[y + by : y + by + side, x + by : x + by + side] = portrait(side)
        yield seen


@contextlib.contextmanager
def serving(run):
    """Serve a run's page while the block lasts."""
    with Page(Predictor(run, device="cpu", detect="haar", scenes=True), Folder(Path(run)), 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def page(run):
    with serving(run) as made:
        yield made


def ask(page, method, path, body=None, **headers):
    with contextlib.closing(http.client.HTTPConnection(ADDRESS, page.server_port, timeout=120)) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers


def test_it_listens_on_this_computer_alone(page):
    assert page.socket.getsockname()[0] == "127.0.0.1"
    assert page.url.startswith("http://127.0.0.1:")


def test_the_pages_files_are_served_under_a_policy_and_no_others(page):
    for path, word in (("/", b"<video"), ("/page.css", b"#stage"), ("/page.js", b"getUserMedia")):
        status, data, headers = ask(page, "GET", path)
        assert status == 200
        assert word in data
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
    for path in ("/serve.py", "/../serve.py", "//etc/passwd", "/page/index.html", "/%2e%2e/serve.py", "/?x"):
        assert ask(page, "GET", path)[0] == 404, path
    assert b"http" not in ask(page, "GET", "/")[1].replace(b"http-equiv", b"")  # nothing from elsewhere


def test_a_picture_gives_its_faces_with_boxes_and_shares_that_sum_to_one(page):
    drawn = portrait()
    status, data, _ = ask(page, "POST", "/faces", encode_png(drawn), Content_Type="image/png")
    told = json.loads(data)
    assert (status, told["width"], told["height"]) == (200, 240, 240)
    (face,) = told["faces"]
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert list(face["probabilities"]) == list(page.about["classes"])
    assert set(page.about["colours"]) == set(page.about["classes"])
    x, y, w, h = face["box"]
    assert 0 <= x < x + w <= 240
    assert 0 <= y < y + h <= 240


def numbers(page, picture, **headers):
    _, data, _ = ask(page, "POST", "/faces", encode_png(picture), Content_Type="image/png", **headers)
    return [face["track"] for face in json.loads(data)["faces"]]


def test_a_face_keeps_its_number_from_frame_to_frame_of_its_own_camera(page):
    here = np.full((240, 640, 3), 200, np.uint8)
    here[:, 20:260] = portrait()
    there = showing(1, (np.roll(here, by, 1) for by in range(260, 380, 5)))
    assert numbers(page, here, Ferdata_Session="a") == [1]
    assert numbers(page, np.roll(here, 20, 1), Ferdata_Session="a") == [1]
    assert numbers(page, there, Ferdata_Session="a") == [2]
    assert numbers(page, there, Ferdata_Session="b") == [1]
    assert numbers(page, there) == [None]  # a picture by itself
    for i in range(SESSIONS):
        numbers(page, there, Ferdata_Session=f"later {i}")
    assert list(page.followed) == [f"later {i}" for i in range(SESSIONS)]


def test_a_picture_without_a_face_has_none(page):
    nothing = encode_png(np.zeros((60, 80, 3), np.uint8))
    status, data, _ = ask(page, "POST", "/faces", nothing, Content_Type="image/png")
    assert (status, json.loads(data)["faces"]) == (200, [])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Length": "-1"}, 411),
        ({"Content_Length": str(LARGEST + 1)}, 413),
    ],
)
def test_what_another_site_or_a_mischief_would_send_is_refused(page, headers, status):
    given = {"Content_Type": "image/png", **headers}
    if "Content_Length" in headers:
        found = raw(page, f"POST /faces HTTP/1.1\r\nHost: {ADDRESS}:{page.server_port}\r\nContent-Type: image/png\r\n"
                          f"Content-Length: {headers['Content_Length']}\r\n\r\n")  # fmt: skip
        assert found.startswith(f"HTTP/1.1 {status}".encode())
        assert found.rstrip().endswith(b"}")
        return
    assert ask(page, "POST", "/faces", b"x", **given)[0] == status


def raw(page, text):
    with socket.create_connection((ADDRESS, page.server_port), timeout=120) as end:
        end.sendall(text.encode())
        return b"".join(iter(lambda: end.recv(4096), b""))


def test_two_hosts_or_none_are_refused_and_unknown_methods_too(page):
    own = f"Host: {ADDRESS}:{page.server_port}\r\n"
    assert raw(page, f"GET / HTTP/1.1\r\n{own}Host: evil.example\r\n\r\n").startswith(b"HTTP/1.1 421")
    assert raw(page, "GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 421")
    assert ask(page, "OPTIONS", "/faces", Origin="https://evil.example")[0] == 501  # no leave for other sites


@pytest.mark.parametrize("data", [b"", b"no picture", encode_png(np.zeros((40, 40), np.uint8))[:60]])
def test_what_is_no_picture_is_said_and_the_next_is_still_answered(page, data):
    status, told, _ = ask(page, "POST", "/faces", data, Content_Type="image/png")
    assert status == 400
    assert "cannot be read" in json.loads(told)["error"]
    assert ask(page, "GET", "/about")[0] == 200


def test_a_port_that_is_taken_is_said(page):
    with pytest.raises(BadOption, match="cannot be used") as caught:
        Page(page.predictor, Folder(Path("second")), page.server_port)
    assert "--port 0" in caught.value.hint


@pytest.mark.slow
def test_the_command_says_where_it_is_and_ends_with_ctrl_c(run):
    command = [
        sys.executable,
        "-m",
        "ferdata.cli",
        "predict",
        str(run),
        "--serve",
        "--port",
        "0",
        "--detect",
        "haar",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.endswith("Ended.\n")
    assert err == ""


def video(path, pictures, seconds=20):
    """Write pictures as an uncompressed video, which Chromium takes for what its camera sees."""
    with path.open("wb") as file:
        height, width = pictures[0].shape[:2]
        file.write(f"YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420jpeg\n".encode())
        for i in range(5 * seconds):
            file.write(b"FRAME\n" + cv2.cvtColor(pictures[i % len(pictures)], cv2.COLOR_RGB2YUV_I420).tobytes())


def camera(tmp_path):
    """Return the flags of a browser whose camera shows a face left of the middle."""
    seen = np.full((480, 640, 3), 200, np.uint8)
    seen[120:360, 40:280] = portrait()
    video(tmp_path / "camera.y4m", [seen])
    return (
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'camera.y4m'}",
    )  # fmt: skip


def drop(chromium, name, data, kind):
    """Drop a file onto the page."""
    chromium.run(
        f"(() => {{ const data = new DataTransfer(), bytes = new Uint8Array({json.dumps(list(data))}); "
        f"data.items.add(new File([bytes], '{name}', {{type: '{kind}'}})); "
        "document.dispatchEvent(new DragEvent('drop', {dataTransfer: data})); })()"
    )


def visit(chromium, page, window):
    """Open the page in a window of that width and height, and wait until nothing moves any more."""
    width, height = window
    chromium.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    chromium.open(page.url)
    chromium.until("document.getElementById('about').textContent.includes('face detector: haar')")


def text(chromium, selector):
    return chromium.run(f"document.querySelector('{selector}').innerText")


SHOTS = Path(os.environ.get("FERDATA_TEST_ARTEFACTS", REPOSITORY / "build" / "screenshots")) / "camera"
DESK, PHONE = (1280, 720), (390, 844)
# Whether all of an element is in the window.
INSIDE = """[...document.querySelectorAll('{}')].every((one) => {{
    const {{ left, top, right, bottom, width }} = one.getBoundingClientRect();
    return width > 0 && left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight; }})"""
WHOLE = "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"


@pytest.mark.slow
def test_a_browser_with_a_camera_draws_boxes_and_bars_and_a_dropped_picture_too(page, tmp_path):
    with browser(tmp_path, *camera(tmp_path)) as chromium:
        visit(chromium, page, DESK)
        assert text(chromium, "#record") == page.about["record"]
        chromium.click("document.getElementById('camera')")
        chromium.until("document.querySelectorAll('article').length === 1")
        assert text(chromium, ".number") == "1"
        assert chromium.run("document.querySelectorAll('dl dt').length") == len(page.about["classes"])
        widths = chromium.run("[...document.querySelectorAll('dl .bar i')].map((bar) => parseFloat(bar.style.width))")
        assert sum(widths) == pytest.approx(100, abs=0.1)
        # The face is left of the middle, and the picture is shown as in a mirror: its frame is on the right.
        drawn = (
            "new Uint32Array(boxes.getContext('2d').getImageData({} * boxes.width, 0, {} * boxes.width, boxes.height)"
        )
        drawn += ".data.buffer).some((p) => p !== 0)"
        assert chromium.run(drawn.format(0.5, 0.5))
        assert not chromium.run(drawn.format(0, 0.4))
        chromium.until("document.getElementById('status').textContent.startsWith('1 face, ')")
        chromium.screenshot(SHOTS / "camera.png")
        first = chromium.run("verdict(drawn[0].faces[0])[0]")
        colour = [int(page.about["colours"][first][i : i + 2], 16) for i in (1, 3, 5)]
        stage = decode((SHOTS / "camera.png").read_bytes())[100:640, 420:900].astype(int)
        assert (np.abs(stage - colour).max(2) < 12).sum() > 1000  # a frame and a name that can be seen
        chromium.click("document.getElementById('stop')")
        assert chromium.run("video.srcObject === null && document.querySelectorAll('article').length === 0")
        drop(chromium, "me.png", encode_png(portrait()), "image/png")
        chromium.until("document.getElementById('status').textContent === 'me.png: 1 face'")
        drop(chromium, "notes.txt", b"no picture", "text/plain")
        assert text(chromium, "#trouble") == "notes.txt is not a picture. Drop a JPEG, PNG or WebP."
        assert chromium.complaints == []


@pytest.mark.slow
@pytest.mark.parametrize("window", [DESK, PHONE])
def test_picture_verdict_and_stop_fit_one_window(page, tmp_path, window):
    square = showing(2, scenes(240, [(0, 0), (300, 240)], 700, 700))
    with browser(tmp_path, *camera(tmp_path)) as chromium:
        visit(chromium, page, window)
        chromium.click("document.getElementById('camera')")
        chromium.until("document.querySelectorAll('article').length === 1")
        for what in ("#video", "#stop", "article", "footer"):
            assert chromium.run(INSIDE.format(what)), what
        assert chromium.run(WHOLE)
        chromium.screenshot(SHOTS / f"camera-{window[0]}.png")
        drop(chromium, "two.png", encode_png(square), "image/png")
        chromium.until("document.getElementById('status').textContent === 'two.png: 2 faces'")
        for what in ("#picture", "#stop", "article", "footer"):
            assert chromium.run(INSIDE.format(what)), what
        assert chromium.run(WHOLE)
        assert chromium.run("[...document.querySelectorAll('.number')].map((one) => one.innerText).join()") == "1,2"


@pytest.mark.slow
def test_a_near_tie_is_shown_as_one_and_a_clear_answer_as_one_name(tmp_path):
    """Of the same net's answers: under a high temperature all classes are as likely, under a low one it is sure."""
    said = {}
    for temperature in (1000.0, 0.001):
        run = untaught(tmp_path / f"at-{temperature}", temperature=temperature)
        with serving(run) as page, browser(tmp_path / f"browser-{temperature}") as chromium:
            visit(chromium, page, DESK)
            drop(chromium, "me.png", encode_png(portrait()), "image/png")
            chromium.until("document.querySelectorAll('article').length === 1")
            leads = chromium.run("[...document.querySelectorAll('dt.leads')].map((one) => one.innerText)")
            said[temperature] = leads, text(chromium, "h2"), text(chromium, "h2 + p")
    (two, title, note), (one, name, sure) = said.values()
    assert len(two) == 2
    assert title in (f"{two[0]} or {two[1]}", f"{two[1]} or {two[0]}")
    assert note.startswith("near-tie: 1")
    assert (one, sure) == ([name], "confidence 100%")


@pytest.mark.slow
@pytest.mark.parametrize("window", [DESK, PHONE])
def test_without_a_camera_the_page_says_what_to_allow_and_that_a_picture_can_be_dropped(page, tmp_path, window):
    with browser(tmp_path, "--use-fake-device-for-media-stream") as chromium:
        visit(chromium, page, window)
        chromium.call("Browser.setPermission", permission={"name": "camera"}, setting="denied", origin=page.url)
        chromium.click("document.getElementById('camera')")
        chromium.until("document.getElementById('trouble').textContent")
        assert "choose Allow, and try again" in text(chromium, "#trouble")
        assert "or drop a picture here" in text(chromium, "#welcome")
        assert chromium.run(INSIDE.format("#trouble, #camera, label"))
        assert chromium.run(WHOLE)
        chromium.screenshot(SHOTS / f"no-camera-{window[0]}.png")
        chromium.call("Browser.setPermission", permission={"name": "camera"}, setting="granted", origin=page.url)
        chromium.click("document.getElementById('camera')")
        chromium.until("!document.getElementById('video').hidden")
        assert text(chromium, "#trouble") == ""
