"""The App itself, in a browser: what is decided there is decided on the face that was meant, and comes back."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferdata.labels import COLOURS
from ferdata.manifest import Manifest
from ferdata.reviewing import ledger
from tests.browser import Browser, browser
from tests.conftest import REPOSITORY, MakeManifest
from tests.reviewing.fiftyone.conftest import Mongod
from tests.reviewing.fiftyone.faces import ROWS, ferplus, said_of
from tests.reviewing.fiftyone.loaded import free_port, shown

SHOTS = Path(os.environ.get("FERDATA_TEST_ARTEFACTS", REPOSITORY / "build" / "screenshots")) / "review"
TICKED = "document.querySelector('[data-cy=action-manage-selected]')?.textContent"  # how many faces are
VIEWS = "document.querySelector('[data-cy=saved-views-selection] [role=combobox]')"
BAR = "document.getElementById('ferdata-left')"
TILES = "[...document.querySelectorAll('[data-cy=looker]')].filter(e => e.getBoundingClientRect().width > 0)"
TOLD = "[...document.querySelectorAll('[data-cy=tag-decision]')].filter(e => e.textContent == '{}').length >= {}"
CHOICE = "[...document.querySelectorAll('[data-cy=modal] label')].find(e => e.textContent == '{}')"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ferdata.cli", *map(str, arguments)]


@pytest.mark.slow
def test_labels_corrected_in_the_browser_come_back(fo: Any, mongod: Mongod, tmp_path: Path) -> None:
    made, rows = audited(tmp_path)
    suspects = list(dict.fromkeys(rows))
    assert Manifest(made).rows >= ROWS
    with app(tmp_path, made, "--predictions", tmp_path / "said.parquet") as (tab, url):
        chosen = correct(tab, url, rows)
    text = (tmp_path / "said").read_text()
    assert "To pull, decisions on 5 of its pictures" in text, text
    done = subprocess.run(command("review", "pull", made), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = ledger.read(made.parent / "decisions.jsonl")
    by_tab = [d for d in said if d.evidence["via"] == "annotate"]
    by_operator = {d.pixel_hash: (d.new, d.status == "confirmed") for d in said if d.evidence["via"] == "operator"}
    fourth = by_operator[suspects[3]][0]
    assert by_operator == dict.fromkeys(suspects[:3], ("fear", False)) | {suspects[3]: (fourth, True)}
    assert [(d.pixel_hash, d.new) for d in by_tab] == [(suspects[4], chosen)]
    assert {d.by for d in said} == {"anna"}
    table = Manifest(made).table("sample_id", "reviewed_label", "pixel_hash").to_pylist()
    told = {r["sample_id"] for r in table if r["pixel_hash"] in suspects[:5]}  # copies are told with them
    assert {r["sample_id"] for r in table if r["reviewed_label"]} == told


@pytest.mark.slow
def test_a_key_decides_on_the_open_face_alone_whatever_is_ticked_and_ends_the_selection(
    fo: Any, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    made = make_manifest(*[{"native_label": "anger", "official_split": "train"}] * 12)
    with app(tmp_path, made) as (tab, url):
        tab.open(url)
        tab.until(f"{BAR} && {BAR}.textContent.includes('decided')")
        tab.key("t")  # stay on a face that is decided
        tick(tab, 0)
        still(tab)
        tab.click(f"{TILES}[3]")
        first = opened(tab)
        tab.until(painted("anger"))
        tab.key("6")
        tab.until(count(1, 12, 1))
        assert decided(fo, made) == {first: "disgust"}
        tab.until(told(f"{first} is now disgust."))
        tab.until(f"{entry('decision')} == 'relabelled' && {entry('decided_by')} == 'anna' && {painted('disgust')}")
        tab.until(f"!({TICKED} > 0)")
        tab.screenshot(SHOTS / "11-an-open-face-relabelled.png")

        tab.click("document.querySelector('[data-cy=nav-right-button]')")
        second = opened(tab, after=first)
        tab.key("y")
        tab.until(told(f"{second} is now confirmed"))
        tab.until(f"{entry('decision')} == 'confirmed'")
        tab.key("u")
        tab.until(told(f"{second} is as before"))
        tab.until(f"{entry('decision')} == 'None'")
        tab.key("7")
        tab.until(told(f"{second} is now fear"))
        tab.until(f"{entry('decision')} == 'relabelled' && {painted('fear')}")
        assert decided(fo, made) == {first: "disgust", second: "fear"}

        tab.click("document.querySelector('[data-cy=nav-left-button]')")
        assert opened(tab, after=second) == first
        tab.until(f"{entry('decision')} == 'relabelled' && {painted('disgust')}")
        tab.click("document.querySelector('[data-cy=nav-right-button]')")
        assert opened(tab, after=first) == second
        tab.until(f"{entry('decision')} == 'relabelled' && {painted('fear')}")

        shut(tab)
        tick(tab, 0)
        tick(tab, 3, ticked=2)
        tab.key("2")
        tab.until(told("2 are now happiness"))
        tab.until(count(3, 12, 3))
        tab.until(f"!({TICKED} > 0)")
        (ticked,) = decided(fo, made).keys() - {first, second}
        assert decided(fo, made) == {first: "happiness", second: "fear", ticked: "happiness"}
        tab.until(TOLD.format("relabelled", 3))
        still(tab)
        tab.click(f"{TILES}[3]")  # the App was given this one long before
        assert opened(tab) == first
        tab.until(painted("happiness"))
        tab.screenshot(SHOTS / "12-opened-again.png")
        shut(tab)


# The App asks for the operators of plugins late, as on a busy machine.
LATE = """
const ask = window.fetch;
window.fetch = async (where, ...how) => {
    if (String(where.url || where).endsWith('/operators')) await new Promise((go) => setTimeout(go, 4000));
    return ask(where, ...how);
};
"""
CARD = "document.getElementById('ferdata-card')"
# The contrast between text and ground of what a selector finds, by WCAG's formula; the worst of them.
CONTRAST = """(() => {
    const light = (colour) => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    return Math.min(...[...document.querySelectorAll('%s')].map((e) => {
        const pair = [getComputedStyle(e).color, getComputedStyle(e).backgroundColor].map(light);
        return Math.max(...pair) / Math.min(...pair);
    }));
})()"""
# How many pixels of the open face's middle line are like the one before; hard pixels stand in blocks of five alike.
ALIKE = """(() => {
    const canvas = document.querySelector('[data-cy=modal] canvas'), w = canvas.width, y = canvas.height >> 1;
    const seen = canvas.getContext('2d').getImageData(0, y, w, 1).data;
    let same = 0;
    for (let x = 1; x < w; x++) same += seen[4 * x] === seen[4 * (x - 1)];
    return same / w;
})()"""


@pytest.mark.slow
def test_an_annotator_goes_from_face_to_face_and_back_and_sees_what_speaks_for_each_label(
    fo: Any, make_manifest: MakeManifest, tmp_path: Path
) -> None:
    votes = [[7 * (w == word) + 3 * (w == "fear") for w in COLOURS] + [0, 0] for word in COLOURS]
    rows = [{"native_label": w, "votes": v, "official_split": "train"} for w, v in zip(COLOURS, votes, strict=True)]
    made = make_manifest(*rows)
    said = {"sample_id": [f"made:{i:04}" for i in range(8)], "predicted": ["surprise"] * 8, "confidence": [0.8] * 8}
    pq.write_table(pa.table(said), tmp_path / "predicted.parquet")
    with app(tmp_path, made, "--predictions", tmp_path / "predicted.parquet") as (tab, url):
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=LATE)
        tab.open(url)
        tab.until(f"{BAR} && {BAR}.textContent.includes('decided')")
        still(tab, 8)
        assert tab.run("document.querySelectorAll('[data-cy=tag-ground_truth]').length") == len(COLOURS)
        assert tab.run(CONTRAST % "[data-cy=tag-ground_truth]") >= 4.5
        tab.screenshot(SHOTS / "13-labels-of-every-colour.png")
        choose(tab, 7, "Prediction disagrees, not decided")
        still(tab, 7)
        second, third = there_and_on(fo, made, tab)

        tab.key("u")
        assert opened(tab, after=third) == second
        tab.until(count(1, 7, 1))
        shut(tab)
        tab.key("u")  # the first face has left the view
        tab.until(count(0, 7, 0))
        assert decided(fo, made) == {}

        ground = "getComputedStyle(document.getElementById('ferdata-left')).backgroundColor"
        dark = tab.run(ground)
        tab.run("document.documentElement.setAttribute('data-mui-color-scheme', 'light')")
        assert (dark, tab.run(ground)) == ("rgb(20, 20, 20)", "rgb(250, 250, 250)")
        fonts = [complaint for complaint in tab.complaints if "fonts.googleapis.com" in complaint]
        assert fonts
        assert all('"security"' in complaint for complaint in fonts)  # never asked for


def there_and_on(fo: Any, made: Path, tab: Browser) -> tuple[str, str]:
    """Open a face, accept what is suggested, and relabel the next one with a note; return that one and the third."""
    said = f"{CARD}.style.display == 'block' && {CARD}.textContent.includes('{{}}')"
    tab.click(f"{TILES}[0]")
    first = opened(tab)
    tab.until(said.format(first))
    assert tab.run(f"[...{CARD}.querySelectorAll('.chip')].map(e => e.textContent).join()").endswith(",surprise")
    assert all(words in tab.run(f"{CARD}.textContent") for words in ("Votes, 10", "model 80%"))
    assert tab.run(CONTRAST % "#ferdata-card .chip") >= 4.5
    assert 240 <= tab.run("document.querySelector('[data-cy=modal] canvas').getBoundingClientRect().width") <= 300
    assert tab.run(ALIKE) < 0.5
    tab.screenshot(SHOTS / "14-a-face-and-what-speaks-for-its-label.png")

    tab.key("a")
    second = opened(tab, after=first)
    tab.until(count(1, 7, 1))
    assert decided(fo, made) == {first: "surprise"}
    tab.until(said.format(second))
    tab.key("n")
    for letter in "why2":  # each of them would decide
        tab.key(letter)
        tab.run("document.querySelector('[data-cy=modal] button, [data-cy=modal] [tabindex]').focus()")  # the App's
        time.sleep(1)  # the bar is counted anew in the meantime
    tab.run("document.activeElement.blur()")
    tab.until(f"{BAR}.textContent.includes('note: \"why2\"')")
    tab.key("6")
    third = opened(tab, after=second)
    tab.until(count(2, 7, 2))
    (note,) = shown(fo, made).match({"sample_id": second}).values("note")
    assert (decided(fo, made)[second], note) == ("disgust", "why2")
    return second, third


def still(tab: Browser, tiles: int = 12) -> None:
    """Wait until so many tiles are there and stay where they are: the grid moves while it loads."""
    tab.run("window.moved = [0]")
    tab.until(f"""(() => {{
        const now = JSON.stringify({TILES}.map(e => e.getBoundingClientRect()));
        moved = [now === moved[1] && {TILES}.length >= {tiles} ? moved[0] + 1 : 0, now];
        return moved[0] > 3;
    }})()""")


def tick(tab: Browser, tile: int, ticked: int = 1) -> None:
    """Tick a tile, and wait until the App counts as many as are ticked then."""
    still(tab)
    tab.click(f"{TILES}[{tile}]", 12, 15)
    tab.until(f"{TICKED} == '{ticked}'")


def opened(tab: Browser, after: str = "") -> str:
    """Wait until a face, another one than `after`, is shown alone; return its sample_id."""
    name = entry("sample_id")
    return str(tab.until(f"{name}?.includes(':') && {name} != '{after}' && {name}"))


def shut(tab: Browser) -> None:
    tab.click("document.body", 8, 500)  # beside the face
    tab.until("document.querySelector('[data-cy=modal]') === null")


def entry(field: str) -> str:
    return f"document.querySelector('[data-cy=modal] [data-cy=sidebar-entry-{field}]')?.textContent"


def painted(label: str) -> str:
    """Return what is true while the open face, which is grey, bears this label: drawn, so told by its colour."""
    wanted = [int(COLOURS[label][i : i + 2], 16) for i in (1, 3, 5)]
    return f"""(() => {{
        const canvas = document.querySelector('[data-cy=modal] canvas');
        if (!canvas) return false;
        const seen = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let same = 0;
        for (let i = 0; i < seen.length; i += 4) same += {wanted}.every((part, k) => seen[i + k] === part);
        return same > 100;
    }})()"""


def told(words: str) -> str:
    return f"[...document.querySelectorAll('[role=alert]')].some(e => e.textContent.includes('{words}'))"


def decided(fo: Any, made: Path) -> dict[str, str]:
    """Return the label of each sample that was decided on, as the database holds it."""
    rows = zip(*shown(fo, made).values(["sample_id", "ground_truth.label", "decision"]), strict=True)
    return {name: label for name, label, decision in rows if decision}


def audited(folder: Path) -> tuple[Path, list[str]]:
    """Return FER+ after `ferdata audit`, and the picture of each row it suspects, the most suspect first."""
    made, said = ferplus(folder), folder / "said.parquet"
    said_of(made, said)
    done = subprocess.run(
        command("audit", made, "--predictions", said, "--no-pixels", "-o", folder / "audited.parquet"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rows = Manifest(folder / "audited.parquet").table("pixel_hash", "issues", "label_quality").to_pylist()
    suspect = [r for r in rows if "suspect_label" in (r["issues"] or ())]
    assert 500 < len(suspect) < ROWS / 5
    suspect.sort(key=lambda r: r["label_quality"])
    pictures = [r["pixel_hash"] for r in suspect]
    assert len(set(pictures[:5])) == 5  # so that a tile is a picture
    return folder / "audited.parquet", pictures


@contextlib.contextmanager
def app(folder: Path, made: Path, *more: object) -> Iterator[tuple[Browser, str]]:
    """Show a manifest in the App; yield a browser and the App's address. What it says is in `folder`/said."""
    port = free_port()
    asked = command("review", made, *more, "--no-browser", "--port", port, "--by", "anna")
    with (folder / "said").open("w+") as said:
        running = subprocess.Popen(
            asked, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            url = wait_for_app(running, folder / "said")
            with browser(folder, "--window-size=1500,950") as tab:
                yield tab, url
        finally:
            os.killpg(running.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
            code = running.wait(timeout=180)
    assert code == 0, (folder / "said").read_text()


def wait_for_app(running: "subprocess.Popen[bytes]", said: Path) -> str:
    end = time.monotonic() + 300
    while "App " not in said.read_text():
        assert running.poll() is None, said.read_text()
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.5)
    return next(line.split()[1] for line in said.read_text().splitlines() if line.startswith("App "))


def correct(tab: Browser, url: str, rows: list[str]) -> str:
    """Relabel three suspects and confirm one by a keystroke, and edit one in the Annotate tab; return its new label.

    `rows` are the pictures of the suspects, the most suspect first, one for each row.
    """
    tab.open(url)
    tab.until(f"{BAR} && {BAR}.textContent.includes('decided') && {TILES}.length > 6")
    time.sleep(2)
    tab.screenshot(SHOTS / "1-the-whole-set.png")
    assert not tab.run("document.body.innerText.includes('Accelerate your workflow')")  # it would cover faces
    assert tab.run("document.getElementById('ferdata-left').querySelectorAll('kbd').length") == 15

    def left(pictures: int) -> str:
        done = sum(row in rows[:pictures] for row in rows)  # copies are decided with them
        return count(done, len(rows), pictures)

    choose(tab, len(rows))
    tab.until(f"{TILES}.length > 6")
    time.sleep(2)  # the grid moves while it loads
    tab.screenshot(SHOTS / "3-suspect-labels.png")

    for i in range(3):
        tab.click(f"{TILES}[{i}]", 12, 15)
        time.sleep(0.5)
    tab.screenshot(SHOTS / "4-three-selected.png")
    tab.key("7")  # fear
    time.sleep(3)
    tab.screenshot(SHOTS / "5-three-relabelled.png")
    tab.until(left(3))
    tab.until(TOLD.format("relabelled", 3))
    tab.screenshot(SHOTS / "5-three-relabelled.png")
    still(tab, 7)
    tab.click(f"{TILES}[3]", 12, 15)
    time.sleep(0.5)
    tab.key("y")
    tab.until(left(4))
    tab.until(TOLD.format("confirmed", 1))
    tab.screenshot(SHOTS / "6-one-confirmed.png")

    new = annotate(tab)
    tab.until(left(5))
    tab.until(TOLD.format("relabelled", 4), seconds=30)  # without anybody loading the page anew
    tab.screenshot(SHOTS / "9-five-to-pull.png")
    choose(tab, sum(row not in rows[:5] for row in rows), "Suspect labels, not decided")
    tab.until(f"{TILES}.length > 6")
    time.sleep(2)
    tab.screenshot(SHOTS / "10-not-decided.png")
    return new


def count(done: int, of: int, waiting: int) -> str:
    pictures = "picture" if waiting == 1 else "pictures"
    return f"{BAR}.textContent.includes('{done:,} of {of:,} decided, {waiting} {pictures} to pull')"


def annotate(tab: Browser) -> str:
    """Give the fifth face another label in the Annotate tab, and close it."""
    still(tab, 7)
    tab.click(f"{TILES}[4]")
    tab.until("document.querySelector('[data-cy=annotate]') !== null")
    time.sleep(1)
    tab.click("document.querySelector('[data-cy=annotate]')")
    row = "[...document.querySelectorAll('[data-cy=modal] div')].filter(e => {} == e.textContent).pop()"
    words = "['neutral','happiness','surprise','sadness','anger','disgust','fear','contempt']"
    label = f"{words}.find(w => [...document.querySelectorAll('[data-cy=modal] div')].some(e => e.textContent == w))"
    before = tab.until(label)
    new = "can't tell" if before == "disgust" else "disgust"
    tab.click(row.format(repr(before)))
    tab.until(CHOICE.format("disgust") + " !== undefined")
    tab.screenshot(SHOTS / "7-the-annotate-tab.png")
    tab.click(CHOICE.format(new.replace("'", "\\'")))
    time.sleep(4)  # the App saves by itself
    tab.screenshot(SHOTS / "8-annotated.png")
    for _ in range(5):  # a click beside the face closes it, first perhaps only the edit
        tab.click("document.body", 8, 500)
        time.sleep(1.5)
        if not tab.run("document.querySelector('[data-cy=modal]') !== null"):
            break
    return "unknown" if new == "can't tell" else new


def choose(tab: Browser, n: int, name: str = "Suspect labels") -> None:
    """Choose the view in its list; a busy App may take the choice and show nothing of it, so it is chosen again."""
    option = f"[...document.querySelectorAll('[role=option]')].find(e => e.textContent.trim() == '{name}')"
    for attempt in range(3):
        while not tab.run("document.querySelectorAll('[role=option]').length > 0"):
            tab.click(VIEWS)
            time.sleep(1)
        if name == "Suspect labels":
            tab.screenshot(SHOTS / "2-the-saved-views.png")
        tab.click(option)
        try:
            tab.until(f"{BAR}.textContent.includes('0 of {n:,} decided')", seconds=60)
            break
        except AssertionError:
            if attempt == 2:
                raise
            tab.open(tab.run("location.origin + location.pathname"))
            tab.until(f"{BAR} && {BAR}.textContent.includes('decided') && {TILES}.length > 6")
    assert tab.run(f"location.search.includes('view={name.split()[0].lower()}-')")
