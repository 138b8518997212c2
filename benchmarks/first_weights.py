"""What published first weights are worth: a net that begins with them, the same net drawn, and ours, on as many images.

    python benchmarks/first_weights.py --ferplus ferplus.parquet --fer2013 fer2013.parquet \
        --imagenet tf_efficientnet_lite0.safetensors --face vladmandic-face-api-1.7.15.tgz \
        -o runs/first-weights --figures benchmarks/results/first-weights.jsonl

    OMP_NUM_THREADS=1 python benchmarks/first_weights.py ... --share 1/2 &
    OMP_NUM_THREADS=1 python benchmarks/first_weights.py ... --share 2/2    # a core each, which wastes less

The manifests are merged ones. Within a table all nets see the same images, as often; the epoch is chosen on val, test
is scored once; three seeds. Rates are the nets' own. About six minutes a run on two quiet cores, as reckoned: it was
never run to its end. Each finished run adds a line to `--figures`, and what has a line there is not run again: the same
command goes on where it was stopped, on another machine too. Prints the tables as Markdown, also of what there is so
far (`--report`).
"""

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo.experiments.ablation import interval_over_seeds
from zoo.experiments.run_or_reuse import once

SEEDS = (0, 1, 2)
LITE, FACE = "tf_efficientnet_lite0", "face_api"
# pixels -> epochs: about six minutes of the slowest net on two cores, as reckoned from results/precision-2026-11-27.md
EPOCHS = {48: 4, 112: 1, 150: 1}


@dataclass(frozen=True)
class Table:
    """Nets that are compared: on one manifest, at one size, each with its options."""

    name: str
    manifest: Path
    size: int
    nets: dict[str, dict[str, Any]]

    def options(self, net: str, seed: int) -> dict[str, Any]:
        """Return the options of one training."""
        return {"size": self.size, "epochs": EPOCHS[self.size], "seed": seed, **self.nets[net]}


Figures = dict[tuple[str, str, int], dict[str, Any]]  # table, net, seed -> what the run's report said


def tables(given: argparse.Namespace) -> list[Table]:
    """Return what the files that were named allow."""
    made = []
    if given.face and given.ferplus:
        # the best of head_rates.py on val, for each of the two nets
        probe = {"backbone": FACE, "unfreeze": "head", "head_lr": 0.3}
        probes = {"head on face net": {**probe, "weights": str(given.face)}, "head on drawn net": probe}
        made.append(Table("probe-ferplus-150", given.ferplus, 150, probes))
    if given.imagenet:
        nets: dict[str, dict[str, Any]] = {
            "lite0 of ImageNet": {"backbone": LITE, "weights": str(given.imagenet)},
            "lite0 drawn": {"backbone": LITE},
            "resnet_fer drawn": {"backbone": "resnet_fer"},
        }
        for name, manifest, size in (("ferplus", given.ferplus, 48), ("ferplus", given.ferplus, 112),
                                     ("fer2013", given.fer2013, 112)):  # fmt: skip
            if manifest:
                made.append(Table(f"{name}-{size}", manifest, size, nets))
    return made


def main() -> int:
    """Train what is missing, and print what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ferplus", "fer2013", "imagenet", "face"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True, help="one line of JSON for each finished run")
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--share", default="1/1", help="of the trainings: 1/2 and 2/2 side by side, a core each")
    given = parser.parse_args()
    asked = tables(given)
    if not asked:
        parser.error("nothing to compare: name --imagenet or --face, and a manifest")
    found = read(given.figures)
    # seed by seed through all tables: what is half done is fair to every net
    todo = [(table, net, seed) for seed in SEEDS for table in asked for net in table.nets]
    part, of = map(int, given.share.split("/"))
    for table, net, seed in todo[part - 1 :: of] if not given.report else ():
        if (table.name, net, seed) not in found:
            folder = given.out / table.name / f"{net.replace(' ', '-')}-{seed}"
            run, _ = once(table.manifest, folder, "default", table.options(net, seed), {}, say=to_stderr)
            found[table.name, net, seed] = write(given.figures, table.name, net, seed, run.report)
    for table in asked:
        print("\n".join(as_markdown(table, found)))
    return 0


def to_stderr(line: str) -> None:
    """Show a line of a training, out of the tables' way."""
    print(line, file=sys.stderr)


def read(path: Path) -> Figures:
    """Return the figures of the runs that are finished."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return {(one["table"], one["net"], one["seed"]): one for one in map(json.loads, lines)}


def write(path: Path, table: str, net: str, seed: int, report: dict[str, Any]) -> dict[str, Any]:
    """Add a run's line, and return it."""
    line = {
        "table": table,
        "net": net,
        "seed": seed,
        "accuracy": report["accuracy"],
        "interval": report["confidence_intervals"]["accuracy"],
        "macro_f1": report["macro_f1"],
        "n": report["n"],
        "seconds": report["training"]["seconds"],
        "processor": torch.backends.cpu.get_cpu_capability(),
    }
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
    return line


def as_markdown(table: Table, found: Figures) -> list[str]:
    """Return a table as Markdown: a row a net, and by how much the first net is better than each other."""
    lines = [f"\n## {table.name}: {EPOCHS[table.size]} epochs at {table.size} px\n"]
    heads = ("net", "seeds", "test accuracy, each", "mean", "95 % by image, first seed", "macro-F1")
    lines += [f"| {' | '.join((*heads, 'gain of the first net, 95 % by seed'))} |"]
    lines += ["|---|---|---|---|---|---|---|"]
    best = {seed: found.get((table.name, next(iter(table.nets)), seed)) for seed in SEEDS}
    for net in table.nets:
        runs = [one for seed in SEEDS if (one := found.get((table.name, net, seed)))]
        if not runs:
            lines.append(f"| {net} | 0 | not run | | | | |")
            continue
        accuracy = [100 * one["accuracy"] for one in runs]
        low, high = (100 * end for end in runs[0]["interval"])
        macro = 100 * statistics.mean(one["macro_f1"] for one in runs)
        gains = [first["accuracy"] - one["accuracy"] for one in runs if (first := best[one["seed"]])]
        lines.append(
            f"| {net} | {len(runs)} | {', '.join(f'{a:.2f}' for a in accuracy)} | {statistics.mean(accuracy):.2f} "
            f"| {low:.1f} to {high:.1f} | {macro:.1f} | {as_gain(gains, runs[0]['n']) if any(gains) else ''} |"
        )
    return lines


def as_gain(gains: list[float], n: int) -> str:
    """Return a gain in points, with its interval over seeds where they are enough."""
    interval = interval_over_seeds(gains, n)
    ends = f" ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})" if interval else ""
    return f"{100 * statistics.mean(gains):+.1f}{ends}"


if __name__ == "__main__":
    sys.exit(main())
