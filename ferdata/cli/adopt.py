"""`ferdata adopt MODEL -o RUN`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json
from zoo.deploy.adopt import Adopted, adopt
from zoo.evaluation.reading_check.words import sentences
from zoo.models.foreign.card import CROPS, LAYOUTS, ORDERS, OUTPUTS, SIZES, range_of


def numbers(text: str) -> tuple[float, ...]:
    """Return numbers that have commas between them. Raises ValueError for anything else."""
    return tuple(float(part) for part in text.split(","))


def words(text: str) -> tuple[str, ...]:
    """Return words that have commas between them."""
    return tuple(word.strip() for word in text.split(","))


@click.command("adopt")
@click.argument("model", type=click.Path(path_type=Path))
@option(adopt, "-o", "--out", type=click.Path(path_type=Path), help="The run's folder, such as runs/face-api.")
@option(
    adopt, "--weights", type=click.Path(path_type=Path), metavar="FILE",
    help="With the name of a net: its weights, last layer included (.safetensors, .pth).",
)  # fmt: skip
@option(adopt, "--card", metavar="NAME|FILE", help="A card that ferdata ships, or a TOML file, with the options below.")
@option(adopt, "--name", help="Name of the model [default: that of the file].")
@option(adopt, "--classes", type=words, metavar="A,B,...", help="Classes, in the order of the outputs.")
@option(adopt, "--size", type=click.IntRange(*SIZES), help="Input size in pixels.")
@option(adopt, "--channels", type=click.Choice(("1", "3")), help="Input channels: 1 is grey, 3 colour.")
@option(adopt, "--pixels", type=numbers, metavar="LOW,HIGH", help="Input range: what 0 and 255 are scaled to.")
@option(
    adopt, "--mean", type=numbers, metavar="M[,M,M]", help="Instead of --pixels: mean of pixels in 0..1, per channel."
)
@option(adopt, "--std", type=numbers, metavar="S[,S,S]", help="Their standard deviation.")
@option(adopt, "--order", type=click.Choice(ORDERS), help="Channel order [default: RGB].")
@option(adopt, "--layout", type=click.Choice(LAYOUTS), help="Axis order [default: from the file's input shape].")
@option(adopt, "--output", type=click.Choice(OUTPUTS), help="Output of the model [default: detected].")
@option(
    adopt, "--crop", type=click.Choice(CROPS),
    help="Face crops: as datasets publish them, or a template of align [default: published].",
)  # fmt: skip
@option(adopt, "--margin", type=float, help="With a template: margin on each side, as a share of the face.")
@option(adopt, "--source", metavar="TEXT", help="Where the model is published, for the card.")
@option(adopt, "--terms", metavar="TEXT", help="Its licence and training data, for the card.")
@option(
    adopt, "--check", type=click.Path(path_type=Path), metavar="M",
    help="Try other readings on labelled faces of a manifest, and report which fit much better.",
)  # fmt: skip
@option(adopt, "--force", help="Replace an existing run.")
@json_option
def command(model: Path, as_json: bool, **given: Any) -> None:
    """Adopt a model that others trained: as a run that evaluate, compare, predict and export take.

    MODEL is an ONNX file, a Keras or TFLite file where their libraries are installed, or a net as timm names it:
    hf-hub:OWNER/NAME and local-dir:FOLDER with their own weights, an architecture with --weights FILE. Classes and the
    range of pixels come from options, a card, or the file itself.

    \b
    ferdata adopt face_api_expression.onnx --card face-api -o runs/face-api
    ferdata adopt mine.onnx -o runs/mine --size 48 --channels 1 --pixels 0,1 \\
        --classes angry,disgust,fear,happy,sad,surprise,neutral
    ferdata adopt resnet18 --weights mine.safetensors -o runs/mine --classes angry,disgust,happy
    ferdata adopt runs/mine --check manifests/merged.parquet
    ferdata evaluate runs/face-api --manifest manifests/merged.parquet
    """  # fmt: skip
    given["channels"] = int(given["channels"]) if given["channels"] else None
    result = adopt(model, **given)
    if as_json:
        print_json(result)
    else:
        report(result)


def report(done: Adopted) -> None:
    """Print how the model is fed and read, and what was concluded."""
    card = done.card
    ends = range_of(card)
    scale = f"{ends[0]:g}..{ends[1]:g}" if ends else f"mean {_few(card.mean)}, standard deviation {_few(card.std)}"
    grey = "grey" if card.channels == 1 else card.order
    facts(
        {
            "run": done.out,
            "model": f"{card.name} ({card.file})",
            "input": f"{card.size} x {card.size} px, {grey}, {scale}, {card.layout}",
            "faces": "as published" if card.crop == "published" else f"cut by {card.crop}, margin {card.margin or 0:g}",
            "output": f"{card.output} of {', '.join(done.classes)}",
            "terms": card.terms,
        }
    )
    for note in done.notes:
        prose(note)
    if done.check is not None:
        for sentence in sentences(done.check):
            prose(sentence)
    echo(f"\nNext: ferdata evaluate {done.out} --manifest M", dim=True)


def _few(numbers: tuple[float, ...] | None) -> str:
    return ", ".join(f"{n:.4g}" for n in dict.fromkeys(numbers or ()))
