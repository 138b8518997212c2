"""`ferdata train --manifest M`."""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from ferdata.charts.lettering import key
from ferdata.charts.style import VECTOR
from ferdata.cli import merge_first
from ferdata.cli.groups import Decorator, GroupedCommand, under
from ferdata.cli.layout import echo
from ferdata.cli.options import Choice, json_option, option, refuse_idle
from ferdata.cli.output import facts, print_json
from ferdata.cli.pipes import say

_before = time.monotonic()

from ferdata.cli.evaluate import folds_report, headlines  # noqa: E402
from zoo.augment.own_ranges import in_a_line  # noqa: E402
from zoo.evaluation.model_card import in_epochs  # noqa: E402
from zoo.experiments.cross_validation import cross_validate  # noqa: E402
from zoo.options.options import AT_LEAST, CHOICES, NAMED, TrainConfig  # noqa: E402
from zoo.options.recipes import DEFAULT, load, names  # noqa: E402
from zoo.run.device import DEVICES, PRECISIONS  # noqa: E402
from zoo.run.run_folder import CHARTS, Folder  # noqa: E402
from zoo.training import resolve  # noqa: E402
from zoo.training.train import Run, default_out, train  # noqa: E402

# What a run does when it is told nothing: the default recipe's word, else the dataclass's.
USUAL = {**TrainConfig().as_dict(), **load(DEFAULT).options}


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


def named(name: str, help_text: str, parameter: str = "", **attributes: Any) -> Decorator:
    """Declare one of TrainConfig's options: not given it is None, and what it then is stands in its help."""
    key = parameter or name.split("/")[0].lstrip("-").replace("-", "_")
    usual = USUAL[key]
    if not isinstance(usual, bool | None) and "[default" not in help_text:
        help_text += f" [default: {usual}]"
    attributes.setdefault("type", click.Choice(CHOICES[key]) if key in CHOICES else None)
    return option(train, *filter(None, (name, parameter)), help=help_text, **attributes)


FILE = click.Path(path_type=Path)


