"""How an optional library is installed here: the command, for this Python and from where ferdata itself came."""

import json
import sys
from pathlib import Path
from urllib.parse import urlsplit


def install(extra: str) -> str:
    """Return the command that installs the libraries of an extra (`train`, `review`, ...) beside this ferdata."""
    return f"{_as_typed(sys.executable)} -m pip install '{_as_typed(_source())}[{extra}]'"


def _source() -> str:
    """Return the folder that ferdata was installed from, else the name of its package (PEP 610, direct_url.json)."""
    from importlib import metadata  # neither is fast to import, and both are wanted once something is missing
    from urllib.request import url2pathname

    try:
        found = json.loads(metadata.distribution("ferdata").read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        return "ferdata"
    url = urlsplit(str(found.get("url", "")))
    return url2pathname(url.path) if url.scheme == "file" and "dir_info" in found else "ferdata"


def _as_typed(path: str) -> str:
    """Return a path below the current folder as seen from there."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_absolute() and Path(path).is_relative_to(here) else path
