"""Five rows in FiftyOne, and what a person does to them there."""

import socket
from pathlib import Path
from typing import Any

from ferdata.reviewing.fiftyone import dataset as sets
from ferdata.steps.review import review

ROWS = [
    {"native_label": "anger", "votes": [0, 0, 0, 0, 9, 1, 0, 0, 0, 0], "official_split": "train"},
    {"native_label": "fear", "votes": [2, 2, 2, 2, 2, 0, 0, 0, 0, 0], "official_split": "train"},
    {"native_label": "fear", "votes": [0, 0, 0, 0, 0, 0, 10, 0, 0, 0], "official_split": "train", "seed": 9},
    {"native_label": "anger", "votes": [0, 0, 0, 0, 10, 0, 0, 0, 0, 0], "official_split": "test", "seed": 9},
    {"native_label": "sadness", "issues": ["suspect_label"], "label_quality": 0.1, "face_box": [4, 4, 40, 40]},
]


def shown(fo: Any, path: Path) -> Any:
    found = sets.of(fo, path)
    found.reload()
    return found


def load(path: Path, **options: Any) -> sets.Pushed:
    heard: list[sets.Pushed] = []
    review(path, app=False, announce=lambda pushed, url: heard.append(pushed), **options)
    return heard[0]


def ids(fo: Any, path: Path, *numbers: int) -> list[Any]:
    """Return the ids of the rows of that number."""
    found = shown(fo, path)
    held = dict(zip(*found.values(["sample_id", "_id"]), strict=True))
    return [held[f"made:{n:04}"] for n in numbers]


def truths(fo: Any, path: Path) -> dict[str, str | None]:
    found = shown(fo, path)
    return dict(zip(*found.values(["sample_id", "ground_truth.label"]), strict=True))


def states(fo: Any, path: Path) -> list[tuple[str, str]]:
    return list(zip(*shown(fo, path).sort_by("sample_id").values(["ground_truth.label", "decision"]), strict=True))


def annotate(fo: Any, path: Path, number: int, label: str | None) -> None:
    """Edit a sample as the Annotate tab does: the label, and the time of the change, nothing of ours."""
    sample = shown(fo, path)[ids(fo, path, number)[0]]
    sample["ground_truth"] = fo.Classification(label=label) if label else None
    sample.save()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
