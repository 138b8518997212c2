"""A matrix in words: which set to train on for which faces, what adding one gains, and what stands against the best.

No sentence claims more than the intervals show: a set is called better only where seeds and images both show it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ferdata.errors import listed
from zoo.evaluation import confidence
from zoo.evaluation.compare import between, points
from zoo.experiments.answers import enough, number, outer

Lines = Iterator[str]
ALLOWED = {True: "allowed", False: "not allowed", None: "not known"}
SHOWN = 3  # rows of a test that a sentence names


def answer(made: Mapping[str, Any]) -> str:
    """Return the answer, a line for each thought."""
    lines = [*_of_tests(made), *_abroad(made), *_added(made), *_against_best(made)]
    if made["seeds"] < confidence.LEAST:
        few = "One seed" if made["seeds"] == 1 else f"{number(made['seeds']).capitalize()} seeds"
        lines.append(
            f"{few} cannot tell a difference from noise, so that no set is called better: give --seeds "
            f"{confidence.LEAST} or more."
        )
    if made["leak"]:
        lines.append("But tests have duplicates in train, so that figures marked with ! settle nothing.")
    return "\n".join(lines)


def _of_tests(made: Mapping[str, Any]) -> Lines:
    """Yield for each test which set to train on for faces like its own, and how sure that is."""
    for column in made["tests"]:
        test, rows = column["test"], column["rows"]
        if not rows:
            yield f"For faces like {test}'s nothing can be said: with it the sets have too few classes in common."
            continue
        first, others = rows[0], rows[1:]
        own = _own_words(first, test)
        shown = bool(others) and all(row["best_over_it"]["real"] for row in others)
        does = f"train on {own}" if shown else f"{own} does best" if others else f"{own} reaches"
        told = f"For faces like {test}'s, {does}{':' if others else ''} {_figure(made, column, first)}"
        if first["home"] and (abroad := [row for row in others if not row["home"]]):
            told += f"; without faces of {test} in train, {abroad[0]['train']}: {_figure(made, column, abroad[0])}"
            others = [row for row in others if row is not abroad[0]]
        rest = [f"{_own_words(row, test)} {row['accuracy']:.1%}" for row in others[:SHOWN]]
        beside = "".join(f" {_of_other(made, column, one)}" for one in column["also"])
        yield f"{told}{''.join(f'; {one}' for one in rest)}.{_how_sure(made, rows)}{beside}"


def _of_other(made: Mapping[str, Any], column: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """Return in a sentence what a run that was trained elsewhere reaches on a test, beside the best row."""
    found, first = one["best_over_it"], column["rows"][0]["train"]
    less, span = found["difference"], found["over_images"]
    if span is not None and less < 0:
        span = [-end for end in reversed(span)]
    gap = "as much as" if not less else f"{points(abs(less))[1:]} points {'less' if less > 0 else 'more'} than"
    over = "" if span is None else f" ({between(span)} over images)"
    return f"{one['train']}, trained elsewhere, reaches {_figure(made, column, one)} there, {gap} {first}{over}."


def _own_words(row: Mapping[str, Any], test: str) -> str:
    return f"{test} itself" if row["train"] == test else row["train"]


def _figure(made: Mapping[str, Any], column: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Return a row's figure on a test; with the interval, where its cell has the same classes."""
    cell = next(one for one in made["cells"] if (one["train"], one["test"]) == (row["train"], column["test"]))
    if cell["classes"] == column["classes"]:
        return f"{row['accuracy']:.1%}{_span(cell['interval'])}{_mark(cell)}"
    return f"{row['accuracy']:.1%} on the {number(len(column['classes']))} classes that all have{_mark(cell)}"


