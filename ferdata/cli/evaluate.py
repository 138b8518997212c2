"""`ferdata evaluate RUN`."""

from pathlib import Path
from typing import Any

import click

from ferdata.cli.options import json_option, option
from ferdata.cli.output import facts, print_json, table
from ferdata.cli.train import headlines
from ferdata.schema import SPLITS
from zoo.device import DEVICES
from zoo.evaluate import evaluate


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path))
@option(evaluate, "--manifest", type=click.Path(path_type=Path), help="Another manifest [default: the one trained on].")
@option(evaluate, "--split", type=click.Choice((*SPLITS, "all")), help="all: every labelled row.")
@option(evaluate, "--dataset", metavar="NAME", help="Keep to one dataset.")
@click.option("--tta/--no-tta", default=None, help="Average with the mirror image [default: as the run did].")
@option(evaluate, "--device", type=click.Choice(DEVICES), help="Where to compute.")
@option(evaluate, "--save", help="Write evaluation-SPLIT.json into the run.")
@option(evaluate, "--force", help="Replace an earlier evaluation-SPLIT.json.")
@json_option
def command(run: Path, as_json: bool, **given: Any) -> None:
    """Score a trained run on a split, by class.

    \b
    ferdata evaluate runs/first
    ferdata evaluate runs/first --manifest manifests/ckplus.parquet --split all
    """  # fmt: skip
    result = evaluate(run, **given)
    print_json(result) if as_json else report(run, result)


def report(run: Path, r: dict[str, Any]) -> None:
    """Print an evaluation's figures, over all and by class."""
    protocol = r["protocol"]
    shared = protocol["leak_check"]["shared_with_train"]
    facts(
        {
            "run": run,
            "manifest": f"{protocol['manifest']} ({protocol['fingerprint'][:8]}), split {protocol['split']} "
            f"by {protocol['split_source']}",
            "note": None
            if protocol["run_finished"]
            else "this run was interrupted before its end: not its final weights",
            "manifest now": None if protocol["same_manifest_as_training"] else "not the one trained on",
            "seen in training": "not known" if shared is None else f"{shared:,} of {r['n']:,} images",
        }
    )
    click.echo()
    rows = [
        (name, *(None if c[f] is None else f"{c[f]:.1%}" for f in ("recall", "precision", "f1")), c["n"])
        for name, c in r["per_class"].items()
    ]
    table("By class", ("class", "recall", "precision", "F1", "images"), rows)
    if len(r["by_dataset"]) > 1:
        parts = [(name, f"{d['accuracy']:.1%}", d["n"]) for name, d in r["by_dataset"].items()]
        table("By dataset", ("dataset", "accuracy", "images"), parts)
    headlines(r, f"{protocol['split'].capitalize()}, {r['n']:,} images")