@click.command("train", cls=GroupedCommand)
@under(
    "Data and output",
    option(train, "--manifest", type=FILE, help="The manifest to train on."),
    option(train, "-o", "--out", type=FILE, help="The run's folder [default: runs/MANIFEST-BACKBONE]."),
    named("--dataset", "Use only this dataset; may be repeated.", "datasets", multiple=True, metavar="NAME"),
    named("--fold", "Test on this fold, choose on the next, train on the others.", type=click.IntRange(0)),
    click.option(
        "--folds", type=Choice(["all"]), help="A run for each fold, each tested once; continues where it was stopped."
    ),
    named("--size", "Input side, pixels [default: the backbone's own].", type=click.IntRange(AT_LEAST["size"])),
    named("--channels", "1 grey, 3 colour [default: as the images are].", type=click.Choice([1, 3])),
)
@under(
    "Recipe",
    option(train, "--recipe", metavar="NAME|FILE", help=f"{', '.join(names())}; or a .toml, such as a run's."),
    click.option("--set", "options", multiple=True, metavar="KEY=VALUE",
                 help="Any option of a recipe, such as rotation=20,zoom=0.15; may be repeated."),
)  # fmt: skip
@under(
    "Network and initial weights",
    named("--backbone", "Of ferdata zoo list; or hf-hub:OWNER/NAME, local-dir:FOLDER.", metavar="NAME"),
    named("--stem", "small: stride 1 and no pooling, for images of 40 to 64 px."),
    named("--head", "The classifier; mlp takes --set head_widths=512,256."),
    named("--pretrained/--from-scratch", "Published weights (a download), or random initialisation."),
    named("--weights", "Initial weights from this file (.safetensors, .pth, npm's .tgz).", type=FILE),
    named("--init", "Initial weights from this run.", type=FILE, metavar="RUN"),
)
@under(
    "Targets and loss",
    named("--targets", "The majority class, the distribution of the votes, a class sampled from it, or several."),
    named("--loss", "focal gives more weight to samples that are still misclassified."),
    named("--smoothing", "Label smoothing, 0 to 1.", type=float),
    named("--class-weights", "Larger loss weights for rare classes."),
    named("--sampler", "Sample rare classes, or small datasets, more often."),
    named("--augment", "Augmentation policy, or a .toml of your own; ferdata augment shows it.", metavar="NAME|FILE"),
)
@under(
    "Optimisation",
    named("--optimizer", "sgd, adamw, or any of timm's [default: the backbone's].", metavar="NAME"),
    named(
        "--lr",
        "Peak learning rate [default: the backbone's; SGD's in proportion to --batch, others' to its square root].",
        type=float,
    ),
    named("--weight-decay", "Weight decay [default: the backbone's].", type=float),
    named("--schedule", "Learning-rate schedule; one_cycle and cosine end with --time-limit."),
    named(
        "--unfreeze",
        "Layers to train. lp-ft: the head, then all; gradual: block by block from the top; top: the last open_layers.",
    ),
    named("--norm", "Statistics of batch normalisation."),
    named("--ema", "Decay of the exponential moving average of the weights, such as 0.999; 0: off.", type=float),
)
@under(
    "Duration and model selection",
    named("--epochs", "Largest number of epochs [default: 30, or as the time limit allows].", type=click.IntRange(1)),
    named("--time-limit", "For the whole command, such as 10m.", type=Duration(), metavar="TIME"),
    named("--patience", "Stop after so many epochs without a better one; 0: never.", type=click.IntRange(0)),
    named("--select", "The val metric that selects the epoch; last: no selection."),
    named("--tta", "Test-time augmentation: the views of an image that are averaged."),
)
@under(
    "Hardware",
    named("--batch", "Batch size.", type=click.IntRange(AT_LEAST["batch"])),
    named("--device", "The device.", type=click.Choice(DEVICES)),
    named("--devices", "Number of devices.", type=click.IntRange(1)),
    named("--precision", "Precision of training; evaluation is always 32-true.", type=click.Choice(PRECISIONS)),
    named("--compile/--no-compile", "Use torch.compile: a slower start, faster steps."),
    named("--seed", "Random seed for weights, order and augmentation.", type=int),
)
@under(
    "This command",
    option(train, "--dry-run", help="Check everything, estimate time and memory, write nothing."),
    option(train, "--resume", help="Continue the unfinished run in --out from its last complete epoch."),
    option(train, "--force", help="Replace the run in --out."),
    option(
        train,
        "--plots",
        type=Choice(VECTOR),
        multiple=True,
        help="Also write the charts in this format; may be repeated.",
    ),
    click.option("--as-is", is_flag=True, help="Use the splits as they are; never merge first."),
    named("--allow-leak/--no-allow-leak", "Train even if val or test share faces with train; the report says so."),
    named("--allow-scale/--no-allow-scale", "Train even on pixels that are scaled twice; the report says so."),
    named("--trust-files/--no-trust-files", "Use images even if changed since ingest."),
    json_option,
)
def command(
    as_json: bool,
    datasets: tuple[str, ...],
    time_limit: float | None,
    folds: str | None,
    as_is: bool,
    manifest: Path,
    **given: Any,
) -> None:
    """Train a backbone on a manifest's train split; val chooses the checkpoint, test is scored once.

    A manifest that was only ingested is first merged, as `ferdata merge` does, into the run's folder: its official test
    stays complete, val is sampled from train, and duplicates stay in one split. Not with --as-is, --fold or --folds.

    \b
    ferdata train --manifest manifests/rafdb.parquet
    ferdata train --manifest manifests/merged.parquet --time-limit 10m
    ferdata train --manifest manifests/merged.parquet --recipe khaireddin --set lr=0.02 --dry-run
    ferdata train --manifest manifests/merged.parquet -o runs/b0 --backbone efficientnet_b0 --pretrained --size 112
    ferdata train --manifest manifests/ckplus.parquet -o runs/ck --init runs/b0 --unfreeze lp-ft --norm frozen
    ferdata train --manifest manifests/merged.parquet -o runs/b0 --resume
    ferdata train --manifest folds.parquet -o runs/ten --folds all
    """  # fmt: skip
    if folds:
        refuse_idle(("resume",), "--folds all goes on by itself where it was stopped; leave it out")
    if folds or given["fold"] is not None:
        refuse_idle(("as_is",), "folds are taken as they stand; leave it out")
    if given["resume"]:
        refuse_idle(("force",), "what --resume goes on with is not replaced; leave one of them out")
    if given["select"] == "last":
        refuse_idle(("patience",), "under --select last no epoch is better than another; leave it out")
    given |= {"datasets": datasets or None, "time_limit": time_limit}
    if folds:
        crossed(as_json, manifest=manifest, **given)
        return
    tell = partial(say, err=as_json)
    given["out"] = given["out"] or Path(default_out(manifest, given["recipe"], given))
    with splits(manifest, as_is, given, tell) as ready:
        run = train(ready, say=tell, begun=_before, **given)  # the time limit covers the import of torch too
    if as_json:
        print_json(run.report)
    elif run.report.get("dry_run"):
        rehearsed(run)
    else:
        report(run, given["plots"])


