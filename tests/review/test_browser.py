"""The App itself, in a browser: a view is chosen, labels are corrected there, and `pull` brings exactly those back."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ferdata import ledger
from ferdata.manifest import Manifest
from tests.browser import Browser, browser
from tests.conftest import REPOSITORY
from tests.review.conftest import Mongod
from tests.review.faces import ROWS, SUSPECT, ferplus
from tests.review.test_review import free_port

SHOTS = Path(os.environ.get("FERDATA_TEST_ARTEFACTS", REPOSITORY / "build" / "screenshots")) / "review"
VIEWS = "document.querySelector('[data-cy=saved-views-selection] [role=combobox]')"
BAR = "document.getElementById('ferdata-left')"
TILES = "[...document.querySelectorAll('[data-cy=looker]')].filter(e => e.getBoundingClientRect().width > 0)"
CHOICE = "[...document.querySelectorAll('[data-cy=modal] label')].find(e => e.textContent == '{}')"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ferdata.cli", *map(str, arguments)]


@pytest.mark.slow
def test_labels_corrected_in_the_browser_come_back(fo: Any, mongod: Mongod, tmp_path: Path) -> None:
    made = ferplus(tmp_path)
    assert Manifest(made).rows >= ROWS
    port = free_port()
    with (tmp_path / "said").open("w+") as said:
        running = subprocess.Popen(
            command("review", made, "--no-browser", "--port", port, "--by", "anna"),
            stdout=said, stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            url = wait_for_app(running, tmp_path / "said")
            with browser(tmp_path, "--window-size=1500,950") as tab:
                chosen = correct(tab, url)
        finally:
            os.killpg(running.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
            code = running.wait(timeout=60)
    text = (tmp_path / "said").read_text()
    assert code == 0, text
    assert "4 decisions wait" in text, text
    done = subprocess.run(command("review", "pull", made), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said_of = {d.sample_id: d for d in ledger.read(made.parent / "decisions.jsonl")}
    assert len(said_of) == 4
    by_tab = [d for d in said_of.values() if d.evidence["via"] == "annotate"]
    by_operator = [d for d in said_of.values() if d.evidence["via"] == "operator"]
    assert [d.new for d in by_operator] == ["fear"] * 3
    assert [d.new for d in by_tab] == [chosen]
    assert {d.by for d in said_of.values()} == {"anna"}
    table = Manifest(made).table("sample_id", "reviewed_label", "issues").to_pylist()
    reviewed = {r["sample_id"]: r["reviewed_label"] for r in table if r["reviewed_label"]}
    suspects = {r["sample_id"] for r in table if r["issues"]}
    assert set(said_of) <= suspects
    pixels = {d.pixel_hash for d in said_of.values()}
    hashes = Manifest(made).table("sample_id", "pixel_hash").to_pylist()
    assert set(reviewed) == {r["sample_id"] for r in hashes if r["pixel_hash"] in pixels}  # copies are told with them


def wait_for_app(running: "subprocess.Popen[bytes]", said: Path) -> str:
    end = time.monotonic() + 300
    while "App " not in said.read_text():
        assert running.poll() is None, said.read_text()
        assert time.monotonic() < end, said.read_text()
        time.sleep(0.5)
    return next(line.split()[1] for line in said.read_text().splitlines() if line.startswith("App "))


def correct(tab: Browser, url: str) -> str:
    """Choose the view, relabel three faces by a keystroke and one in the Annotate tab; return its new label."""
    tab.open(url)
    tab.until(f"{BAR} && {BAR}.textContent.includes('left') && {TILES}.length > 6")
    total = tab.run(f"{BAR}.textContent.split(' of ')[1].split(' ')[0].replace(',', '')")
    assert int(total) >= ROWS
    tab.screenshot(SHOTS / "1-the-whole-set.png")

    choose(tab)
    tab.until(f"{TILES}.length > 6")
    time.sleep(2)  # the grid moves while it loads
    tab.screenshot(SHOTS / "3-suspect-labels.png")

    for i in range(3):
        tab.click(f"{TILES}[{i}]", 12, 15)
        time.sleep(0.5)
    tab.screenshot(SHOTS / "4-three-selected.png")
    tab.key("7")  # fear
    tab.until(f"{BAR}.textContent.includes('{SUSPECT - 3} of {SUSPECT} left, 3 to pull')")
    time.sleep(3)
    tab.screenshot(SHOTS / "5-three-relabelled.png")

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
    tab.screenshot(SHOTS / "6-the-annotate-tab.png")
    tab.click(CHOICE.format(new.replace("'", "\\'")))
    time.sleep(4)  # the App saves by itself
    tab.screenshot(SHOTS / "7-annotated.png")
    tab.key("Escape")
    tab.open(url)
    tab.until(f"{BAR} && {BAR}.textContent.includes('4 to pull')")
    tab.until(f"{TILES}.length > 6")
    time.sleep(2)
    tab.screenshot(SHOTS / "8-four-to-pull.png")
    return "unknown" if new == "can't tell" else new


def choose(tab: Browser) -> None:
    """Choose the view in its list; a busy App may take the choice and show nothing of it, so it is chosen again."""
    for attempt in range(3):
        while not tab.run("document.querySelectorAll('[role=option]').length > 0"):
            tab.click(VIEWS)  # a first click may only close what the App shows to newcomers
            time.sleep(1)
        tab.screenshot(SHOTS / "2-the-saved-views.png")
        tab.click("[...document.querySelectorAll('[role=option]')].find(e => e.textContent.includes('Suspect labels'))")
        try:
            tab.until(f"{BAR}.textContent.includes('{SUSPECT} of {SUSPECT} left')", seconds=60)
            break
        except AssertionError:
            if attempt == 2:
                raise
            tab.open(tab.run("location.origin + location.pathname"))
            tab.until(f"{BAR} && {BAR}.textContent.includes('left') && {TILES}.length > 6")
    assert tab.run("location.search.includes('view=suspect-labels')")
