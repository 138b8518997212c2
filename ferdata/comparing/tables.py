"""The comparison as tables of words, which the terminal and the page both show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ferdata.comparing.between import Between
from ferdata.comparing.facts import Facts, Spread
from ferdata.errors import listed

Rows = list[tuple[str, ...]]
NOTHING = "-"


@dataclass(frozen=True)
class Table:
    """A table of words: its first `text` columns are names, the others figures."""

    title: str
    heads: tuple[str, ...]
    rows: Rows
    caption: str
    text: int = 1


def tables(sets: Sequence[Facts], between: Sequence[Between], by: str) -> list[Table]:
    """Return what each set holds, its classes, what each two share, and how far they are apart."""
    names = tuple(each.name for each in sets)
    shared = [pair for pair in between if pair.pictures]
    return [
        Table(
            "Sets",
            ("", *names),
            _facts(sets),
            _caption(sets),
        ),
        Table(
            "Classes, % of the labelled rows",
            ("", *names),
            [
                (name, *(_share(s.classes.shares[name]) for s in sets))
                for name in sets[0].classes.shares
                if any(s.classes.counts[name] for s in sets)
            ],
            "",
        ),
        *(
            [
                Table(
                    "Shared pictures",
                    ("one", "other", "pictures", "near only", "rows", "% agree", "% on shared"),
                    [_copies(pair) for pair in shared],
                    "Near only: re-encoded, resized or mirrored. Rows: of the one, of the other. % agree: how often "
                    "their labels are the same; on shared: among the classes that both use there.",
                    2,
                )
            ]
            if shared
            else []
        ),
        Table(
            "Distances",
            ("one", "other", "classes in common", "JS bits", "MMD²", "by chance", "p", "images"),
            [_apart(pair) for pair in between],
            f"JS: Jensen-Shannon divergence of the class shares, 0 the same, 1 disjoint. MMD²: maximum mean "
            f"discrepancy (Gaussian kernel, unbiased) of {by}; 95 % of random re-divisions of the same images are "
            "below the value by chance, and p is the share of them as far apart. Images: of the one, of the other, "
            "each of another person (clip, picture). Other classes make other faces, so their balance counts too.",
            2,
        ),
    ]


def _caption(sets: Sequence[Facts]) -> str:
    """Return what the facts mean; what is known of no set is not explained."""
    looked = max(each.looked for each in sets)
    parts = [
        "Median (5 % - 95 %). max/min class: the largest class over the smallest.",
        f"Grey and blurred: {f'of up to {looked:,} images drawn' if looked else 'by what ingest measured'}.",
    ]
    if any(each.doubted is not None for each in sets):
        parts.append("Doubted labels: fewer than half of the voters gave them.")
    if any(each.turn for each in sets):
        parts.append(
            "Turn: how far the nose is off the middle of the eyes, in distances of the eyes; 0 from the front."
        )
    return " ".join(parts)


def _facts(sets: Sequence[Facts]) -> Rows:
    """Return a row for each fact that is known of any set."""
    told: Mapping[str, Callable[[Facts], str]] = {
        "rows": lambda s: f"{s.rows:,}",
        "labelled": lambda s: f"{s.classes.labelled:,}",
        "max/min class": lambda s: _number(s.classes.imbalance, "{:.1f}"),
        "entropy of classes": lambda s: _number(s.classes.entropy, "{:.3f}"),
        "doubted labels": lambda s: _percent(s.doubted),
        "people": lambda s: _number(s.people, "{:,}"),
        "clips": lambda s: _number(s.clips, "{:,}"),
        "synthetic": lambda s: _percent(s.synthetic) if s.synthetic else NOTHING,
        "short side, px": lambda s: _spread(s.short_side, 0),
        "face, px": lambda s: _spread(s.face_side, 0),
        "cut": lambda s: listed(s.crops, 1),
        "grey": lambda s: _percent(s.grey),
        "blurred": lambda s: _percent(s.blurred),
        "brightness": lambda s: _spread(s.brightness, 2),
        "contrast": lambda s: _spread(s.contrast, 2),
        "roll, degrees": lambda s: _spread(s.roll, 0),
        "turn": lambda s: _spread(s.turn, 2),
        "gender": lambda s: _most(s.gender),
        "age": lambda s: _most(s.age),
        "ethnicity": lambda s: _most(s.ethnicity),
        "commercial use": lambda s: _allowed(s, "commercial"),
        "passing on": lambda s: _allowed(s, "redistribution"),
    }
    rows = [(name, *(tell(s) for s in sets)) for name, tell in told.items()]
    return [row for row in rows if any(cell != NOTHING for cell in row[1:])]


def _copies(pair: Between) -> tuple[str, ...]:
    agree, shared = (pair.labels.agreement, pair.labels.on_shared) if pair.labels else (None, None)
    rows = f"{pair.rows_first:,}, {pair.rows_second:,}"
    return (
        pair.first, pair.second, f"{pair.pictures:,}", f"{pair.near:,}", rows,
        _number(agree, "{:.1%}"), _number(shared, "{:.1%}"),
    )  # fmt: skip


def _apart(pair: Between) -> tuple[str, ...]:
    apart = pair.distance
    figures = (NOTHING,) * 4
    if apart is not None:
        images = f"{apart.n_first:,}, {apart.n_second:,}"
        figures = (f"{apart.mmd2:.4f}", f"{apart.chance:.4f}", f"{apart.p:.3f}", images)
    return pair.first, pair.second, str(len(pair.classes)), _number(pair.jensen_shannon, "{:.3f}"), *figures


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _percent(share: float | None) -> str:
    return _number(share, "{:.1%}")


def _share(share: float) -> str:
    return f"{100 * share:.1f}" if share else NOTHING


def _spread(spread: Spread | None, places: int) -> str:
    if spread is None:
        return NOTHING
    middle, low, high = (f"{value:.{places}f}" for value in (spread.median, spread.low, spread.high))
    # A figure that rounds to -0 is 0.
    middle, low, high = (value.removeprefix("-") if not float(value) else value for value in (middle, low, high))
    return middle if low == high else f"{middle} ({low} - {high})"


def _most(counts: Mapping[str, int]) -> str:
    """Return the most frequent values, with their shares of the rows that have one."""
    total = sum(counts.values())
    return listed((f"{name} {n / total:.0%}" for name, n in counts.items()), 2) or NOTHING


def _allowed(s: Facts, what: str) -> str:
    said: set[Any] = {terms[what] for terms in s.terms.values()}
    return "no" if False in said else "yes" if said == {True} else "not said"
