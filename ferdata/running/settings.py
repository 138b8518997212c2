"""`ferdata.toml`: what would else be typed every day: where the data and the cache are, who reviews, the device.

It stands for the environment variables of the same meaning, which come before it, as options come before both. It is
read by commands alone, from the current folder, else from the folder where this system keeps settings.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs

from ferdata.errors import BadOption, did_you_mean
from ferdata.running.documents import read_toml
from ferdata.schema import root_variable

NAME, VARIABLE = "ferdata.toml", "FERDATA_CONFIG"
PATHS = {"data": "FERDATA_DATA", "cache": "FERDATA_CACHE", "yunet": "FERDATA_YUNET", "known": "FERDATA_KNOWN"}
WORDS = {"cache_limit": "FERDATA_CACHE_LIMIT", "reviewer": "FERDATA_REVIEWER"}
ROOTS, DEVICE = "roots", "device"
KEYS = (*PATHS, *WORDS, DEVICE, ROOTS)
FORM = (
    'It may have lines such as cache = "/scratch/ferdata", data = "data", reviewer = "ada", device = "cuda", and a '
    'table [roots] with lines such as rafdb = "/data/RAF-DB".'
)


def found() -> Path | None:
    """Return the file that holds here: the one that FERDATA_CONFIG names, else the first that is there; None for none.

    Raises BadOption where FERDATA_CONFIG names one that is not there.
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise BadOption(f"{VARIABLE} names {named}, which is not there.", "Correct it, or unset it.")
        return Path(named)
    places = (Path(NAME), Path(platformdirs.user_config_dir("ferdata", appauthor=False)) / NAME)
    return next((place for place in places if place.is_file()), None)


def apply() -> dict[str, Any]:
    """Set the variables that the file stands for, where they are not set; return the defaults of options it names.

    Paths are as seen from the file. Raises BadOption for a file that is broken, or has a key that does nothing.
    """
    if (path := found()) is None:
        return {}
    settings = _read(path)
    for key, variable in (*PATHS.items(), *WORDS.items()):
        if key in settings:
            value = settings[key]
            os.environ.setdefault(variable, str(path.parent / Path(value).expanduser()) if key in PATHS else value)
    for dataset, folder in settings.get(ROOTS, {}).items():
        os.environ.setdefault(root_variable(dataset), str(path.parent / Path(folder).expanduser()))
    return {DEVICE: settings[DEVICE]} if DEVICE in settings else {}


def _read(path: Path) -> Mapping[str, Any]:
    """Return what the file holds: texts, and a table of them. Raises BadOption."""
    try:
        settings = read_toml(path)
    except (OSError, ValueError) as error:
        raise BadOption(f"{path} cannot be read: {error}.", FORM) from None
    for key, value in settings.items():
        if key not in KEYS:
            raise BadOption(f"{path} has {key}, which is no setting.", did_you_mean(key, KEYS) + FORM)
        fits = isinstance(value, dict) if key == ROOTS else isinstance(value, str) and value.strip()
        if not fits:
            raise BadOption(f"{path}: {key} is {value!r}.", FORM)
    for dataset, folder in settings.get(ROOTS, {}).items():
        if not isinstance(folder, str) or not folder.strip():
            raise BadOption(f"{path}: {ROOTS}.{dataset} is {folder!r}.", FORM)
    return settings
