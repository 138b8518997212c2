"""What a run says of itself: `report.json`, and the card in words."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferdata.errors import AlreadyExists
from zoo import metrics
from zoo.checkpoint import Meta
from zoo.data import Images, Rows
from zoo.guards import prior


def build(
    meta: Meta, rows: Rows, images: Images, probabilities: NDArray[np.float32], split: str, tta: bool
) -> dict[str, Any]:
    """Return the figures on a split, what knowing the class frequencies alone would give, and how they came about."""
    hard = images.hard.numpy()
    result = metrics.score(probabilities, hard, meta.classes)
    result["baseline"] = prior(images.hard, len(meta.classes))
    names = np.asarray(rows.table["dataset"].to_pylist())[images.where]
    result["by_dataset"] = {
        str(name): {
            "n": int((names == name).sum()),
            "accuracy": float((probabilities.argmax(1) == hard)[names == name].mean()),
        }
        for name in np.unique(names)
    }
    result["protocol"] = {
        "manifest": str(rows.manifest.path),
        "fingerprint": rows.manifest.fingerprint,
        "split": split,
        "split_source": rows.split_source,
        "taxonomy": meta.taxonomy["name"],
        "selection": f"the epoch with the best val {meta.config['select']}; "
        "test took no part and is scored once, at the end",
        "chosen": meta.chosen,
        "flip_tta": tta,
        "precision": "32-true",
    }
    result["backbone"] = meta.backbone
    return result


def check_free(path: Path, force: bool) -> None:
    """Raise AlreadyExists if `path` is there and may not be replaced."""
    if path.exists() and not force:
        raise AlreadyExists(f"{path} is there already.", "Add --force to replace it.")


def card(meta: Meta, report: dict[str, Any]) -> str:
    """Return the run in words, as Markdown."""
    config, protocol, training = meta.config, report["protocol"], report["training"]
    interval = report["confidence_intervals"]
    lines = [
        f"# {meta.backbone} on {Path(meta.manifest).name}",
        "",
        f"Facial expression from one face picture: {', '.join(meta.classes)}. Input {meta.size} x {meta.size}, "
        f"{meta.channels} channel(s), {report['parameters']:,} parameters, "
        + ("pretrained." if config["pretrained"] else "trained from scratch."),
        "",
        f"| {report['n']:,} test images | figure | 95 % interval |",
        "|---|---|---|",
        *(
            f"| {name.replace('_', ' ')} | {report[name]:.1%} | {interval[name][0]:.1%} to {interval[name][1]:.1%} |"
            for name in metrics.HEADLINES
        ),
        f"| always the commonest class | {report['baseline']['majority_share']:.1%} | |",
        "",
        f"- Trained for {training['epochs']:.1f} epochs on {training['n_train']:,} images, "
        f"{config['targets']} targets, in {training['seconds']:.0f} s on {training['device']} "
        f"({training['precision']}), seed {config['seed']}.",
        f"- The checkpoint is of epoch {meta.chosen['epoch']}: {protocol['selection']}.",
        f"- Leak check: {_leak_words(protocol['leak_check'])}",
        f"- Manifest fingerprint `{meta.fingerprint}`; split column `{protocol['split_source']}`; "
        f"mirror averaging {'on' if meta.tta else 'off'}.",
        "",
        "It sees what annotators saw in a face at one moment, not what a person feels, and no better for people "
        "who are rare in its training data. Terms of the datasets hold for the weights too.",
        "",
    ]
    return "\n".join(lines)


def _leak_words(found: dict[str, Any]) -> str:
    if not (found["val_in_train"] or found["test_in_train"]):
        return "no val or test image has its like in train."
    return (
        f"**{found['test_in_train']:,} test and {found['val_in_train']:,} val images have their like in train** "
        "(--allow-leak): the figures above are too good."
    )
