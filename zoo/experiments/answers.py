"""An ablation in words: a table, and one sentence that claims no more than its seeds and its test images show."""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from zoo.evaluation import confidence, metrics
from zoo.evaluation.compare import between, points

ALPHA = 1 - confidence.LEVEL
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def is_real(found: dict[str, Any]) -> bool:
    """Say whether a difference holds over seeds and over images, after correction for the number of cells."""
    spreads = (found["over_seeds"], found["over_images"])
    return found["p_corrected"] < ALPHA and all(s is not None and not s[0] <= 0 <= s[1] for s in spreads)


def answer(report: dict[str, Any]) -> str:
    """Return the sentence."""
    rows, by = report["cells"], report["by"]
    first, others = rows[0], rows[1:]
    but = " But the test leaked into train, so that this settles nothing." if report["leak"] else ""
    if report["seeds"] < 2:
        return f"One seed cannot tell an effect from noise: give --seeds {confidence.LEAST} or more.{but}"
    real = [row for row in others if row["against_first"]["real"]]
    widest = max(others, key=lambda row: abs(row["against_first"]["difference"]))
    if not real:
        found = widest["against_first"]
        if found["seeds_alike"] and found["difference"] and report["seeds"] < enough(len(others)):
            return f"{too_few(widest['cell'], first['cell'], found, report)}{but}"
        largest = "the difference" if len(others) == 1 else "the largest difference"
        return (
            f"No difference that {number(report['seeds'])} seeds can show: {largest} in test {metrics.CALLED[by]}, of "
            f"{widest['cell']} over {first['cell']}, is {points(found['difference'])} points"
            f"{_how_sure(found, report['seeds'])}.{but}"
        )
    proven = " and ".join(
        f"{row['cell']} is {'better' if row['against_first']['difference'] > 0 else 'worse'} than {first['cell']} by "
        f"{points(abs(row['against_first']['difference']))[1:]} points of test {metrics.CALLED[by]} "
        f"({between(outer(row['against_first']))})"
        for row in real
    )
    rest = [row["cell"] for row in others if row not in real]
    unknown = f"; of {', '.join(rest)} {number(report['seeds'])} seeds show no difference" if rest else ""
    return f"On {number(report['seeds'])} seeds, {proven}{unknown}.{but}"


def _how_sure(found: dict[str, Any], seeds: int) -> str:
    """Return how far a difference that is not shown may be off, as the end of a sentence."""
    if seeds < confidence.LEAST:
        return f"; {number(seeds)} seeds give no interval: --seeds {confidence.LEAST} or more do"
    interval = outer(found)
    if interval is None:
        return ", on each seed and whichever of the test images are drawn: no interval"
    return f", and could be anything from {between(interval)}"


def too_few(cell: str, first: str, found: dict[str, Any], report: dict[str, Any]) -> str:
    """Return the sentence where every seed gives the same difference, up to one test image."""
    return (
        f"Too few seeds to tell: {cell} over {first} is {points(found['difference'])} points of test "
        f"{metrics.CALLED[report['by']]} on each of {number(report['seeds'])} seeds, to within one image, so that how "
        f"far seeds scatter is not known: give --seeds {enough(len(report['cells']) - 1)} or more."
    )


def enough(comparisons: int) -> int:
    """Return how many seeds a sign-flip test needs: its least p, 2 / 2^seeds, has to be below ALPHA after Holm's."""
    return math.floor(math.log2(2 * comparisons / ALPHA)) + 1


def outer(found: dict[str, Any]) -> tuple[float, float] | None:
    """Return the wider end on each side of the interval over seeds and that over images; None where there is none."""
    spreads = [s for s in (found["over_seeds"], found["over_images"]) if s is not None]
    if not spreads:
        return None
    return max(-1.0, min(s[0] for s in spreads)), min(1.0, max(s[1] for s in spreads))


def uneven(runs: Sequence[dict[str, Any]]) -> str | None:
    """Return a warning where a time budget gave some run fewer than half of the epochs that the median run had."""
    had = [run["epochs"] for run in runs if run.get("epochs") is not None]
    if len(had) < 2 or min(had) >= median(had) / 2:
        return None
    poorest = min(runs, key=lambda run: run.get("epochs") or 0.0)
    return (
        f"{poorest['run']} had {poorest['epochs']:.1f} epochs where the median run had {median(had):.1f}: the budget "
        "bought less there, as it does on a busy machine. What differs may be the time; --set epochs=N in place of "
        "--budget gives every run the same."
    )


def number(count: int) -> str:
    """Return a small number as a word."""
    return NUMBERS[count] if count < len(NUMBERS) else f"{count:,}"


def table(report: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a line per cell: name, mean on val, each figure on test with its interval, and against the first."""
    for row in report["cells"]:
        found = row.get("against_first")
        yield (
            row["cell"] + (" *" if row["cell"] == report["best_on_val"] else ""),
            _epochs(row["runs"]),
            f"{row['val']:.2%}",
            *(
                f"{row[name]['mean']:.2%}" + (_half(row[name]) if row[name]["interval"] else "")
                for name in metrics.HEADLINES
            ),
            "" if found is None else points(found["difference"]),
            "" if found is None else between(found["over_seeds"]),
            "" if found is None else between(found["over_images"]),
            "" if found is None else f"{found['p_corrected']:.2g}",
            "" if found is None else "yes" if found["real"] else "no",
        )


def columns(report: dict[str, Any]) -> tuple[str, ...]:
    """Return the table's heads."""
    figures = [metrics.CALLED[name] for name in metrics.HEADLINES]
    return (
        *("cell", "epochs", f"val {metrics.CALLED[report['by']]}", *(f"test {name}" for name in figures)),
        *("points over the first", "95 % over seeds", "95 % over images", "p, Holm", "real"),
    )


def _epochs(runs: Sequence[dict[str, Any]]) -> str:
    had = [run["epochs"] for run in runs if run.get("epochs") is not None]
    if not had:
        return "-"
    least, most = round(min(had), 1), round(max(had), 1)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def _half(figure: dict[str, Any]) -> str:
    return f" ± {100 * (figure['interval'][1] - figure['mean']):.2f}"


def plus_minus(report: dict[str, Any]) -> str:
    """Return what stands after a mean, or why nothing does."""
    if report["seeds"] >= confidence.LEAST:
        return "±: Student's 95 % interval over seeds."
    return f"No interval over seeds: that takes {confidence.LEAST} or more."


def markdown(report: dict[str, Any]) -> str:
    """Return the whole as Markdown."""
    heads = columns(report)
    budget = "" if report.get("budget") is None else f", at most {report['budget']:,.0f} s each"
    lines = [
        f"**{report['answer']}**",
        *(("", report["warning"]) if report["warning"] else ()),
        "",
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(cells)} |" for cells in table(report)),
        "",
        f"{report['seeds']} seeds per cell{budget}; {report['n_test']:,} test images; recipe {report.get('recipe')}. "
        f"{plus_minus(report)} \\* is the best on val, which is what may be chosen by: test took no "
        "part in any choice. A difference is called real if both of its intervals are without 0 and its p, the larger "
        "of that over seeds and that over images, is below 0.05 after Holm's correction. Where seeds differ by no more "
        "than one test image, p over seeds is that of sign flips, 2 / 2^seeds at least, and fewer than "
        f"{enough(1)} have no interval.",
        "",
    ]
    return "\n".join(lines)
