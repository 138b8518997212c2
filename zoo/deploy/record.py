"""What a run has to show for itself, in a sentence or two: what it was trained on, and how often it is right."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ferdata.running.plain_file import read_plain
from zoo.run.model_file import Meta
from zoo.run.run_folder import Folder

NAMED = 3  # datasets; of more, how many there are


def record(folder: Folder, meta: Meta) -> str:
    """Return the sentences, from the run's `report.json`; where that cannot be read, that test accuracy is unknown."""
    try:
        report = json.loads(read_plain(folder.report))
        low, high = report["confidence_intervals"]["accuracy"]
        return (
            f"Trained on {report['training']['n_train']:,} images of {_named(report['sources'])}. Test accuracy "
            f"{report['accuracy']:.1%} (95% interval {low:.1%} to {high:.1%}) on {report['n']:,} images."
        )
    except (OSError, ValueError, KeyError, TypeError):  # training has not ended, or somebody changed the file
        manifest = PurePosixPath(meta.manifest).name
        return f"Trained on {manifest}. Test accuracy unknown: the run has no report.json that can be read."


def _named(sources: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the datasets' titles, or their number."""
    titles = [source.get("title") or name for name, source in sources.items()]
    return f"{len(titles)} datasets" if len(titles) > NAMED else ", ".join(titles)
