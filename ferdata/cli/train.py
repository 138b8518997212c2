"""`ferdata train --manifest M`."""

import re
import time
from pathlib import Path
from typing import Any

import click

from ferdata.cli.options import json_option, option
from ferdata.cli.output import console, facts, print_json, table

_before = time.monotonic()

from zoo.augment import POLICIES  # noqa: E402
from zoo.config import CLASS_WEIGHTS, SELECT, TARGETS  # noqa: E402
from zoo.device import DEVICES, PRECISIONS  # noqa: E402
from zoo.train import Run, train  # noqa: E402

LOADING = time.monotonic() - _before  # seconds that importing torch took, which --time-limit covers too


class Duration(click.ParamType[float]):
    """A time such as 90s, 10m, 1.5h or 600 (seconds), as seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no time; give one such as 90s, 10m or 1.5h.", param, ctx)
        seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
        if not seconds:
            self.fail("no time at all; give one such as 90s, 10m or 1.5h.", param, ctx)
        return seconds


@click.command("train")
@option(train, "--manifest", type=click.Path(path_type=Path), help="The manifest to train on.")
@option(
    train,
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The run's folder [default: runs/MANIFEST-BACKBONE].",
)
@option(train, "--backbone", metavar="NAME", help="resnet_fer, vgg13_ferplus, or any of timm's, such as resnet18.")
@option(train, "--size", type=click.IntRange(8), help="Input side, pixels [default: the backbone's own].")
@option(train, "--channels", type=click.Choice([1, 3]), help="1 grey, 3 colour [default: as the images are].")
@option(train, "--targets", type=click.Choice(TARGETS), help="Learn the votes' shares, or the one class.")
@option(train, "--epochs", type=click.IntRange(1), help="At most so many [default: 30, or as the limit allows].")
@option(train, "--time-limit", type=Duration(), metavar="TIME", help="For the whole command, such as 10m.")
@option(train, "--batch", type=click.IntRange(2), help="Images a step.")
@option(train, "--lr", type=float, help="Peak learning rate [default: the backbone's].")
@option(train, "--weight-decay", type=float, help="[default: the backbone's]")
@option(train, "--smoothing", type=float, help="Label smoothing, 0 to 1.")
@option(train, "--augment", type=click.Choice(tuple(POLICIES)), help="How much pictures are varied.")
@option(train, "--class-weights", type=click.Choice(CLASS_WEIGHTS), help="Weigh rare classes up.")
@option(train, "--select", type=click.Choice(SELECT), help="What val chooses the checkpoint by.")
@option(train, "--patience", type=click.IntRange(0), help="Stop after so many epochs without a better one; 0: never.")
@option(train, "--tta/--no-tta", help="Average each scored image with its mirror image.")
@option(train, "--device", type=click.Choice(DEVICES), help="Where to compute.")
@option(train, "--precision", type=click.Choice(PRECISIONS), help="Of training; scoring is always 32-true.")
@option(train, "--seed", type=int, help="Of weights, order and augmentation.")
@option(train, "--dataset", "datasets", multiple=True, metavar="NAME", help="Keep to this dataset; may be repeated.")
@option(train, "--pretrained", help="Start from timm's weights (a download).")
@option(train, "--allow-leak", help="Train although val or test share faces with train; the report says so.")
@option(train, "--force", help="Replace the run in --out.")
@json_option
def command(as_json: bool, datasets: tuple[str, ...], time_limit: float | None, **given: Any) -> None:
    """Train a backbone on a manifest's train split; val chooses the checkpoint, test is scored once.

    \b
    ferdata train --manifest manifests/merged.parquet --time-limit 10m
    ferdata train --manifest manifests/merged.parquet -o runs/r18 --backbone resnet18 --size 64 --epochs 20
    """  # fmt: skip
    left = None if time_limit is None else max(time_limit - LOADING, 1e-3)
    run = train(time_limit=left, datasets=datasets or None, say=lambda line: click.echo(line, err=as_json), **given)
    print_json(run.report) if as_json else report(run)


def report(run: Run) -> None:
    """Print what training came to, where its pictures are, and what to do next."""
    r = run.report
    training, chosen = r["training"], r["protocol"]["chosen"]
    click.echo()
    facts(
        {
            "run": run.path,
            "backbone": f"{r['backbone']}, {r['parameters']:,} parameters",
            "trained": f"{training['epochs']:.1f} epochs of {training['n_train']:,} images in "
            f"{training['seconds']:.0f} s on {training['device']} ({training['precision']})",
            "chosen": f"epoch {chosen['epoch']}, val accuracy {chosen['val_accuracy']:.2%} on {training['n_val']:,}",
            "leak": "ALLOWED: val or test share faces with train"
            if r["protocol"]["leak_check"]["test_in_train"] or r["protocol"]["leak_check"]["val_in_train"]
            else "none",
        }
    )
    click.echo()
    headlines(r, f"Test, {r['n']:,} images")
    screen = console()
    for name in ("curves.png", "confusion.png", "report.json", "card.md"):
        click.echo(f"{run.path / name}")
    screen.print(f"\nNext: ferdata evaluate {run.path}", style="dim", soft_wrap=True)
    screen.print(f"      ferdata predict {run.path} PICTURES...", style="dim", soft_wrap=True)


def headlines(r: dict[str, Any], title: str) -> None:
    """Print the headline figures of a report, with their intervals."""
    rows = [
        (name.replace("_", " ").replace("f1", "F1"), f"{r[name]:.2%}", "{:.2%} to {:.2%}".format(*interval))
        for name, interval in r["confidence_intervals"].items()
        if name != "level"
    ]
    rows.append(("calibration error", f"{r['ece']:.2%}", "-"))
    rows.append(("always the commonest class", f"{r['baseline']['majority_share']:.2%}", "-"))
    table(title, ("figure", "value", "95 % interval"), rows)
