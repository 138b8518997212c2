"""One training of several: kept where it is finished, gone on with where it was cut short, else refused."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ferdata.errors import AlreadyExists
from ferdata.manifest import Manifest
from ferdata.running.plain_file import read_plain
from ferdata.running.whole_file import write_whole
from zoo.evaluation import predictions, report
from zoo.options import recipes
from zoo.options.options import KEYS
from zoo.run.run_folder import Folder
from zoo.training import resolve
from zoo.training.state import Run
from zoo.training.train import train

NAME = "request.json"
Options = Mapping[str, Any] | Sequence[str]


def once(
    manifest: Path,
    out: Path,
    recipe_name: str,
    options: Options,
    named: Mapping[str, Any],
    force: bool = False,
    roots: Mapping[str, Path] | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[Run, bool]:
    """Return the run in `out`, and whether it was there already; train it if not.

    What was asked for (options with the recipe's filled in, and the manifest's fingerprint) is written down before
    training, as `request.json`. A finished run of the same request is kept; one cut short goes on from its last whole
    epoch. Raises AlreadyExists for a run of another request, unless `force`, which trains it anew.
    """
    folder, asked = Folder(out), request(manifest, recipe_name, options, named)
    known = out / NAME
    there = not force and (known.is_file() or any(file.exists() for file in folder.files))
    if there:
        _check_same(known, asked)
        if finished(folder):
            return Run(out, report.read(folder)), True
    else:
        out.mkdir(parents=True, exist_ok=True)
        folder.report.unlink(missing_ok=True)  # not to be taken for that of this request
        write_whole(known, json.dumps(asked, indent=2, ensure_ascii=False) + "\n")
    resume = there and folder.last.is_file()
    say and say(f"{out}: going on from its last epoch" if resume else f"{out}: training")
    given = dict(named)
    return train(
        manifest, out, recipe_name, options, resume=resume, force=not resume, roots=roots, say=say, **given
    ), False


def request(manifest: Path, recipe_name: str, options: Options, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is asked for: the options, as far as they are given, and the fingerprint of the manifest's rows."""
    asked = resolve.merge("", recipe_name, recipes.parse_set(options), named, None).as_dict()
    asked.pop("manifest")
    plain: dict[str, Any] = json.loads(json.dumps(asked))
    return {"fingerprint": Manifest(manifest).fingerprint, "options": plain}


def _check_same(known: Path, asked: Mapping[str, Any]) -> None:
    """Raise AlreadyExists, with the names, unless the folder's request is the one asked for."""
    mend = "Give the same options to go on, add --force to train it anew, or choose another --out."
    try:
        before = json.loads(read_plain(known))
        old = before["options"]
        fingerprint = before["fingerprint"]
    except FileNotFoundError:
        raise AlreadyExists(f"{known.parent} holds a run already, and not one of these.", mend) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise AlreadyExists(f"{known} does not say what was trained there.", mend) from None
    if fingerprint != asked["fingerprint"]:
        raise AlreadyExists(f"{known.parent} holds a run on other rows (fingerprint {fingerprint[:8]}).", mend)
    new = asked["options"]
    other = [f"{k} (was {old.get(k)}, now {new.get(k)})" for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
    if other:
        raise AlreadyExists(f"{known.parent} holds a run with other options: {', '.join(other)}.", mend)


def finished(folder: Folder) -> bool:
    """Say whether test was scored and every row's answer written."""
    return folder.report.is_file() and (folder.path / predictions.NAME).is_file() and folder.model.is_file()


def key_of(name: str) -> str:
    """Return an option's name as TrainConfig has it. Raises BadOption, with close names, for one that there is not."""
    key = name.strip().replace("-", "_")
    if key == recipes.ZOOM:
        return "scale"
    if key not in KEYS:
        recipes.parse_set([f"{key}=none"])  # raises, and says what is close
    return key
