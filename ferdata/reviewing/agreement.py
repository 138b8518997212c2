"""How far reviewers agree: Cohen's kappa of two, Fleiss' of more."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ferdata.reviewing.ledger import Decision, by_reviewer


@dataclass(frozen=True)
class Agreement:
    """How far reviewers agree on pictures that two or more of them decided.

    `kappa` is Cohen's for two reviewers, Fleiss' for more; None where fewer than two pictures or one class leave it
    without meaning.
    """

    reviewers: tuple[str, ...]
    pictures: int
    share: float | None
    kappa: float | None
    measure: str


def agreement(decisions: Iterable[Decision]) -> Agreement:
    """Return how far reviewers agree, each by their own last decision; those that settled disputes are left out."""
    own = (d for d in decisions if d.status != "resolved")
    rated = {k: of for k, of in by_reviewer(own).items() if len(of) > 1}
    reviewers = tuple(sorted({who for of in rated.values() for who in of}))
    rows = [{who: str(d.new) for who, d in of.items()} for of in rated.values()]
    measure = "Cohen's kappa" if len(reviewers) == 2 else "Fleiss' kappa"
    if not rows:
        return Agreement((), 0, None, None, measure)
    counts = [Counter(row.values()) for row in rows]
    alike = [sum(n * (n - 1) for n in c.values()) / (c.total() * (c.total() - 1)) for c in counts]
    share = sum(alike) / len(alike)
    chance = _cohen_chance(rows, reviewers) if len(reviewers) == 2 else _fleiss_chance(counts)
    kappa = None if len(rows) < 2 or chance >= 1 - 1e-12 else (share - chance) / (1 - chance)
    return Agreement(reviewers, len(rows), share, kappa, measure)


def _cohen_chance(rows: Sequence[Mapping[str, str]], reviewers: Sequence[str]) -> float:
    """Return the agreement by chance of two reviewers with their own class shares (Cohen 1960)."""
    one, other = (Counter(row[who] for row in rows) for who in reviewers)
    return sum(one[c] * other[c] for c in one) / len(rows) ** 2


def _fleiss_chance(counts: Sequence[Counter[str]]) -> float:
    """Return the agreement by chance of any number of reviewers with shared class shares (Fleiss 1971)."""
    whole = sum(counts, Counter())
    return sum((n / whole.total()) ** 2 for n in whole.values())
