"""Write the table of the shipped cards into docs/adopting.md: python docs/make_cards.py."""

from pathlib import Path

from zoo.models.foreign import card
from zoo.models.foreign.card import Card

PAGE = Path(__file__).resolve().parent / "adopting.md"
BEGIN, END = "<!-- cards -->\n", "<!-- /cards -->"


def page() -> str:
    """Return the page with the table as the cards have it."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    rows = [
        f"| `{name}` | {known.file or 'none'} | {_input(known)} | {', '.join(known.classes or ())} |"
        for name, known in card.shipped().items()
    ]
    head = ["| card | its publisher's file | input | classes, in order |", "|---|---|---|---|"]
    return "\n".join([before + BEGIN + head[0], *head[1:], *rows, END]) + after


def _input(known: Card) -> str:
    ends = card.range_of(known)
    scale = f"{ends[0]:g}..{ends[1]:g}" if ends else "mean and deviation of ImageNet"
    grey = "grey" if known.channels == 1 else known.order
    return f"{known.size} px, {grey}, {scale}, {known.layout}; {known.output}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
