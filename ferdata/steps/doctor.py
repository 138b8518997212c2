"""Look around: what is installed, what is found, and what to do about the rest. Nothing is changed."""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ferdata import __version__
from ferdata.errors import FerdataError
from ferdata.reviewing.fiftyone import start
from ferdata.running import cache, machine, settings
from ferdata.running.extras import install
from ferdata.schema import root_variable
from ferdata.sources.location import data_root, find_root

State = Literal["ok", "warn", "bad", "absent"]

OPENCV_WHEELS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
WANTED_WHEEL = "opencv-python-headless"
GIGABYTE = 1 << 30
LITTLE_DISK = 5 * GIGABYTE  # a merged manifest with embedded images and a few runs
LITTLE_MEMORY = 4 * GIGABYTE
# Asked of another process: importing torch takes seconds, and a mixed pair fails at import.
ASK_TORCH = """
import json, torch
facts = {"torch": torch.__version__, "built_for": torch.version.cuda, "cuda": torch.cuda.is_available()}
if facts["cuda"]:
    free, total = torch.cuda.mem_get_info()
    facts |= {"device": torch.cuda.get_device_name(0), "devices": torch.cuda.device_count(), "memory": total}
try:
    import torchvision
    facts["torchvision"] = torchvision.__version__
except Exception as error:
    facts["torchvision_error"] = f"{type(error).__name__}: {error}"
print(json.dumps(facts))
"""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `absent` is missing and optional, `bad` stands in the way; `remedy` is what to do."""

    name: str
    state: State
    what: str
    remedy: str = ""


def doctor() -> list[Finding]:
    """Return what was found, in the order of the work: the installation, the machine, the data."""
    here = _installed()
    findings = [_python(), _core(), _opencv(here), *_training(), *_review(here), *_others(here), _detector()]
    return [*findings, _settings(), *_machine(), *_datasets()]


def _installed() -> dict[str, str]:
    """Name, in lower case with dashes, and version of every installed distribution."""
    found = {}
    for distribution in importlib.metadata.distributions():
        # A half-removed distribution has no name.
        if name := distribution.metadata["Name"]:
            found[re.sub(r"[-_.]+", "-", name).lower()] = distribution.version
    return found


def _python() -> Finding:
    where = "a virtual environment" if sys.prefix != sys.base_prefix else "no virtual environment"
    what = f"{platform.python_version()} in {where}, {platform.system()} {platform.machine()}; ferdata {__version__}"
    return Finding("Python", "ok", what)


def _wanted(extra: str | None) -> list[str]:
    """Return the names of the distributions that ferdata, or one of its extras, asks for."""
    try:
        lines = importlib.metadata.requires("ferdata") or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder that was never installed
        return []
    wanted = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        named = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if (named.group(1) if named else None) == extra and "[" not in requirement:
            wanted.append(re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0])
    return wanted


def _core() -> Finding:
    here, wanted = _installed(), _wanted(None)
    missing = [name for name in wanted if name.lower() not in here]
    if not wanted:
        return Finding("libraries", "warn", "ferdata itself is not installed here", "pip install -e .")
    if missing:
        return Finding("libraries", "bad", f"missing: {', '.join(missing)}", "pip install --force-reinstall ferdata")
    return Finding("libraries", "ok", ", ".join(f"{name} {here[name.lower()]}" for name in wanted))


def _opencv(here: dict[str, str]) -> Finding:
    """All four wheels write the same folder `cv2`: the last one installed wins, and removing one breaks the rest."""
    wheels = [name for name in OPENCV_WHEELS if name in here]
    if len(wheels) == 1:
        return Finding("OpenCV", "ok", f"{wheels[0]} {here[wheels[0]]}, the only OpenCV wheel")
    install = f'pip install --force-reinstall --no-deps "{WANTED_WHEEL}<5"'
    if not wheels:
        return Finding("OpenCV", "bad", "no OpenCV wheel", install)
    what = f"{len(wheels)} wheels overwrite each other's cv2: {', '.join(f'{w} {here[w]}' for w in wheels)}"
    return Finding("OpenCV", "bad", what, f"pip uninstall -y {' '.join(wheels)}\n{install}")


def _training() -> Iterator[Finding]:
    here = _installed()
    missing = [name for name in _wanted("train") if name.lower() not in here]
    if "torch" not in here:
        what = "torch is not installed: everything except train, evaluate and predict works"
        yield Finding("training", "absent", what, install("train"))
        return
    if missing:
        yield Finding("training", "bad", f"missing: {', '.join(missing)}", install("train"))
    yield from _torch(_ask_torch())


def _ask_torch() -> dict[str, Any]:
    """Return what torch says of itself in a process of its own, or `error`."""
    try:
        asked = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ASK_TORCH], capture_output=True, text=True, timeout=180, check=False
        )
        facts: dict[str, Any] = json.loads(asked.stdout) if asked.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {"error": str(error)}
    return facts or {"error": (asked.stderr.strip().splitlines() or ["it was killed"])[-1]}


def _torch(facts: dict[str, Any]) -> Iterator[Finding]:
    again = "pip uninstall -y torch torchvision\npip install torch torchvision"
    if "error" in facts:
        yield Finding("torch", "bad", f"torch cannot be imported: {facts['error']}", again)
        return
    if "torchvision_error" in facts:
        what = f"torchvision does not match torch {facts['torch']}: {facts['torchvision_error']}"
        yield Finding("torch", "bad", what, f"Install both from the same index:\n{again}")
    else:
        yield Finding("torch", "ok", f"torch {facts['torch']}, torchvision {facts['torchvision']}")
    if facts["cuda"]:
        memory = f"{facts['memory'] / GIGABYTE:.0f} GB"
        yield Finding("CUDA", "ok", f"{facts['devices']} x {facts['device']}, {memory}, CUDA {facts['built_for']}")
    elif not shutil.which("nvidia-smi"):
        yield Finding("CUDA", "absent", "no NVIDIA GPU: training runs on the CPU")
    elif facts["built_for"] is None:
        yield Finding("CUDA", "warn", f"there is a GPU, but torch {facts['torch']} is built for the CPU", again)
    else:
        what = f"there is a GPU driver, but torch, built for CUDA {facts['built_for']}, finds no device"
        yield Finding("CUDA", "warn", what, "Compare with the CUDA version that nvidia-smi prints; update the driver.")


def _review(here: dict[str, str]) -> Iterator[Finding]:
    if "fiftyone" not in here:
        what = "not installed: everything except the App of `ferdata review` works"
        yield Finding("FiftyOne", "absent", what, install("review"))
        return
    yield Finding("FiftyOne", "ok", f"fiftyone {here['fiftyone']}")
    yield _database()


def _database() -> Finding:
    """Ask for what `ferdata review` will need; a mongod on the PATH is none that FiftyOne would look for."""
    uri = os.environ.get("FIFTYONE_DATABASE_URI")
    if uri:
        place = start.plain(uri)
        told = start.answers(uri)
        if told:
            remedy = f"Start it, or correct FIFTYONE_DATABASE_URI.\n{start.REMEDY.splitlines()[0]}"
            return Finding("mongod", "bad", f"no MongoDB answers at {place}: {told}", remedy)
        return Finding("mongod", "ok", f"FIFTYONE_DATABASE_URI: a MongoDB answers at {place}")
    binary = start.mongod()
    if binary is None:
        other = shutil.which("mongod")
        more = f"\nThere is {other}: start it, and set that variable to its address." if other else ""
        what = "FiftyOne has no database: its MongoDB was not downloaded"
        return Finding("mongod", "bad", what, start.REMEDY + more)
    told = start.runs(binary)
    if told:
        return Finding("mongod", "bad", f"{binary} cannot run here: {told}", start.REMEDY)
    return Finding("mongod", "ok", str(binary))


def _others(here: dict[str, str]) -> Iterator[Finding]:
    """Look for the libraries of the extras that few need."""
    for name, extra, without in (
        ("onnxruntime", "export", "export and adopt"),
        ("cleanlab", "audit", "audit --fit"),
        ("ray", "ray", "--engine ray"),
    ):
        if name in here:
            yield Finding(name, "ok", f"{name} {here[name]}")
        else:
            yield Finding(name, "absent", f"not installed: everything except {without} works", install(extra))


def _detector() -> Finding:
    """Look for YuNet's file, which is downloaded when it is first asked for."""
    from ferdata.images import detectors

    file = detectors.find_model()
    if file is None:
        remedy = f"Where there is no network, set {detectors.MODEL_VARIABLE} to the file."
        return Finding("YuNet", "absent", "not here yet: downloaded once (230 KB) when it is needed", remedy)
    try:
        detectors.read_model(file)
    except FerdataError as error:
        return Finding("YuNet", "bad", error.message, error.hint)
    return Finding("YuNet", "ok", str(file))


