"""Ray Data as an engine: pieces of work as rows of a dataset, results in order, a lost worker's piece done again.

Nothing is sent anywhere (usage statistics are off), there is no dashboard, and a cluster that is started here listens
on the loopback only, behind a token of its own.
"""

import logging
import os
import secrets
import socket
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar, cast

import pyarrow as pa

from ferdata import errors
from ferdata.errors import BadOption, FerdataError, MissingExtra, WorkersLost
from ferdata.running.extras import install
from ferdata.running.machine import cores

A = TypeVar("A")
B = TypeVar("B")

STORE = 256 << 20  # bytes of shared memory for pieces and results under way; what is more goes to disk
WINDOW_BYTES = 64 << 20  # of pieces handed to Ray at a time
WINDOW_PIECES = 4096
MOST_AT_ONCE = 8  # pieces in one task
RETRIES = 3  # of a piece whose worker dies: what kills four is no accident
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else a warning about GPUs at every start
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}


class Cluster:
    """Worker processes of a Ray cluster: the one at `address`, else one of `workers` processes started here."""

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        """Raises MissingExtra where Ray is not installed; nothing is started yet."""
        from importlib.util import find_spec

        if find_spec("ray") is None:
            raise MissingExtra("--engine ray needs Ray, which is not installed.", install("ray"))
        self.workers, self.address = workers, address

    @property
    def elsewhere(self) -> bool:
        """Whether workers may be on other machines."""
        return self.address is not None

    def run(self, work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Yield work(item) for each item, in order. Raises what `work` raised of ours, WorkersLost and BadOption."""
        with _quiet(self.address is None), _joined(self.workers, self.address):
            from ray import cloudpickle

            for window in _windows(items, cloudpickle.dumps):
                for done in _through(work, window, self.workers if self.address else None):
                    ok, value = cloudpickle.loads(done)
                    if not ok:
                        kind, message, hint = value
                        raise getattr(errors, kind)(message, hint)
                    yield value


@cache
def _guarded(local: bool) -> Mapping[str, str]:
    """Return what keeps a cluster started here to this machine and this process; nothing where it is too late.

    Ray reads its settings once, when it is imported: a program that has imported it has made its own choice.
    """
    if "ray" in sys.modules or not local:
        return {}
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # what keeps Ray's servers on 127.0.0.1, on Linux too
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


@contextmanager
def _quiet(local: bool) -> Iterator[None]:
    """Have Ray report nothing to anybody, and a cluster of this machine hear nobody else."""
    wanted = {**QUIET, **_guarded(local)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _joined(workers: int | None, address: str | None) -> Iterator[None]:
    """Be part of a Ray cluster while the block runs; one that the caller has joined already is left as it was."""
    if address is not None:
        _must_answer(address)
    import ray
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False  # ours is the one to see
    for name in ("ray.data", "ray.data._internal"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if ray.is_initialized():
        yield
        return
    from ray._private import worker as driver

    own: dict[str, Any] = {"address": address}
    if address is None:
        own = {
            "address": "local",  # never one that happens to run here
            "num_cpus": workers or cores(), "object_store_memory": STORE, "include_dashboard": False,
        }  # fmt: skip
    try:
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **own)
    except (ConnectionError, ValueError) as error:
        raise _no_answer(address, str(error).splitlines()[0]) from None
    # Ray prints the death of a worker to stdout, where a result may be read by a program; we tell it ourselves.
    before, driver._worker_logs_enabled = driver._worker_logs_enabled, False
    try:
        yield
    finally:
        ray.shutdown()
        driver._worker_logs_enabled = before


def _must_answer(address: str) -> None:
    """Raise BadOption where nobody listens, at once: Ray itself would go on asking for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):  # "auto", which Ray looks up
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise _no_answer(address, str(error)) from None


def _no_answer(address: str | None, why: str) -> BadOption:
    return BadOption(
        f"No Ray cluster answers at {address}: {why}",
        "Start one with `ray start --head`, or leave out --address for one on this machine.",
    )


def _windows(items: Iterable[A], dumps: Callable[[A], bytes]) -> Iterator[list[bytes]]:
    """Cut pieces of work, as bytes, into lists that shared memory has room for."""
    window: list[bytes] = []
    size = 0
    for item in items:
        piece = dumps(item)
        if window and (size + len(piece) > WINDOW_BYTES or len(window) >= WINDOW_PIECES):
            yield window
            window, size = [], 0
        window.append(piece)
        size += len(piece)
    if window:
        yield window


def _through(work: Callable[[A], B], window: list[bytes], at_most: int | None) -> Iterator[bytes]:
    """Yield the results of a window of pieces, in order; a task whose worker dies is begun again, three times."""
    import ray
    from ray.exceptions import RayError

    def apply(table: pa.Table) -> pa.Table:
        done = [_done(work, piece.as_py()) for piece in table["piece"]]
        return pa.table({"done": pa.array(done, pa.large_binary())})

    each = max(1, min(MOST_AT_ONCE, len(window) // 32))  # a task costs some milliseconds, whatever it does
    blocks = [
        pa.table({"piece": pa.array(window[at : at + each], pa.large_binary())}) for at in range(0, len(window), each)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray Data tries for ever, and 2.60 announces another name for the limit
        dataset = ray.data.from_arrow(blocks).map_batches(
            apply, batch_size=None, batch_format="pyarrow", concurrency=at_most, max_retries=RETRIES
        )
    count = 0
    try:
        for batch in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1):
            for done in batch["done"]:
                count += 1
                yield done.as_py()
    except RayError as error:
        raise _lost(error) from error
    if count != len(window):
        raise WorkersLost(f"Ray returned {count:,} of {len(window):,} batches.", AGAIN)


AGAIN = "Check the memory of the workers and the files of the batch; --engine local needs no Ray."


def _lost(error: Exception) -> Exception:
    """Return our error where workers were lost; a mistake of the code keeps its own traceback."""
    from ray.exceptions import RayTaskError

    if isinstance(error, RayTaskError):
        return cast(Exception, error)
    return WorkersLost(f"Ray has lost its workers: {str(error).splitlines()[0]}", AGAIN)


def _done(work: Callable[[A], B], piece: bytes) -> bytes:
    """Return what became of a piece of work, on the worker: (True, result), or (False, an error of ours)."""
    from ray import cloudpickle

    try:
        value: tuple[bool, Any] = (True, work(cloudpickle.loads(piece)))
    except FerdataError as error:
        value = (False, (type(error).__name__, error.message, error.hint))
    data: bytes = cloudpickle.dumps(value)
    return data
