"""Doubt: a claimed accuracy held against what is known of its dataset."""

from dataclasses import dataclass

from ferdata.claims.published import Ceiling, Figure, Published, Test, Withdrawn, published
from ferdata.errors import BadOption, choose_one

FAR = 5.0  # points above the best figure that stands: a rule of ours
MOST_DIGITS = 4


@dataclass(frozen=True)
class Doubted:
    """What is known of a claim; figures are in per cent.

    `n` is the number of test images, `reference` whether it was not given and is the usual one; `interval` Wilson's
    95 % for it. `possible` are the known tests of which a whole number of right answers gives the figure as it is
    written, `impossible` the others. `above` are the ceilings below the interval. `same` is who reported this very
    figure. `verdict` is "not credible", "as chosen on test" or "plausible", and `why` says why.
    """

    dataset: str
    title: str
    accuracy: float
    n: int
    reference: bool
    interval: tuple[float, float]
    possible: tuple[Test, ...]
    impossible: tuple[Test, ...]
    ceilings: tuple[Ceiling, ...]
    above: tuple[Ceiling, ...]
    figures: tuple[Figure, ...]
    same: tuple[Figure | Withdrawn, ...]
    verdict: str
    why: str


def doubt(dataset: str, accuracy: str | float, n: int | None = None) -> Doubted:
    """Return what is known of a claim: `accuracy` in per cent, with the digits that it is claimed with, on `n` images.

    Raises BadOption for a dataset that nothing is known of, and for a figure that is no percentage.
    """
    known = _known(dataset)
    text = str(accuracy).strip().removesuffix("%").strip()
    value = _percentage(text)
    if n is not None and n < 1:
        raise BadOption(f"--n is {n}.", "Give the number of test images.")
    size = n or known.reference
    interval = wilson(value, size)
    digits = min(len(text.partition(".")[2]), MOST_DIGITS)
    possible = tuple(test for test in known.tests if can_be(value, digits, test.n))
    verdict, why = _verdict(known, value, interval[0])
    if not possible and (n is None or not can_be(value, digits, n)):
        why += f" No whole number of the images of any known test is {text} % of them: on how many was it measured?"
    reported: tuple[Figure | Withdrawn, ...] = (*known.figures, *known.withdrawn)
    return Doubted(
        dataset=known.name,
        title=known.title,
        accuracy=value,
        n=size,
        reference=n is None,
        interval=interval,
        possible=possible,
        impossible=tuple(test for test in known.tests if test not in possible),
        ceilings=known.ceilings,
        above=tuple(one for one in known.ceilings if interval[0] > one.accuracy),
        figures=tuple(sorted(known.figures, key=lambda figure: -figure.accuracy)),
        same=tuple(one for one in reported if abs(one.accuracy - value) < 0.005),
        verdict=verdict,
        why=why,
    )


def wilson(accuracy: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of `accuracy` per cent of `n` images, in per cent (Wilson 1927)."""
    from scipy import stats

    ends = stats.binomtest(round(accuracy / 100 * n), n).proportion_ci(0.95, "wilson")
    return 100 * float(ends.low), 100 * float(ends.high)


def can_be(accuracy: float, digits: int, n: int) -> bool:
    """Say whether some whole number of `n` images is `accuracy` per cent of them, rounded to as many digits."""
    near = round(accuracy / 100 * n)
    half = 0.5 * 10**-digits * (1 + 1e-9)
    return any(abs(100 * right / n - accuracy) <= half for right in (near - 1, near, near + 1) if 0 <= right <= n)


def _known(dataset: str) -> Published:
    name = dataset.strip().casefold().replace("-", "").replace("+", "plus")
    if name not in published():
        raise BadOption(f"Nothing is known of figures on {dataset!r}.", choose_one(dataset, published()))
    return published()[name]


def _percentage(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadOption(f"{text!r} is no accuracy.", "Give it in per cent, such as 84.99.") from None
    if not 1 < value <= 100:
        hint = f"Give it in per cent: {100 * value:g}." if 0 < value <= 1 else "Give it in per cent, such as 84.99."
        raise BadOption(f"An accuracy of {text} % cannot be.", hint)
    return value


def _verdict(known: Published, value: float, low: float) -> tuple[str, str]:
    """Return the verdict by the rules, `low` being where the claim's interval begins, and a sentence."""
    leak = "Not without test faces in train, or another protocol"
    best = max(known.figures, key=lambda figure: figure.accuracy)
    for ceiling in known.ceilings:
        if ceiling.bound and low > ceiling.accuracy:
            return (
                "not credible",
                f"{leak}: {ceiling.what} scores {ceiling.accuracy:g} %, the claim {low:.1f} % at least.",
            )
    if value > best.accuracy + FAR:
        return "not credible", (
            f"{leak}: {value - best.accuracy:.1f} points above the best figure that stands ({best.system}, "
            f"{best.accuracy:g} %)."
        )
    honest = max((f for f in known.figures if f.chosen == "val"), key=lambda f: f.accuracy, default=None)
    if honest is not None and low > honest.accuracy:
        return "as chosen on test", (
            f"The best known figure whose epoch was chosen on val is {honest.accuracy:g} % ({honest.system}); higher "
            "ones were chosen on the test itself, or do not say. Ask how the epoch was chosen, and which images were "
            "left out."
        )
    return "plausible", "As much was reported under a stated protocol. Ask for n and the protocol all the same."
