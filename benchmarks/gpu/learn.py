"""FER+ from scratch: how good a net is after so many seconds. Accuracy on val, which chose, and on test, scored once.

python -m gpu.learn MANIFEST OUT --device cuda [--long | --tiny]
"""

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from gpu import record
from zoo.training.train import train

# name -> recipe, seed, seconds
USUAL = {"default": ("default", 0, 60.0), "vgg13": ("ferplus-vgg13-crossentropy", 0, 40.0)}
LONG = {
    "default-4-minutes": ("default", 0, 240.0),
    **{f"default-seed-{seed}": ("default", seed, 60.0) for seed in range(3)},
}


def main() -> int:
    """Make run after run; each is written down as soon as it ends. 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--long", action="store_true", help="four minutes of default, and three seeds of a minute")
    parser.add_argument("--tiny", action="store_true", help="an epoch each")
    given = parser.parse_args()
    more: dict[str, Any] = {"epochs": 1} if given.tiny else {}
    failed = False
    for name, (recipe, seed, seconds) in (LONG if given.long else USUAL).items():
        row: dict[str, Any] = {"run": name, "recipe": recipe, "seed": seed, "limit": seconds}
        try:
            row |= learnt(given.manifest, given.out.parent / f"{name}.json", recipe, seed, seconds, given.device, more)
        except Exception as error:  # whatever one meets, the next is run
            row["why"], failed = record.reason(error), True
        record.add(given.out, **row)
    return int(failed)


def learnt(
    manifest: Path, keep: Path, recipe: str, seed: int, seconds: float, device: str, more: dict[str, Any]
) -> dict[str, Any]:
    """Train, keep report and history in one file, and return what a reader looks for first."""
    with tempfile.TemporaryDirectory() as folder:
        run = train(
            manifest, Path(folder, "run"), recipe, device=device, seed=seed, time_limit=seconds,
            say=lambda line: print(line, flush=True), **more,
        )  # fmt: skip
        history = list(csv.DictReader((run.path / "history.csv").read_text(encoding="utf-8").splitlines()))
    keep.write_text(json.dumps({"report": run.report, "history": history}, indent=1), encoding="utf-8")
    chosen, training = run.report["protocol"]["chosen"], run.report["training"]
    low, high = run.report["confidence_intervals"]["accuracy"]
    return {
        "val": 100 * chosen["val_accuracy"],
        "test": 100 * run.report["accuracy"],
        "test 95 %": f"{100 * low:.1f} to {100 * high:.1f}",
        "best epoch": chosen["epoch"],
        "epochs": round(training["epochs"], 1),
        "seconds": training["seconds"],
        "images/s": max(float(row["images_per_second"]) for row in history),
        "precision": training["precision"],
        "device": training["device"],
    }


if __name__ == "__main__":
    sys.exit(main())
