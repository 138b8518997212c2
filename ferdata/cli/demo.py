"""`ferdata demo`: the whole path on synthetic faces. The only place that joins the steps and the zoo."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ferdata.cli.layout import echo, prose
from ferdata.cli.options import json_option, option
from ferdata.cli.output import print_json, table
from ferdata.steps.draw import draw
from ferdata.steps.ingest import ingest
from ferdata.steps.merge import Merged, merge
from ferdata.steps.stats import stats

EPOCHS = 20  # by number, not by the clock: what is learnt depends on the seed, and not on how busy the machine is


@click.command("demo")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Output folder; an earlier demo there is replaced.",
)
@option(draw, "--faces", type=int, help="Approximate number of synthetic faces.")
@option(draw, "--seed", type=int, help="Random seed for the faces, the splits and the training.")
@json_option
def command(out: Path, faces: int, seed: int, as_json: bool) -> None:
    """The whole pipeline on synthetic faces: ingest, stats, merge, train, evaluate. About a minute on a CPU.

    \b
    ferdata demo
    ferdata demo --out /tmp/demo --seed 1
    """  # fmt: skip
    demo = Demo(out, quiet=as_json)
    made = demo.manifests(faces, seed)
    merged = demo.merged(made, seed)
    run = demo.trained(merged.out, seed)
    if as_json:
        print_json({"merged": merged, "report": run.report, "run": run.path, "seconds": demo.seconds})
    else:
        demo.summary(merged, run)


class Demo:
    """One demo under way: says what it does, as the commands that do the same, and how long each took."""

    def __init__(self, out: Path, quiet: bool) -> None:
        self.out, self.quiet = out, quiet
        self.begun = time.monotonic()
        self.seconds: dict[str, float] = {}

    def manifests(self, faces: int, seed: int) -> dict[str, Path]:
        """Draw the three datasets and ingest each."""
        with self._step("draw", f"Draw about {faces:,} synthetic faces in the folder layouts of FER+, CK+ and RAF-DB"):
            roots = draw(self.out / "data", faces=faces, seed=seed, force=True)
        made = {}
        for name, root in roots.items():
            path = self.out / "manifests" / f"{name}.parquet"
            with self._step("ingest", f"ferdata ingest {name} --root {root} -o {path}"):
                got = ingest(name, root=root, out=path, force=True)
            lost = f", {sum(got.rejected.values())} rejected" if got.rejected else ""
            self._say(f"  {got.rows:,} rows, {got.labelled:,} with a label{lost}")
            made[name] = path
        return made

    def merged(self, made: dict[str, Path], seed: int) -> Merged:
        """Merge the three, and plot the class balance."""
        out = self.out / "manifests" / "merged.parquet"
        with self._step("merge", f"ferdata merge {' '.join(map(str, made.values()))} -o {out}"):
            merged = merge(*made.values(), out=out, seed=seed, force=True)
        left = sum(sum(p.left_out.values()) for p in merged.parts.values())
        self._say(
            f"  {merged.rows:,} rows; {merged.identical} groups of identical images, "
            f"{sum(merged.across.values())} of them across official splits: {left} rows were excluded"
        )
        plot = self.out / "balance.png"
        with self._step("stats", f"ferdata stats {out} --plot {plot}"):
            counted = stats(out, plot=plot)
        if not self.quiet:
            table(
                "Labelled rows",
                ("split", *counted.classes),
                [(p.part, *p.counts.values()) for p in counted.parts if p.labelled],
            )
        return merged

    def trained(self, manifest: Path, seed: int) -> Any:
        """Train on the merged manifest, and evaluate the run once more from its files."""
        from zoo.evaluation.evaluate import evaluate
        from zoo.training.train import train

        run = self.out / "runs" / "demo"
        seeded = f"--epochs {EPOCHS}" + (f" --seed {seed}" if seed else "")
        with self._step("train", f"ferdata train --manifest {manifest} --out {run} {seeded}"):
            finished = train(manifest, out=run, epochs=EPOCHS, seed=seed, force=True, say=self._some())
        with self._step("evaluate", f"ferdata evaluate {run}"):
            again = evaluate(run)
        same = again["accuracy"] == finished.report["accuracy"]
        self._say(f"  test accuracy, computed again from the files: {'the same' if same else 'NOT the same'}")
        return finished

    @contextmanager
    def _step(self, name: str, what: str) -> Iterator[None]:
        if not self.quiet:
            echo("$ ", nl=False, fg="cyan", bold=True)
            echo(what, bold=True)
        start = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start

    def _some(self) -> Callable[[str], None]:
        """Return a `say` that prints the first epoch and every tenth: there are dozens, and each takes a moment."""
        count = itertools.count(1)

        def say(line: str) -> None:
            epoch = next(count) if line.startswith("epoch") else 1  # what else is said is said
            if epoch == 1 or epoch % 10 == 0:
                self._say(f"  {line}")

        return say

    def _say(self, line: str) -> None:
        if not self.quiet:
            echo(line)

    def summary(self, merged: Merged, run: Any) -> None:
        """Print the closing table, where the pictures are, and what to type next."""
        report = run.report
        echo()
        low, high = report["confidence_intervals"]["accuracy"]
        rows: list[tuple[str, str]] = [
            ("test images", f"{report['n']:,}"),
            ("accuracy", f"{100 * report['accuracy']:.1f} %  (95 % interval {100 * low:.1f} to {100 * high:.1f})"),
            ("macro-F1", f"{100 * report['macro_f1']:.1f} %"),
            ("majority-class baseline", f"{100 * report['baseline']['majority_share']:.1f} %"),
            ("calibration error (ECE)", f"{report['ece']:.3f}"),
            ("time", f"{time.monotonic() - self.begun:.0f} s ("
             + ", ".join(f"{name} {s:.0f} s" for name, s in self.seconds.items() if s >= 0.5) + ")"),
        ]  # fmt: skip
        table("A small network on synthetic faces", ("", "test, scored once"), rows, text=2)
        if report["caution"]:
            prose(report["caution"])
        for what, path in (
            ("class balance", self.out / "balance.png"),
            ("learning curves", run.path / "curves.png"),
            ("confusion matrix", run.path / "confusion.png"),
            ("model card", run.path / "card.md"),
        ):
            echo(f"{what:<18}{path}")
        prose(
            "\nThe faces are synthetic: these figures show that the pipeline works, not how well it reads people. Next:"
        )
        photo = next((self.out / "data" / "rafdb").rglob("test_*.jpg"))
        for line in (
            f"ferdata show {merged.out}",
            f"ferdata predict {run.path} {photo}",
            "ferdata datasets",
            "ferdata ingest ferplus --root path/to/FERPlus",
        ):
            echo(f"  {line}")
