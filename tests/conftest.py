"""What every test may ask for: pictures, manifests made of them, the command line, the real data."""

import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ferdata import images, labels, manifest
from ferdata.labels import EMOTIONS, derive
from ferdata.schema import arrow_schema

# Started in the background, as CI may, this process ignores Ctrl-C, and so would every command that a test stops by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests run side by side, and what they compute is small: one thread each, in the processes that they start too, so that
# nobody waits for another's threads.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

with contextlib.suppress(ImportError):  # a bare machine with a GPU has none, and its tests need none
    from hypothesis import settings

    settings.register_profile("ours", deadline=None)  # no example fails because the machine is busy
    settings.load_profile("ours")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: a zip or gzip file holds the time, and each worker must collect the same names."""
    return argname if isinstance(val, bytes) else None


REPOSITORY = Path(__file__).resolve().parent.parent


def picture(seed: int, side: int = 48) -> np.ndarray:
    """Return a smooth random grey picture, the same for the same seed."""
    import cv2

    noise = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC))


def make_rows(rows: list[Mapping[str, Any]], policy: str = "majority", taxonomy: str = "basic8") -> pa.RecordBatch:
    """Return whole manifest rows from the few columns that a test cares about.

    `seed` picks the picture (default: one of its own per row), `dataset` defaults to `made`.
    """
    full = []
    for i, row in enumerate(rows):
        given = dict(row)
        pixels = picture(given.pop("seed", i))
        facts = images.measure(pixels)
        dataset = given.get("dataset", "made")
        full.append(
            {
                "sample_id": f"{dataset}:{i:04}",
                "dataset": dataset,
                "image": {"bytes": images.encode_png(pixels), "path": None},
                **{name: getattr(facts, name) for name in images.Facts.__slots__},
                "synthetic": False,
                **given,
            }
        )
    batch = pa.RecordBatch.from_pylist(full, schema=arrow_schema())
    table = pa.Table.from_batches([batch])
    maps = {d: {e: e for e in EMOTIONS} for d in table["dataset"].unique().to_pylist()}
    for name, column in derive(table, maps, policy, labels.taxonomy(taxonomy)).items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table.combine_chunks().to_batches()[0]


def metadata_of(batch: pa.RecordBatch, policy: str = "majority", taxonomy: str = "basic8") -> dict[str, Any]:
    """Return the metadata that a manifest of these rows needs."""
    source = {
        "title": "Made for a test", "homepage": "", "licence": "none", "redistribution": True, "commercial": True,
        "citation": "", "release": "test", "labels": {e: e for e in EMOTIONS}, "root": None,
        "measured": images.VERSION,
    }  # fmt: skip
    return {
        "sources": {d: dict(source) for d in batch.column("dataset").unique().to_pylist()},
        "vote_policy": policy,
        "taxonomy": labels.taxonomy(taxonomy).as_dict(),
        "lineage": [],
    }


MakeManifest = Callable[..., Path]


@pytest.fixture
def make_manifest(tmp_path: Path) -> MakeManifest:
    """Return a function that writes a manifest of the given rows and returns its path."""

    def make(*rows: Mapping[str, Any], name: str = "made", policy: str = "majority") -> Path:
        batch = make_rows(list(rows), policy)
        path = tmp_path / f"{name}.parquet"
        manifest.write(path, [batch], metadata_of(batch, policy))
        return path

    return make


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the user's settings out of the tests, and theirs out of the user's cache; processes they start inherit it.

    A root of the user's own (`FERDATA_ROOT_...`) would take the place of the drawn faces.
    """
    for variable in [v for v in os.environ if v.startswith("FERDATA_") and not v.startswith("FERDATA_TEST_")]:
        del os.environ[variable]
    os.environ["FERDATA_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["FERDATA_KNOWN"] = str(tmp_path_factory.mktemp("known"))


@pytest.fixture
def ferdata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., "Ran"]:
    """Return a function that runs the command line in an empty folder; exit code, stdout and stderr come back."""
    from ferdata.cli import run

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Ran:
        from contextlib import redirect_stderr, redirect_stdout
        from io import StringIO

        out, err = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run([str(a) for a in arguments])
        return Ran(code, out.getvalue(), err.getvalue())

    return call


class Ran:
    """How a command ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def real_data() -> Path:
    """Return the folder of real data, or skip the test with the reason."""
    folder = Path(os.environ.get("FERDATA_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "fer2013" / "rows.csv").is_file():
        pytest.skip(f"the real data are not in {folder} (FERDATA_TEST_DATA says where)")
    return folder
