"""What published first weights are worth: a net that begins with them, the same net drawn, and ours, on as many images.

    python benchmarks/first_weights.py --ferplus ferplus.parquet --fer2013 fer2013.parquet \
        --imagenet tf_efficientnet_lite0.safetensors --face vladmandic-face-api-1.7.15.tgz -o runs/first-weights

The manifests are merged ones. Within a table all nets see the same images, as often; the epoch is chosen on val, test
is scored once; three seeds. Rates are the nets' own. About six minutes a run on two cores, four hours in all: what is
finished is kept, and the same command goes on where it was stopped. Prints the tables as Markdown, also of what there
is so far (`--report`).
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.evaluation.compare import compare
from zoo.experiments.run_or_reuse import finished, once, read_report
from zoo.run.run_folder import Folder

SEEDS = (0, 1, 2)
LITE, FACE = "tf_efficientnet_lite0", "face_api"
# pixels -> epochs: about six minutes of the slowest net on two cores of an AMD EPYC
EPOCHS = {48: 12, 112: 3, 150: 1}


@dataclass(frozen=True)
class Table:
    """Nets that are compared: on one manifest, at one size, each with its options."""

    name: str
    manifest: Path
    size: int
    nets: dict[str, dict[str, Any]]

    def runs(self, out: Path) -> Iterator[tuple[str, int, Path, dict[str, Any]]]:
        """Yield net, seed, folder and options of every training, seed by seed: a table half made is a fair one."""
        for seed in SEEDS:
            for net, options in self.nets.items():
                folder = out / self.name / f"{net.replace(' ', '-')}-{seed}"
                yield net, seed, folder, {"size": self.size, "epochs": EPOCHS[self.size], "seed": seed, **options}


def tables(given: argparse.Namespace) -> list[Table]:
    """Return what the files that were named allow."""
    made = []
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
    if given.face and given.ferplus:
        probe = {"backbone": FACE, "unfreeze": "head"}
        probes = {"head on face net": {**probe, "weights": str(given.face)}, "head on drawn net": probe}
        made.append(Table("probe-ferplus-150", given.ferplus, 150, probes))
    return made


def main() -> int:
    """Train what is missing, and print what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("ferplus", "fer2013", "imagenet", "face"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--report", action="store_true", help="train nothing")
    given = parser.parse_args()
    asked = tables(given)
    if not asked:
        parser.error("nothing to compare: name --imagenet or --face, and a manifest")
    for table in asked if not given.report else ():
        for _, _, folder, options in table.runs(given.out):
            once(table.manifest, folder, "default", (), options, say=lambda line: print(line, file=sys.stderr))
    for table in asked:
        print("\n".join(report(table, given.out)))
    return 0


def report(table: Table, out: Path) -> list[str]:
    """Return a table as Markdown: a row a net, and how the first seeds' runs compare, by image."""
    found: dict[str, list[dict[str, Any]]] = {net: [] for net in table.nets}
    first: dict[str, Path] = {}
    for net, seed, folder, _ in table.runs(out):
        if finished(Folder(folder)):
            found[net].append(read_report(folder))
            if seed == SEEDS[0]:
                first[net] = folder
    lines = [f"\n## {table.name}: {EPOCHS[table.size]} epochs at {table.size} px\n"]
    lines += [
        "| net | seeds | test accuracy, each | mean | 95 % of images, first seed | macro-F1, mean | seconds, mean |"
    ]
    lines += ["|---|---|---|---|---|---|---|"]
    for net, reports in found.items():
        if not reports:
            lines.append(f"| {net} | 0 | not run | | | | |")
            continue
        accuracy = [100 * one["accuracy"] for one in reports]
        low, high = (100 * end for end in reports[0]["confidence_intervals"]["accuracy"])
        macro = 100 * statistics.mean(one["macro_f1"] for one in reports)
        seconds = statistics.mean(one["training"]["seconds"] for one in reports)
        lines.append(
            f"| {net} | {len(reports)} | {', '.join(f'{a:.2f}' for a in accuracy)} | {statistics.mean(accuracy):.2f} "
            f"| {low:.1f} to {high:.1f} | {macro:.1f} | {seconds:,.0f} |"
        )
    if len(first) > 1:
        lines += ["", f"First seeds: {compare(list(first.values()))['answer']}"]
    return lines


if __name__ == "__main__":
    sys.exit(main())
