"""Names in any script: drawn where a font has their letters, numbered and explained where none has."""

import warnings
from io import BytesIO
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ferdata.charts import lettering as module
from ferdata.charts.lettering import key, lettering

CHINESE = ("高兴", "生气", "难过")


def drawn(names: tuple[str, ...]) -> np.ndarray:
    """Return a picture of the names, as a chart draws them, grey; a warning is an error."""
    with lettering(names) as words:
        figure = Figure(figsize=(3, 1.2))
        for i, name in enumerate(names):
            figure.text(0.1, 0.8 - 0.3 * i, words[name], fontsize=16)
        figure.text(0.5, 0.8, "bold", fontweight="bold")
        FigureCanvasAgg(figure)
        file = BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure.savefig(file, format="png")
    return cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_GRAYSCALE)


@pytest.fixture
def chinese_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a font, for this test, in which each of the letters is a solid square."""
    letters = "".join(CHINESE)
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", *(f"letter{i}" for i in range(len(letters)))]
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 800), (800, 800), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names[1:], strict=True)})
    builder.setupGlyf(dict.fromkeys(names, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares of a test", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = tmp_path / "squares.ttf"
    builder.save(path)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(path)])  # as if it lay in the system's folder
    module._fonts.cache_clear()
    yield "Squares of a test"
    module._fonts.cache_clear()


@pytest.fixture
def no_further_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have only what matplotlib brings along, wherever this test runs."""
    own = [font for font in font_manager.fontManager.ttflist if "mpl-data" in font.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    module._fonts.cache_clear()
    yield
    module._fonts.cache_clear()


def test_a_font_with_the_letters_is_found_among_those_installed_after_matplotlib_looked(
    chinese_font: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = list(matplotlib.rcParams["font.family"])
    with lettering(CHINESE) as words:
        assert words == {name: name for name in CHINESE}
        assert matplotlib.rcParams["font.family"] == [*before, chinese_font]
    assert matplotlib.rcParams["font.family"] == before
    assert key(CHINESE) == ""
    ink = (drawn(CHINESE) < 128).mean()
    assert ink > 3 * (drawn(("(1)", "(2)", "(3)")) < 128).mean()  # six solid squares
    assert caplog.records == []  # not that the font has no bold face


@pytest.mark.usefixtures("no_further_font")
def test_names_that_no_font_has_are_numbers_with_a_key_and_others_stay() -> None:
    names = ("neutral", *CHINESE)
    with lettering(names) as words:
        assert words == {"neutral": "neutral", "高兴": "(2)", "生气": "(3)", "难过": "(4)"}
    assert key(names).startswith("In the charts: (2) 高兴, (3) 生气, (4) 难过. No font")
    assert np.array_equal(drawn(CHINESE), drawn(("(1)", "(2)", "(3)")))


@pytest.mark.usefixtures("no_further_font")
@pytest.mark.parametrize("names", [("радость", "злость"), ("Überraschung", "dégoût"), ("θυμός",)])
def test_cyrillic_greek_and_accents_are_drawn_as_they_are(names: tuple[str, ...]) -> None:
    assert key(names) == ""
    assert not np.array_equal(drawn(names), drawn(("(1)", "(2)")[: len(names)]))


@pytest.mark.usefixtures("no_further_font")
def test_an_accent_of_its_own_is_the_same_name() -> None:
    assert key(("de\u0301gou\u0302t",)) == ""
    assert np.array_equal(drawn(("de\u0301gou\u0302t",)), drawn(("dégoût",)))


@pytest.mark.usefixtures("no_further_font")
def test_arabic_is_numbered_where_matplotlib_cannot_join_its_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    arabic = ("سعيد", "غاضب")
    monkeypatch.delattr("matplotlib.ft2font.__libraqm_version__", raising=False)
    module._fonts.cache_clear()
    assert key(arabic).startswith("In the charts: (1) سعيد, (2) غاضب.")


def test_a_dollar_is_no_mathematics() -> None:
    with lettering(("$a$", "b")) as words:
        assert words == {"$a$": r"\$a\$", "b": "b"}
    drawn(("$\\frac$",))
