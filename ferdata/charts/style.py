"""How every chart looks, and the file that it becomes: one palette, one grid, one title; as PNG, PDF or SVG.

A hue of `ferdata.labels.COLOURS` is a class and nothing else. What is of all classes together has the violets of the
confusion matrix, and what only explains has the ink of the text.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferdata.errors import BadOption, CannotWrite
from ferdata.running.whole_file import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
VECTOR = FORMATS[1:]
INK, FAINT, PALE, NO_DATA = "#333333", "#6f6f6f", "#e6e6e6", "#f2f2f2"
SEQUENTIAL = "Purples"  # of matplotlib's maps, with no class's hue; from 0 to 100 %
STRONG, SOFT = "#54278f", "#9e9ac8"  # two of its shades
# The same chart gives the same bytes on each day.
METADATA: Mapping[str, dict[str, Any]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}

Chart = Callable[[str], bytes]  # what draws a chart in the format that it is given


def check_formats(forms: Sequence[str]) -> None:
    """Raise BadOption, before the work, for a format that no chart can have."""
    if strange := [form for form in forms if form not in FORMATS]:
        raise BadOption(f"A chart cannot be {strange[0]!r}.", f"Choose one of {', '.join(FORMATS)}.")


def format_of(path: Path) -> str:
    """Return the format that a file's ending names. Raises BadOption for one that no chart has."""
    form = path.suffix[1:].lower()
    if form not in FORMATS:
        raise BadOption(f"A plot cannot be {path.suffix or 'a file without suffix'!r}.", "Use .png, .svg or .pdf.")
    return form


def write_file(path: Path, chart: Chart) -> None:
    """Write a chart in the format of its ending. Raises BadOption for one that there is not, CannotWrite."""
    form, hint = format_of(path), "Choose another file with --plot."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"Cannot write {path}: {error.strerror}.", hint) from None
    write_whole(path, chart(form), hint)


def as_bytes(figure: "Figure", form: str) -> bytes:
    """Return the figure as a file of one of FORMATS."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)  # no window system is asked for
    buffer = io.BytesIO()
    # TrueType, since many publishers refuse PDF's Type 3 fonts.
    with matplotlib.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "ferdata"}):
        figure.savefig(buffer, format=form, dpi=160, metadata=METADATA[form])
    return buffer.getvalue()


def write(folder: Path, charts: Mapping[str, Chart], forms: Sequence[str]) -> list[Path]:
    """Write each chart into the folder under its name, as a file of each of the formats; return where they are."""
    written = []
    for name, chart in charts.items():
        for form in dict.fromkeys(forms):
            path = folder / f"{name}.{form}"
            write_whole(path, chart(form))
            written.append(path)
    return written


def heading(figure: "Figure", text: str) -> None:
    """Set what the chart is of above it, at the left."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)


def quiet(axes: "Axes", along: str) -> None:
    """Leave only what is read: pale lines along one axis ("x" or "y"), no box."""
    axes.grid(axis="x" if along == "x" else "y", color=PALE, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#aaaaaa")
    axes.tick_params(color="#aaaaaa", labelcolor=INK, labelsize=9)