def splits(
    manifest: Path, as_is: bool, given: Mapping[str, Any], tell: merge_first.Say
) -> AbstractContextManager[Path]:
    """Return what opens the manifest to train on, merged first where it was only ingested.

    What cannot work is refused before that, since a merge takes its time.
    """
    if as_is or given["fold"] is not None:
        return nullcontext(manifest)
    out, resume, force, dry_run = Path(given["out"]), given["resume"], given["force"], given["dry_run"]
    Folder(out).check(force or dry_run, resume)
    if not resume:
        named = {key: value for key, value in given.items() if key in NAMED}
        resolve.check_names(resolve.merge("", given["recipe"], given["options"], named, None))
    return merge_first.merged_first(manifest, out, resume, force, dry_run, tell)


def crossed(as_json: bool, fold: int | None, resume: bool, **given: Any) -> None:  # noqa: ARG001  # it always goes on
    """Train and test every fold, and print what that comes to."""
    if fold is not None:
        raise click.UsageError("Give --fold for one fold, or --folds for all of them.")
    done = cross_validate(say=partial(say, err=as_json), **given)
    if as_json:
        print_json(done.report)
    elif done.report.get("dry_run"):
        rehearsed(Run(done.path, done.report))
    else:
        folds_report(done.path, done.report, given["plots"])


def rehearsed(run: Run) -> None:
    """Print what a dry run found."""
    r = run.report
    config, leak = r["config"], r["leak_check"]
    facts(
        {
            "backbone": f"{r['backbone']}, {r['parameters']:,} parameters, {config['size']} px, "
            f"{config['channels']} channel(s)",
            "trained": None
            if r["open_parameters"] == r["parameters"]
            else f"{r['open_parameters']:,} of the parameters at first; the others are frozen",
            "images": ", ".join(f"{n:,} {split}" for split, n in r["images"].items()),
            "classes": ", ".join(r["classes"]),
            "augmentation": in_a_line(r["augmentation"]),
            "leak": "none" if not (leak["val_in_train"] or leak["test_in_train"]) else "ALLOWED",
            "stages": ", then ".join(r["stages"]) if len(r["stages"]) > 1 else None,
            "a step": f"{1000 * r['seconds_per_step']:,.0f} ms on {config['device']} ({config['precision']})",
            "an epoch": span(r["seconds_per_epoch"]),
            "the whole": f"{span(r['seconds'])} for {in_epochs(r['epochs'])} at the most",
            "memory": f"{r['memory_bytes'] / 1e9:.1f} GB" if r["memory_bytes"] else None,
            "note": "\n".join(r["notes"]) or None,
        }
    )
    echo("\nEverything checks out. Nothing was written; leave out --dry-run to train.")


def span(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def report(run: Run, plots: Sequence[str] = ()) -> None:
    """Print what training came to, where its pictures are, and what to do next."""
    r = run.report
    training, chosen = r["training"], r["protocol"]["chosen"]
    leak = r["protocol"]["leak_check"]
    echo()
    facts(
        {
            "run": run.path,
            "backbone": f"{r['backbone']}, {r['parameters']:,} parameters",
            "trained": f"{in_epochs(training['epochs'])} of {training['n_train']:,} images in "
            f"{training['seconds']:.0f} s on {training['device']} ({training['precision']})",
            "chosen": f"epoch {chosen['epoch']}, val accuracy {chosen['val_accuracy']:.2%} on {training['n_val']:,}",
            "leak": "ALLOWED: val or test share faces with train"
            if leak["test_in_train"] or leak["val_in_train"]
            else "none",
        }
    )
    echo()
    headlines(r, f"Test, {r['n']:,} images")
    charts = [f"{name}.{form}" for form in ("png", *plots) for name in CHARTS]
    for name in (*charts, "report.json", "card.md"):
        echo(f"{run.path / name}")
    if numbers := key(r["classes"]):
        echo(numbers)
    if any(Folder(run.path).tensorboard.glob("events.out.*")):
        echo(f"Epoch by epoch, beside other runs: tensorboard --logdir {run.path.parent}")
    echo(f"\nNext: ferdata evaluate {run.path}", dim=True)
    echo(f"      ferdata predict {run.path} PICTURES...", dim=True)