def _settings() -> Finding:
    """Look for the file of settings. That it can be read is known: else no command runs."""
    if file := settings.found():
        return Finding("settings", "ok", str(file))
    return Finding("settings", "absent", f"no {settings.NAME}", f"One in this folder saves typing. {settings.FORM}")


def _machine() -> Iterator[Finding]:
    yield Finding("cores", "ok", f"{machine.cores()} available")
    if memory := machine.memory():
        enough = memory >= LITTLE_MEMORY
        remedy = "" if enough else "Train with a smaller --batch, ingest with --workers 1."
        yield Finding("memory", "ok" if enough else "warn", f"{memory / GIGABYTE:.1f} GB", remedy)
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"?")
        yield Finding("temporary files", "ok", f"{tempfile.gettempdir()} is writable")
    except OSError as error:
        remedy = "Set TMPDIR to a folder with free space that you may write in."
        yield Finding("temporary files", "bad", f"cannot be written: {error.strerror or error}", remedy)
    yield _cache()
    places = {"disk here": Path.cwd(), "disk of the data": data_root()}
    for name, place in places.items():
        if place.is_dir():
            yield _disk(name, place.resolve())


def _cache() -> Finding:
    """Look whether packs can be kept: in the cache's folder, or where it would be made."""
    folder = cache.folder()
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding("cache", "ok", f"{folder} is writable")
    what = f"{folder} is not writable: decoded images cannot be cached, so every training decodes them again"
    return Finding("cache", "warn", what, cache.NOT_WRITABLE)


