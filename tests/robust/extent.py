"""How much of the suite runs, with which seed, and where its figures are kept.

`make test` runs a short part, always the same; `make robust` all of it, with a new seed that it prints.
"""

import json
import os
import random
from collections import Counter
from pathlib import Path

WHOLE = os.environ.get("FERDATA_ROBUST") == "whole"
SEED = int(os.environ.get("FERDATA_ROBUST_SEED", "20261127"))
PART = float(os.environ.get("FERDATA_ROBUST_PART", "1"))  # of all of it: 0.1 takes a tenth of the time
ONLY = os.environ.get("FERDATA_ROBUST_CASE")  # the number of the one case of each test that is run
FIGURES = os.environ.get("FERDATA_ROBUST_FIGURES")  # a file, a line of JSON for each group of cases


def cases(short: int, whole: int) -> range:
    """Return the numbers of the cases to run: so many in the short part, so many in all of it."""
    return range(int(ONLY), int(ONLY) + 1) if ONLY else range(max(short, round(PART * whole)) if WHOLE else short)


def chance(*names: object) -> random.Random:
    """Return the chance of one case: the same for the same seed and names."""
    return random.Random(":".join(map(str, (SEED, *names))))


def record(group: str, tally: Counter[str]) -> None:
    """Keep the figures of a group of cases, where they are asked for."""
    if FIGURES:
        with Path(FIGURES).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"group": group, **tally}) + "\n")


def report(problems: list[str], of: int) -> str:
    """Return what a failed test says: how many cases went wrong, the first of them, and how to run them again."""
    again = f"again: FERDATA_ROBUST_SEED={SEED} FERDATA_ROBUST_CASE=NUMBER pytest THIS"
    return "\n".join((f"{len(problems)} of {of} cases, {again}", *problems[:12]))
