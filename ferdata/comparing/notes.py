"""What a reader of the comparison should know before it is believed: sentences, the gravest first."""

from collections.abc import Iterator, Sequence

from ferdata.comparing.between import Between
from ferdata.comparing.distance import LEAST
from ferdata.comparing.facts import Facts
from ferdata.errors import listed

APART = 0.5  # difference of two shares of grey images: the one set is in colour and the other is not
FEW = 100  # images, below which the test misses much


def notes(sets: Sequence[Facts], between: Sequence[Between], merged: bool) -> Iterator[str]:
    """Yield what stands against a comparison, and against training on the one and testing on the other as they are.

    What was `merged` has each shared picture in one split.
    """
    for pair in between:
        if pair.pictures and not merged:
            yield (
                f"{pair.first} and {pair.second} share {pair.pictures:,} picture{'s' if pair.pictures > 1 else ''}: "
                "merge the two before one of them is trained on and the other tested on."
            )
    crops = {each.name: tuple(sorted(each.crops)) for each in sets}
    if len(set(crops.values())) > 1:
        cut = "; ".join(f"{name} {listed(how)}" for name, how in crops.items())
        yield f"The faces are cut differently ({cut}), which costs a net more than another dataset does: align them."
    grey = [each for each in sets if each.grey is not None and each.grey > APART]
    colour = [each for each in sets if each.grey is not None and each.grey <= APART]
    if grey and colour:
        yield (
            f"{listed(s.name for s in grey)} mostly grey, {listed(s.name for s in colour)} mostly in colour: a net can "
            "tell them by that alone; train with --channels 1."
        )
    drawn = {p.first: p.distance.n_first for p in between if p.distance}
    drawn |= {p.second: p.distance.n_second for p in between if p.distance}
    for name, n in drawn.items():
        if n < FEW:
            yield f"Only {n} images of {name} are of different people or pictures, so the test misses much."
    if lost := [f"{p.first} and {p.second}" for p in between if p.distance is None]:
        yield f"No distance of {listed(lost)}: one of them has fewer than {LEAST} people or pictures."
