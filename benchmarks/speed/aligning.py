"""YuNet alignment of the photographs: how many faces, how fast, and the same with one worker as with two."""

import time
from typing import Any

from speed.inputs import Inputs
from speed.report import Section
from speed.settings import Settings, median

WORKERS = (1, 2)


def section(inputs: Inputs, settings: Settings) -> Section:
    """Measure `align` with one and with two workers, in turn, and compare what they wrote."""
    photos, model = inputs.photos(), inputs.yunet()
    manifest = inputs.work / "photos.parquet"
    settings.measure("aligning:take_in", root=photos, out=manifest)
    seconds: dict[int, list[float]] = {n: [] for n in WORKERS}
    memory, found, written = 0.0, {}, set()
    for turn in range(settings.repeats):
        for n in WORKERS:
            out = inputs.work / f"aligned-{n}-{turn}.parquet"
            done = settings.measure("aligning:by_yunet", manifest=manifest, out=out, model=model, workers=n)
            found = done.found
            memory = max(memory, done.mb)
            seconds[n].append(found["seconds"])
            written.add(found["digest"])
    made = Section(f"YuNet alignment of {found['rows']} photographs", ["workers"], ["seconds", "photographs/s"])
    for n in WORKERS:
        taken = median(seconds[n])
        made.rows.append([f"{n}", f"{taken:.2f}", f"{found['rows'] / taken:,.1f}"])
    gain = median(seconds[1]) / median(seconds[2])
    issues = ", ".join(f"{n} {name}" for name, n in found["issues"].items()) or "none"
    made.notes += [
        f"Faces found: {found['faces']} of {found['rows']}; issues: {issues}. 112 px, template arcface. "
        f"Two workers are {gain:.2f} times as fast as one; at most {memory:.0f} MB.",
    ]
    made.at_least("alignment, share of faces found", found["faces"] / found["rows"], 0.9, "")
    same = "equal in every row" if len(written) == 1 else f"{len(written)} different results"
    made.checks.append(_same(same, len(written) == 1))
    return made


def _same(told: str, holds: bool) -> Any:
    from speed.report import Check

    return Check("alignment, 1 against 2 workers", "equal results", told, holds)


def take_in(root: str, out: str) -> dict[str, Any]:
    """Make the photographs' manifest."""
    from ferdata.steps.ingest import ingest

    return {"rows": ingest("muxspace", root=root, out=out, unknown_labels="keep").rows}


def by_yunet(manifest: str, out: str, model: str, workers: int) -> dict[str, Any]:
    """Align, and digest all that was written of every row."""
    import hashlib

    import pyarrow.parquet as pq

    from ferdata.steps.align import align

    begin = time.perf_counter()
    done = align(manifest, out=out, detector="yunet", model=model, workers=workers)
    seconds = time.perf_counter() - begin
    digest = hashlib.blake2b()
    for row in pq.read_table(out).to_pylist():
        digest.update(repr(row).encode())
    return {
        "seconds": seconds, "rows": done.rows, "faces": sum(done.found.values()), "issues": dict(done.issues),
        "digest": digest.hexdigest(),
    }  # fmt: skip