def _disk(name: str, place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    what = f"{free / GIGABYTE:.0f} GB free at {place}"
    if not os.access(place, os.W_OK) and name == "disk here":
        return Finding(name, "warn", f"{what}, which is not writable", "Work in a folder that you may write in.")
    if free < LITTLE_DISK:
        return Finding(
            name, "warn", what, f"Free some space: manifests and runs need about {LITTLE_DISK // GIGABYTE} GB."
        )
    return Finding(name, "ok", what)


def _datasets() -> Iterator[Finding]:
    from ferdata import adapters

    sources, broken = adapters.catalogue()
    for error in broken:
        yield Finding("adapters", "bad", error.message, error.hint)
    for declared in sources:
        if not declared.generic:
            yield _dataset(declared.name, declared)


def _dataset(name: str, declared: Any) -> Finding:
    """Look where `ingest` would look."""
    from ferdata.sources.recognise import recognise

    try:
        root = find_root(declared)
    except FerdataError:
        if given := os.environ.get(root_variable(name)):
            told = f"{root_variable(name)} is {given}, which is not a folder"
            return Finding(name, "bad", told, f"Correct or unset {root_variable(name)}.")
        return Finding(name, "absent", f"not in {data_root() / name}", f"ferdata datasets show {name}")
    if root.is_file():
        return Finding(name, "ok", f"{root}, an archive")
    try:
        found = recognise(declared, root)
    except (OSError, FerdataError) as error:
        return Finding(name, "bad", f"{root} cannot be read: {error}", "Give yourself read access to it.")
    if found is None:
        return Finding(name, "warn", f"{root} has no known layout of the dataset", f"ferdata datasets show {name}")
    return Finding(name, "ok", f"{root}, layout {found[0].name}")