def _span(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def _mark(cell: Mapping[str, Any]) -> str:
    return " !" if cell["leak"] else ""


def _how_sure(made: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return whether the best row is better than the others, as a sentence with a blank before it."""
    if len(rows) < 2 or made["seeds"] < confidence.LEAST:
        return ""
    first, unsure = rows[0]["train"], [row for row in rows[1:] if not row["best_over_it"]["real"]]
    if not unsure:
        nearest = rows[1]["best_over_it"]
        gain = f"{points(nearest['difference'])[1:]} points ({between(outer(nearest))})"
        every = "" if len(rows) == 2 else "every other: than "
        return f" {first} is better there than {every}{rows[1]['train']} by {gain}."
    closest = unsure[0]
    found = closest["best_over_it"]
    if found["seeds_alike"] and found["difference"] and made["seeds"] < enough(len(rows) - 1):
        return (
            f" Seeds agree to within one image there, so that {number(made['seeds'])} of them cannot show a difference "
            f"from {listed(row['train'] for row in unsure)}: give --seeds {enough(len(rows) - 1)} or more."
        )
    span = outer(found)
    could = "" if span is None else f", which could be anything from {between(span)}"
    gain = f"{points(found['difference'])[1:]} points over {closest['train']}{could}"
    if len(unsure) == len(rows) - 1:
        return f" {number(made['seeds']).capitalize()} seeds do not show that {first} is the best there: {gain}."
    return f" Not shown to be better than {listed(row['train'] for row in unsure)}: {gain}."


def _abroad(made: Mapping[str, Any]) -> Lines:
    """Yield how each single set does at home and abroad, the best abroad first, and which of its classes travel."""
    rows = [row for row in made["rows"] if len(row["datasets"]) == 1 and row["abroad"]]
    for row in sorted(rows, key=lambda row: -row["abroad"]["mean"]):
        on = listed(row["abroad_tests"])
        abroad = f"{row['abroad']['mean']:.1%}{_span(row['abroad']['interval'])} abroad (on {on})"
        if row["home"] is None:
            yield f"Trained on {row['train']}, a net is right in {abroad}."
            continue
        drop = row["drop"]
        fall = "a drop of" if drop["mean"] >= 0 else "a gain of"
        ends = (
            drop["interval"] if drop["mean"] >= 0 or drop["interval"] is None else [-e for e in drop["interval"][::-1]]
        )
        yield (
            f"Trained on {row['train']}, a net is right in {row['home']['mean']:.1%} at home and {abroad}: "
            f"{fall} {abs(100 * drop['mean']):.1f} points{_span(ends)}.{_classes(row)}"
        )


def _classes(row: Mapping[str, Any]) -> str:
    """Return which class of a row travels best and worst, where their intervals are apart.

    One that is not even found at home, more often than by chance, has nowhere to travel from.
    """
    found = [one for one in row["classes"] if one["drop"] and one["home"]["mean"] > 1 / len(row["classes"])]
    known = sorted(found, key=lambda one: one["drop"]["mean"])
    if len(known) < 2:
        return ""
    ends = known[0], known[-1]
    spans = [one["drop"]["interval"] for one in ends]
    told = [f"{one['class']} {one['home']['mean']:.0%} at home, {one['abroad']['mean']:.0%} abroad" for one in ends]
    if None in spans or spans[0][1] >= spans[1][0]:
        return ""
    return f" Recall travels best in {told[0]}; worst in {told[1]}."


def _added(made: Mapping[str, Any]) -> Lines:
    """Yield what each added set gains, test by test."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for gain in made["gains"]:
        groups.setdefault((gain["train"], gain["over"]), []).append(gain)
    if made["seeds"] < confidence.LEAST:
        return
    for (train, alone), found in groups.items():
        real = [one for one in found if one["real"]]
        told = [
            f"{'gains' if one['difference'] > 0 else 'loses'} {points(abs(one['difference']))[1:]} points on "
            f"{one['test']} ({between(outer(one))})"
            for one in real
        ]
        rest = [
            f"{points(one['difference'])} on {one['test']}"
            + ("" if (span := outer(one)) is None else f" ({between(span)})")
            for one in found
            if not one["real"]
        ]
        seeds = number(made["seeds"])
        unknown = f"no difference that {seeds} seeds can show: {', '.join(rest)}" if rest else ""
        yield f"{train} in place of {alone} alone {'; '.join([*told, *filter(None, [unknown])])}.".replace(
            "alone no difference", "alone makes no difference"
        )


def _against_best(made: Mapping[str, Any]) -> Lines:
    """Yield what stands against the single set that does best abroad: its terms, size, balance, labels in doubt."""
    rows = [row for row in made["rows"] if len(row["datasets"]) == 1 and row["abroad"]]
    if not rows:
        return
    name = max(rows, key=lambda row: row["abroad"]["mean"])["train"]
    found = made["facts"][name]
    told = [
        f"licence {found['licence']} (redistribution {ALLOWED[found['redistribution']]}, commercial use "
        f"{ALLOWED[found['commercial']]})",
        f"{found['train']:,} labelled images in train",
    ]
    if found["imbalance"] is not None:
        most, least = (pick(found["classes"], key=found["classes"].get) for pick in (max, min))
        told.append(f"{most} is {found['imbalance']:,.1f} times as frequent as {least}")
    if found["doubted"] is not None:
        told.append(f"fewer than half of its own voters agree with {found['doubted']:.1%} of its labels")
    which = f"{name}, the single set with the highest mean abroad" if len(rows) > 1 else name
    yield f"What to know of {which}: {'; '.join(told)}."
    yield f"Who may have it: ferdata datasets {name}"


def columns(made: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the heads of the table."""
    tests = [column["test"] for column in made["tests"]]
    return ("trained on", "images", *(f"on {test}" for test in tests), "home", "abroad", "drop, points")


def table(made: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield a line per row: each cell's accuracy with its interval, and the row at home and abroad; * marks home."""
    cells = {(cell["train"], cell["test"]): cell for cell in made["cells"]}
    for row in made["rows"]:
        yield (
            f"{row['train']} (trained elsewhere)" if row["elsewhere"] else row["train"],
            "-" if row["elsewhere"] else f"{row['images']:,}",
            *(_cell(cells[row["train"], column["test"]]) for column in made["tests"]),
            *(_mean(row[side]) for side in ("home", "abroad")),
            "-" if row["drop"] is None else f"{100 * row['drop']['mean']:.1f}",
        )


def _cell(cell: Mapping[str, Any], figure: str = "accuracy", interval: str = "interval") -> str:
    if cell[figure] is None:
        return "-"
    return f"{cell[figure]:.1%}{_span(cell[interval])}{' *' if cell['home'] else ''}{_mark(cell)}"


def _mean(figure: Mapping[str, Any] | None) -> str:
    return "-" if figure is None else f"{figure['mean']:.1%}"


def markdown(made: Mapping[str, Any]) -> str:
    """Return the whole as Markdown."""
    heads = columns(made)
    lines = [*(f"- {line}" for line in made["answer"].split("\n")), "", "## Accuracy", ""]
    lines += _markdown_table(heads, table(made))
    lines += ["", "## Cells", "", *_markdown_table(*_cells(made))]
    if made["gains"]:
        lines += ["", "## What adding gains", "", *_markdown_table(*_gains(made))]
    lines += ["", "## Classes at home and abroad", "", *_markdown_table(*_recall(made)), "", *_footnotes(made), ""]
    return "\n".join(lines)


def _markdown_table(heads: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Lines:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('*', chr(92) + '*') for cell in row)} |"


def _cells(made: Mapping[str, Any]) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    heads = ("trained on", "tested on", "classes", "n", "accuracy", "95 % over seeds", "macro-F1")
    return heads, (
        (
            *(cell["train"], cell["test"], ", ".join(cell["classes"]) or "none in common", f"{cell['n']:,}"),
            *(_cell(cell), _span(cell.get("over_seeds")).strip(" ()") or "-"),
            _cell(cell, "macro_f1", "macro_f1_interval") if cell["accuracy"] is not None else "-",
        )
        for cell in made["cells"]
    )


def _gains(made: Mapping[str, Any]) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    heads = (
        "trained on",
        "in place of",
        "tested on",
        "points",
        "95 % over seeds",
        "95 % over images",
        "p, Holm",
        "real",
    )
    return heads, (
        (
            *(one["train"], one["over"], one["test"], points(one["difference"])),
            *(between(one["over_seeds"]), between(one["over_images"])),
            *(f"{one['p_corrected']:.2g}", "yes" if one["real"] else "no"),
        )
        for one in made["gains"]
    )


def _recall(made: Mapping[str, Any]) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    heads = ("trained on", "class", "recall at home", "recall abroad", "drop, points", "95 %")
    return heads, (
        (
            *(row["train"], one["class"], _mean(one["home"]), _mean(one["abroad"])),
            "-" if one["drop"] is None else f"{100 * one['drop']['mean']:.1f}",
            "-" if one["drop"] is None else between(one["drop"]["interval"]),
        )
        for row in made["rows"]
        for one in row["classes"]
    )


def _footnotes(made: Mapping[str, Any]) -> Lines:
    """Yield how the figures came about, and what there is to be told of the sets."""
    pace = "" if made.get("budget") is None else f", what {made['paced_by']} managed in {made['budget']:,.0f} s"
    yield (
        f"{made['seeds']} seeds; each run saw {made['images']:,} images{pace}; recipe {made['recipe']}. \\* is a test "
        "of what was trained on; ! has duplicates in train. A cell has the test's rows of those classes that its train "
        "has too, and the most probable of these is the net's answer. In brackets: 95 % by picture, or by person where "
        "known, of the mean over seeds. At home and abroad are means over tests, which are others for each set, so "
        "that two sets are compared on one test. The best set of a test was picked by that test, which flatters it a "
        "little. A difference is called real if its intervals over seeds and over images are both without 0, and the "
        "larger p of both is below 0.05 after Holm's correction."
    )
    yield from (line for note in made["notes"] for line in ("", f"- {note}"))
