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
from tests.zoo.untaught import untaught
from zoo.deploy.predict import Predictor
from zoo.deploy.webcam_server import ADDRESS, LARGEST, Page


def portrait(side=240):
    """A drawn face that Haar finds."""
    looking = detectors.make("haar")
    for seed in range(20):
        drawn = paint(person(seed), expression("happiness", 1.0, 0), scene(seed, plain=True), side, side)
        if looking(drawn):
            return drawn
    raise AssertionError("Haar finds none of the drawn faces")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untaught(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(scope="module")
def page(run):
    with Page(Predictor(run, device="cpu", detect="haar", scenes=True), "first", 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


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
    with pytest.raises(BadOption, match="cannot be had") as caught:
        Page(page.predictor, "second", page.server_port)
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


def film(path, pictures, seconds=20):
    """Write pictures as an uncompressed film, which Chromium takes for what its camera sees."""
    with path.open("wb") as file:
        height, width = pictures[0].shape[:2]
        file.write(f"YUV4MPEG2 W{width} H{height} F5:1 Ip A1:1 C420jpeg\n".encode())
        for i in range(5 * seconds):
            file.write(b"FRAME\n" + cv2.cvtColor(pictures[i % len(pictures)], cv2.COLOR_RGB2YUV_I420).tobytes())


@pytest.mark.slow
def test_a_browser_with_a_camera_draws_boxes_and_bars_and_a_dropped_picture_too(page, tmp_path):
    seen = np.full((480, 640, 3), 200, np.uint8)
    seen[120:360, 40:280] = portrait()
    film(tmp_path / "camera.y4m", [seen])
    flags = (
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={tmp_path / 'camera.y4m'}",
    )  # fmt: skip
    with browser(tmp_path, *flags) as chromium:
        chromium.open(page.url)
        chromium.until("document.getElementById('about').textContent.includes('faces by haar')")
        chromium.run("document.getElementById('camera').click()")
        chromium.until("document.querySelectorAll('article').length === 1")
        assert chromium.run("document.querySelectorAll('dl dt').length") == len(page.about["classes"])
        widths = chromium.run("[...document.querySelectorAll('dl .bar i')].map((bar) => parseFloat(bar.style.width))")
        assert sum(widths) == pytest.approx(100, abs=0.1)
        # The face is left of the middle, and the picture is shown as in a mirror: its frame is on the right.
        drawn = "new Uint32Array(boxes.getContext('2d').getImageData({}, 0, 320, 480).data.buffer).some((p) => p !== 0)"
        assert chromium.run(drawn.format(320))
        assert not chromium.run(drawn.format(0).replace("320, 480", "260, 480"))
        chromium.until("document.getElementById('status').textContent.startsWith('1 face, ')")
        shot = Path(os.environ.get("FERDATA_TEST_ARTEFACTS", tmp_path)) / "camera.png"
        chromium.screenshot(shot)
        colour = [int(page.about["colours"][chromium.run("document.querySelector('h2').textContent")][i : i + 2], 16)
                  for i in (1, 3, 5)]  # fmt: skip
        stage = decode(shot.read_bytes())[100:640, 420:800].astype(int)
        assert (np.abs(stage - colour).max(2) < 12).sum() > 1000  # a frame and a name that can be seen
        chromium.run("document.getElementById('stop').click()")
        assert chromium.run("video.srcObject === null && document.querySelectorAll('article').length === 0")
        bytes_of = json.dumps(list(encode_png(portrait())))
        chromium.run(
            f"(() => {{ const data = new DataTransfer(), bytes = new Uint8Array({bytes_of}); "
            "data.items.add(new File([bytes], 'me.png', {type: 'image/png'})); "
            "document.dispatchEvent(new DragEvent('drop', {dataTransfer: data})); })()"
        )
        chromium.until("document.getElementById('status').textContent === 'me.png: 1 face'")
        assert chromium.complaints == []
