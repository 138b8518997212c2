"""The page in a real browser: what is seen first, what stands side by side, what a click, a slider and a link do."""

import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferdata import manifest
from ferdata.reviewing.fiftyone import listed
from ferdata.steps.audit import audit
from tests.browser import Browser, browser
from tests.conftest import make_rows, metadata_of

CARDS = "[...document.querySelectorAll('#cards .card')]"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with a conflict that leaks, a person on two sides, nine dark faces, and others less dark."""
    folder = tmp_path_factory.mktemp("audited")
    rows = [{"seed": i, "native_label": "sadness", "brightness": 0.011 * i, "split": "train"} for i in range(1, 30)]
    rows += [
        {"seed": 99, "native_label": "anger", "split": "train", "dataset": "one"},
        {"seed": 99, "native_label": "fear", "split": "test", "dataset": "two"},
        *({"native_label": "fear", "split": s, "dataset": "two", "subject": "p", "group": 1} for s in ("train", "val")),
    ]
    batch = make_rows(rows)
    manifest.write(folder / "made.parquet", [batch], metadata_of(batch))
    options = ["blurred=0", "dark=0.1", "imbalance=1000", "drift=9"]
    audit(folder / "made.parquet", report=folder / "page.html", threshold=options, thumbnails=12, workers=1)
    return folder / "page.html"


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Browser]:
    with browser(page.parent, "--window-size=1280,720") as chromium:
        folder = str(page.parent / "downloads")
        chromium.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
        yield chromium
        assert chromium.complaints == []


def go(opened: Browser, page: Path, view: str = "") -> Browser:
    """Open the page anew, at a view."""
    opened.open("about:blank")
    opened.open(page.as_uri() + view)
    return opened


def ids(opened: Browser) -> list[str]:
    return list(opened.run(f"{CARDS}.map(c => c.querySelector('.id').title)"))


def move(opened: Browser, threshold: float) -> None:
    slider = "document.querySelector('#chart input')"
    opened.run(f"{slider}.value = {threshold}, {slider}.dispatchEvent(new Event('input'))")


def test_pictures_of_the_gravest_finding_are_on_the_first_screen_and_empty_checks_are_folded(
    opened: Browser, page: Path
) -> None:
    go(opened, page)
    assert opened.run("document.getElementById('name').textContent") == "leak"
    assert opened.run("document.querySelector('#cards img').getBoundingClientRect().bottom") < 720
    assert opened.run("document.documentElement.scrollWidth <= innerWidth")
    names = "[...document.querySelectorAll('#nav > a')].map(a => a.hash.slice(1))"
    assert opened.run(names)[:3] == ["leak", "conflict", "dark"]
    assert opened.run("document.querySelector('#nav details [href=\"#blank\"]').checkVisibility()") is False


def test_the_two_sides_of_a_leak_stand_side_by_side_with_label_dataset_and_split(opened: Browser, page: Path) -> None:
    go(opened, page, "#leak")
    assert ids(opened) == ["one:0029", "two:0030", "two:0031", "two:0032"]
    why = "[...document.querySelectorAll('.group h3')].map(h => h.innerText)"
    assert opened.run(why) == ["train / test · same pixels · 2 rows", "train / val · same person · 2 rows"]
    tops = opened.run(f"{CARDS}.map(c => c.getBoundingClientRect().top)")
    assert tops[0] == tops[1]
    first, second, *_ = opened.run(f"{CARDS}.map(c => c.innerText)")
    assert first.startswith("anger\none · train")
    assert second.startswith("fear\ntwo · test")


def test_a_finding_has_a_link_of_its_own_and_going_back_shows_the_last_one(opened: Browser, page: Path) -> None:
    go(opened, page, "#dark")
    assert opened.run("document.getElementById('count').textContent") == (
        "9 of 33 rows: brightness (mean grey value, 0 to 1) below 0.1"
    )
    opened.click("document.querySelector('#nav [href=\"#conflict\"]')")
    opened.until("document.getElementById('name').textContent === 'conflict' && location.hash === '#conflict'")
    opened.run("history.back()")
    opened.until("document.getElementById('name').textContent === 'dark'")
    assert opened.run("document.querySelector('#nav [aria-current]').hash") == "#dark"


def test_a_moved_threshold_changes_what_is_listed_and_names_the_option_that_keeps_it(
    opened: Browser, page: Path
) -> None:
    go(opened, page, "#dark")
    assert ids(opened) == [f"made:{i:04}" for i in range(9)]
    move(opened, 0.05)
    stricter = opened.run("document.querySelector('#chart code').textContent")
    assert stricter.startswith("--threshold dark=0.0")
    assert len(ids(opened)) == 4
    move(opened, 0.21)
    assert len(ids(opened)) in (18, 19)
    said = opened.run("document.querySelector('#chart output').innerText")
    assert said.startswith(f"{len(ids(opened))} of 33 rows below 0.2"), said
    assert "audited: 9 at 0.1" in said
    opened.click("[...document.querySelectorAll('#chart button')].at(-1)")
    assert len(ids(opened)) == 9
    assert opened.run("document.querySelector('#chart code')") is None


def test_what_is_filtered_is_saved_as_a_list_that_review_takes(opened: Browser, page: Path) -> None:
    go(opened, page, "#dark")
    search = "document.getElementById('search')"
    opened.run(f"{search}.value = '2', {search}.dispatchEvent(new Event('input'))")
    move(opened, 0.05)
    opened.click("document.getElementById('csv')")
    sheet = page.parent / "downloads" / "made-dark.csv"
    end = time.monotonic() + 60
    while not sheet.exists():
        assert time.monotonic() < end, list(page.parent.rglob("*.csv"))
        time.sleep(0.1)
    assert listed.ids(sheet) == ["made:0002"]
    command = shlex.split(opened.run("document.getElementById('command').value"))
    assert command == ["ferdata", "review", str(page.with_name("made.parquet")), "--ids", "made-dark.csv"]


def test_a_click_enlarges_a_picture_with_all_its_pixels_and_escape_leads_back(opened: Browser, page: Path) -> None:
    go(opened, page, "#leak")
    opened.click("document.querySelector('#cards .face')")
    large = "document.getElementById('original')"
    opened.until(f"{large}.naturalWidth === 48 && {large}.getBoundingClientRect().width > 400")
    assert opened.run("document.getElementById('about').innerText").split()[:2] == ["label", "anger"]
    opened.click("document.getElementById('after')")
    opened.until("document.getElementById('about').innerText.includes('two:0030')")
    opened.key("Escape")
    opened.until("!document.getElementById('large').open")


def test_overviews_show_every_distribution_and_the_outliers_of_each_class(opened: Browser, page: Path) -> None:
    go(opened, page, "#distributions")
    axes = opened.run("[...document.querySelectorAll('#overview .axis')].map(a => a.innerText)")
    for name in ("brightness", "sharpness", "short side of the image"):
        assert any(name in axis for axis in axes), axes
    go(opened, page, "#classes")
    assert opened.run("document.querySelectorAll('#overview .bar').length") == 3
