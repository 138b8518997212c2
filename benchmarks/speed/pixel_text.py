"""fer2013.csv, 300 MB of pixels as text: ours to a manifest, against the loader that most notebooks have."""

import time
from pathlib import Path
from typing import Any

from speed.inputs import Inputs, warm
from speed.report import Section
from speed.settings import Settings, median

NAMES = {"by_ferdata": "ferdata ingest fer2013", "by_pandas": "pandas and split, to an array"}


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure both in turn."""
    root = inputs.csv()
    warm(root)
    size = (root / "fer2013.csv").stat().st_size
    made = Section(f"fer2013.csv: {size / 1e6:.0f} MB of text", ["by"], ["seconds", "rows/s", "ferdata is", "MB"])
    seconds: dict[str, list[float]] = {case: [] for case in NAMES}
    memory: dict[str, list[float]] = {case: [] for case in NAMES}
    rows = 0
    for turn in range(settings.repeats):
        for case in NAMES:
            measured = settings.measure(
                f"pixel_text:{case}", peer=case == "by_pandas", root=root, out=inputs.work / f"csv-{turn}.parquet"
            )
            rows = measured.found["rows"]
            seconds[case].append(measured.found["seconds"])
            memory[case].append(measured.mb)
    ours = median(seconds["by_ferdata"])
    for case, name in NAMES.items():
        taken = median(seconds[case])
        ratio = "" if case == "by_ferdata" else f"{taken / ours:.2f} x as fast"
        made.rows.append([name, f"{taken:.2f}", f"{rows / taken:,.0f}", ratio, f"{max(memory[case]):.0f}"])
    made.at_least("fer2013.csv against pandas and split", median(seconds["by_pandas"]) / ours, 4)
    made.at_most("fer2013.csv, memory", max(memory["by_ferdata"]), 400, " MB")
    made.notes.append(
        "Imports are not timed. ferdata parses, measures and hashes every image, stores it as PNG and writes Parquet; "
        "the other has an array."
    )
    return made


def by_ferdata(root: str, out: str) -> dict[str, Any]:
    """Ingest the table."""
    import pandas  # noqa: F401  # pyarrow would import it on the way

    from ferdata.adapters import load
    from ferdata.steps.ingest import ingest

    load("fer2013")
    begin = time.perf_counter()
    done = ingest("fer2013", root=root, out=out)
    return {"seconds": time.perf_counter() - begin, "rows": done.rows}


def by_pandas(root: str, out: str) -> dict[str, Any]:
    """Read with pandas, split each row's text, and stack the faces, as notebooks on the set do."""
    del out
    import numpy as np
    import pandas as pd

    begin = time.perf_counter()
    table = pd.read_csv(Path(root, "fer2013.csv"))
    faces = []
    for text in table["pixels"].tolist():
        face = [int(pixel) for pixel in text.split(" ")]
        faces.append(np.asarray(face).reshape(48, 48).astype("uint8"))
    stacked = np.expand_dims(np.asarray(faces), -1)
    return {"seconds": time.perf_counter() - begin, "rows": len(stacked)}
