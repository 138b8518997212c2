"""`ferdata zoo list [PATTERN]`, `ferdata zoo show NAME` and `ferdata zoo recipes`."""

import json
from typing import Any

import click

from ferdata.cli.layout import echo
from ferdata.cli.options import json_option
from ferdata.cli.output import facts, print_json, table
from zoo.models.describe import Description, coarse, describe, layer_by_layer, listing


@click.group("zoo")
def command() -> None:
    """The backbones that can be trained: size, speed, weights, and published results; and the recipes.

    \b
    ferdata zoo list
    ferdata zoo list efficientnet
    ferdata zoo show resnet_fer
    ferdata zoo recipes
    """


@command.command("list", short_help="Our nets and torchvision's; with a PATTERN, timm's too.")
@click.argument("pattern", required=False)
@json_option
def list_command(as_json: bool, pattern: str | None) -> None:
    """Our nets and torchvision's; with a PATTERN (a part of a name, or with * and ?), timm's too.

    \b
    ferdata zoo list
    ferdata zoo list 'tf_efficientnetv2_*'
    """
    found = listing(pattern)
    if as_json:
        print_json(found)
        return
    rows = [(e.name, e.library, e.title, e.pretrained, e.size, e.counted and e.counted.parameters) for e in found]
    table("Backbones", ("name", "of", "what it is", "weights", "pixels", "parameters"), rows, text=4)
    if pattern is None:
        echo("Any of timm's classifiers too, by name: ferdata zoo list PATTERN")
    echo("All about one: ferdata zoo show NAME")


@command.command("show")
@click.argument("name")
@click.option(
    "--size", type=click.IntRange(min=1), metavar="PIXELS", help="At this input size; default: the net's own."
)
@click.option("--layers", is_flag=True, help="The net layer by layer: outputs and parameters.")
@json_option
def show_command(as_json: bool, name: str, size: int | None, layers: bool) -> None:
    """All about one backbone; a tag of timm's weights may follow a dot.

    \b
    ferdata zoo show deep_emotion
    ferdata zoo show resnet50.a1_in1k
    ferdata zoo show tf_efficientnet_b5 --size 48
    ferdata zoo show vgg16 --layers
    """
    if layers:
        show_layers(name, size, as_json)
        return
    found = describe(name, size)
    if as_json:
        print_json(found)
    else:
        report(found)


def show_layers(name: str, size: int | None, as_json: bool) -> None:
    """Print a net's layers, each block before those that it is made of, and their sum."""
    net, layers = layer_by_layer(name, size)
    total = sum(layer.parameters for layer in layers if not layer.block)
    if as_json:
        inputs = {"name": name, "size": net.size, "channels": net.channels, "classes": net.classes}
        print_json({**inputs, "parameters": total, "layers": layers})
        return
    rows: list[tuple[str, str, str, int | str | None]] = [("input", "", _by(net.channels, net.size, net.size), None)]
    block = ""
    for layer in layers:
        block = layer.name if layer.block else block
        inside = not layer.block and block and layer.name.startswith(f"{block}.")
        short = f"  {layer.name.removeprefix(block)[1:]}" if inside else layer.name
        count = f"({layer.parameters:,})" if layer.block else layer.parameters or None
        rows.append((short, layer.kind, _by(*layer.output), count))
    rows.append(("total", "", "", total))
    title = f"{name} at {net.size} px with {net.classes} classes"
    caption = (
        "Output: channels x height x width, or numbers. /2: a stride of 2. In brackets: a block's layers, summed up."
    )
    table(title, ("layer", "kind", "output", "parameters"), rows, caption, text=2)


def _by(*sides: int) -> str:
    return " x ".join(map(str, sides)) or "-"


def report(d: Description) -> None:
    """Print the facts of a backbone, then the published figures, each with its protocol."""
    facts(
        {
            "backbone": d.name,
            "what": d.title,
            "source": d.source,
            "licence": d.licence,
            "weights": "\n".join((d.weights, ", ".join(d.tags))) if d.tags else d.weights,
            "mean, std": f"{_list(d.mean)}; {_list(d.std)}" if d.mean and d.std else "those of the training images",
            "input": f"{d.size} px, {d.channels} channel{'s' * (d.channels > 1)}"
            + (f"; the smallest that works: {d.smallest} px" if d.smallest else "")
            + ("; --stem small for 40 to 64 px" if d.small_stem else ""),
            "last map": coarse(d.map, d.size, d.native) or (_by(*d.map) if d.map else None),
            "parameters": f"{d.parameters:,} with {d.classes} classes",
            "flops": f"{d.flops / 1e9:.3g} G an image (a multiply-add is two)",
            "features": f"{d.features:,}, in {d.blocks} blocks with the head",
            "note": d.caveat or None,
        }
    )
    if d.published:
        echo()
        rows = [(p.data, p.protocol, f"{p.accuracy:g} %") for p in d.published]
        table("Published", ("data", "how", "accuracy"), rows, text=2)
    else:
        echo()
    echo(f"Next: ferdata train --manifest M --backbone {d.name}{' --pretrained' if d.tags else ''}")


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


@command.command("recipes", short_help="The recipes for `ferdata train`; all about one with its NAME.")
@click.argument("name", required=False)
@json_option
def recipes_command(as_json: bool, name: str | None) -> None:
    """The recipes that `ferdata train --recipe NAME` knows; all about one with its NAME, or with a .toml.

    \b
    ferdata zoo recipes
    ferdata zoo recipes khaireddin
    """
    from zoo.options import recipes

    if name is not None:
        found = recipes.load(name)
        print_json(found.as_dict()) if as_json else about_recipe(found.as_dict())
        return
    all_of_them = [recipes.load(each) for each in recipes.names()]
    if as_json:
        print_json([recipe.as_dict() for recipe in all_of_them])
        return
    rows = [(r.name, r.title, r.options.get("backbone", "")) for r in all_of_them]
    table("Recipes", ("name", "what it is", "backbone"), rows, text=3)
    echo("All about one: ferdata zoo recipes NAME")
    echo("Train by one: ferdata train --manifest M --recipe NAME --set KEY=VALUE")
    echo("Why one and not another: docs/questions.md")


def about_recipe(recipe: dict[str, Any]) -> None:
    """Print what a recipe is, what was published of it, what is done otherwise, and the options that it sets."""
    facts(
        {
            "recipe": recipe["name"],
            "what": recipe.get("title"),
            "source": recipe.get("source"),
            "data": recipe.get("data"),
            "published": recipe.get("published"),
            "protocol": recipe.get("protocol"),
            "note": recipe.get("note"),
            "differences": "\n".join(recipe["changed"]) or None,
            "options": "\n".join(f"{key} = {json.dumps(value)}" for key, value in recipe["options"].items()),
        }
    )
    echo(f"\nNext: ferdata train --manifest M --recipe {recipe['name']}")
