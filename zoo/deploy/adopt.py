"""A model that others trained as a run of ours: judged, compared, used and exported like any other.

Its file lies in the run as it is, and nothing of it is changed; how it is fed and read stands beside it, as a card.
"""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ferdata.errors import BadOption, FerdataWarning, listed
from ferdata.labels import Taxonomy, spelled
from ferdata.manifest import Manifest
from ferdata.running.whole_file import write_whole
from zoo.data.rows import Rows, read_rows
from zoo.evaluation.reading_check import check as reading_check
from zoo.evaluation.reading_check.check import ReadingCheck
from zoo.models.foreign import card, opened, signature, timm_net
from zoo.models.foreign.card import Card
from zoo.models.foreign.net import output_of
from zoo.models.foreign.signature import Runner
from zoo.models.load import FILE, load_model
from zoo.run.model_file import Meta, write_tensors
from zoo.run.run_folder import Folder

UNLESS_SAID = Card(layout="NCHW", order="RGB", crop="published")
AS_THEY_ARE = (0.0, 255.0)
NOT_TOLD = "not told: ask whoever made the file"
HOW = {
    "probabilities": "are 0 or more and 1 in sum",
    "logits": "are not 1 in sum",
    "sigmoid": "lie in 0..1 and are not 1 in sum, as those of a sigmoid, one for each class; which class is the most "
    "probable is right so, and how probable it is may not be",
}
_DRAWN = "images of noise"


@dataclass(frozen=True)
class Adopted:
    """The run `out` that was written; `card` is all that is known of the model, `notes` what was concluded.

    `check` is what came of trying other readings on labelled faces, None where none were given.
    """

    out: Path
    card: Card
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    check: ReadingCheck | None = None


def adopt(
    model: str | Path,
    out: str | Path | None = None,
    weights: str | Path | None = None,
    card: str | Path | None = None,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    size: int | None = None,
    channels: int | None = None,
    pixels: Sequence[float] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    order: str | None = None,
    layout: str | None = None,
    output: str | None = None,
    crop: str | None = None,
    margin: float | None = None,
    source: str | None = None,
    terms: str | None = None,
    check: str | Path | None = None,
    force: bool = False,
) -> Adopted:
    """Write a model that others trained as the run `out`; return what is known of it.

    `model` is a file (ONNX, and Keras or TFLite where their libraries are installed), or a net of timm's: a source
    (`hf-hub:owner/name`, `local-dir:folder`) with its weights, or an architecture with those of a file, `weights`. How
    it is fed and read is said by the options, then by `card`, the name of a shipped card
    or a TOML file, then by what the file itself says of its input; the options are the fields of
    `zoo.models.foreign.card.Card`, `pixels` what the values 0 and 255 become. Classes must be said by one of them,
    and how pixels are scaled. Without `output` the model is asked: what sums to 1 for drawn pictures is probabilities.

    `check` is a manifest, on up to 1,000 labelled faces of which other readings are tried
    (`zoo.evaluation.reading_check`): nothing is changed by what comes of it. Of a run that was adopted already, in
    place of `model` and without `out`, only that is done.

    Nothing in the file is ever run but its graph. Raises BadOption, MissingModel, MissingExtra, AlreadyExists,
    CannotWrite, and BrokenRun for a model that gives no numbers.
    """
    given = {
        **{"name": name, "classes": classes, "size": size, "channels": channels, "pixels": pixels, "mean": mean},
        **{"std": std, "order": order, "layout": layout, "output": output, "crop": crop, "margin": margin},
        **{"source": source, "terms": terms},
    }
    rows = None if check is None else read_rows(Manifest(Path(check)))
    if out is None:
        idle = [
            name
            for name, value in {**given, "weights": weights, "card": card, "force": force or None}.items()
            if value is not None
        ]
        return _checked(Path(model), rows, idle)
    folder = Folder(Path(out))
    folder.check(force)
    said = _said(given, card, Path(model))
    found = _open(str(model), None if weights is None else Path(weights), said)
    whole, notes = _settled(said, found.runner, Path(model))
    whole, concluded = _with_output(whole, found.runner)
    meta = _meta(whole, found.facts)
    folder.clear()
    write_tensors(folder.model, found.tensors, meta)
    write_whole(folder.adopted, as_text(whole))
    tried = None if rows is None else reading_check.check(*load_model(folder.model), rows)
    return Adopted(folder.path, whole, meta.classes, (*notes, *concluded, *_words(whole, meta)), tried)


def _checked(run: Path, rows: Rows | None, idle: Sequence[str]) -> Adopted:
    """Check the reading of a run that was adopted. Raises BadOption where it is none, or more was said."""
    folder = Folder(run)
    if rows is None or not folder.adopted.is_file():
        raise BadOption(
            f"Where to write {run} as a run was not said.", "Name its folder: -o runs/NAME. Or --check M, for a run."
        )
    if idle:
        raise BadOption(
            f"{run} is adopted, and only checked here; {listed(idle)} would do nothing.",
            "To read it otherwise, adopt its file again.",
        )
    net, meta = load_model(folder.model)
    return Adopted(run, card.read(folder.adopted), meta.classes, (), reading_check.check(net, meta, rows))


@dataclass(frozen=True)
class _Found:
    """An opened model, what the run keeps of it, and the facts by which it is opened again."""

    runner: Runner
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def _open(model: str, weights: Path | None, said: Card) -> _Found:
    """Open a file, or a net of timm's by its name. Raises BadOption, MissingModel, MissingExtra."""
    if timm_net.is_name(model, weights):
        net = timm_net.find(model, weights, said)
        how = {"kind": timm_net.KIND, "architecture": net.architecture, "arguments": net.arguments}
        return _Found(net.runner, net.tensors, {**how, "sha256": net.sha256})
    if weights is not None:
        raise BadOption(
            f"{model} is a file, and --weights goes with the name of a net.",
            "Leave out --weights, or name the net as timm calls it: ferdata zoo list.",
        )
    kind, data = opened.read(Path(model))
    kept = {FILE: torch.from_numpy(np.frombuffer(data, np.uint8).copy())}
    return _Found(opened.runner(kind, data, model), kept, {"kind": kind, "sha256": hashlib.sha256(data).hexdigest()})


def as_text(whole: Card) -> str:
    """Return the text of a run's card."""
    return f"# How this model is fed and read. `ferdata adopt FILE --card THIS` reads it.\n{card.as_toml(whole)}"


def _said(given: dict[str, Any], chosen: str | Path | None, path: Path) -> Card:
    """Return what the options say, and where they say nothing the card. Raises BadOption."""
    lists = ("classes", "pixels", "mean", "std")
    stated = {name: list(v) if name in lists else v for name, v in given.items() if v is not None}
    options = card.of(stated, "The options")
    if chosen is not None:
        return options.over(card.read(chosen))
    for known, other in card.shipped().items():
        if other.file == path.name:
            words = f"A card of a model with the file name {path.name} is shipped: --card {known} reads it so."
            warnings.warn(FerdataWarning(words), stacklevel=3)
    return options


def _settled(said: Card, runner: Runner, path: Path) -> tuple[Card, list[str]]:
    """Return all that is known before the model is asked, and what was concluded. Raises BadOption for what lacks."""
    told = signature.described(runner.signature, str(path))
    whole = said.over(runner.signature.card).over(told).over(replace(UNLESS_SAID, name=path.stem, file=path.name))
    signature.check(whole, told, str(path))
    notes = []
    if runner.signature.dtype == np.uint8:
        if whole.mean is not None and card.range_of(whole) != AS_THEY_ARE:
            raise BadOption(
                f"{path} takes whole numbers, 0 to 255, and another range of pixels was requested.",
                "Leave out --pixels, --mean and --std: the file scales them itself.",
            )
        whole = card.of({"pixels": AS_THEY_ARE}, str(path)).over(whole)
        notes.append("Its input is whole numbers (uint8): pixels are not scaled, 0..255.")
    if whole.margin is not None and whole.crop == "published":
        raise BadOption(f"{path} has a margin, and faces are taken as published.", "Leave it out, or add --crop box.")
    lacking = {
        "classes": "its classes: --classes A,B,C in the order of its outputs",
        "size": "its input size: --size 112",
        "channels": "whether its input is grey or colour: --channels 1 or 3",
        "mean": "its range of pixels: --pixels 0,1 or -1,1 or 0,255, or --mean and --std",
    }
    missing = [words for name, words in lacking.items() if getattr(whole, name) is None]
    if missing:
        raise BadOption(
            f"Not known of {path}: {'; '.join(missing)}.",
            "Take it from its publisher. A wrong value raises no error by itself: --check M tests on labelled faces "
            "whether another reading fits better.",
        )
    return replace(whole, mean=_by_channel(whole, whole.mean), std=_by_channel(whole, whole.std)), notes


def _by_channel(whole: Card, numbers: tuple[float, ...] | None) -> tuple[float, ...]:
    """Return a number for each channel. Raises BadOption for three where there is one."""
    found, channels = numbers or (), whole.channels or 1
    if len(found) not in (1, channels):
        raise BadOption(f"There are {len(found)} means for {channels} channel.", "Give one, as its publisher does.")
    return found * channels if len(found) == 1 else found


def _with_output(whole: Card, runner: Runner) -> tuple[Card, list[str]]:
    """Ask the model what comes out of it, which is also the proof that it computes. Raises BadOption, BrokenRun."""
    said: dict[str, Any] = asdict(whole)
    asked = opened.net({**said, "output": "logits"}, said["classes"], runner)
    found = output_of(asked, said["size"], said["channels"], said["mean"], said["std"])
    if whole.output is None:
        word = "logits" if found == "sigmoid" else found
        return replace(whole, output=word), [f"Output detected: {word}. For {_DRAWN} its values {HOW[found]}."]
    if whole.output == "probabilities" != found:
        raise BadOption(
            f"The output of {whole.name} is no probabilities: for {_DRAWN} its values do not sum to 1.",
            "Leave out --output, or add --output logits.",
        )
    if whole.output == "logits" and found == "probabilities":
        raise BadOption(
            f"The output of {whole.name} is no logits: for {_DRAWN} its values are probabilities.",
            "Leave out --output: a softmax on top of a softmax makes every class about as likely as the next.",
        )
    return whole, []


def _meta(whole: Card, file: dict[str, Any]) -> Meta:
    """Return the metadata of the run."""
    said: dict[str, Any] = asdict(whole)
    classes = _in_our_words(said["classes"])
    cut = None
    if said["crop"] != "published":
        aim = {"size": said["cut"] or said["size"], "margin": said["margin"] or 0.0, "template": said["crop"]}
        cut = {**aim, "detector": "yunet"}
    mapping = {emotion: word for word in classes if (emotion := spelled(word))}
    words = {name: said[name] for name in ("name", "file", "layout", "order", "output")}
    terms = {name: said[name] or NOT_TOLD for name in ("source", "terms")}
    return Meta(
        backbone=said["name"],
        classes=classes,
        taxonomy=Taxonomy("adopted", classes, mapping).as_dict(),
        mean=said["mean"],
        std=said["std"],
        size=said["size"],
        channels=said["channels"],
        tta="none",
        manifest="",
        fingerprint="",
        chosen={},
        config={"targets": "hard"},
        alignment=cut,
        foreign={**words, **terms, **file},
    )


def _in_our_words(classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes, each that is an everyday word for an emotion by the name that it has here."""
    ours = tuple(spelled(word) or word for word in classes)
    return ours if len({*ours}) == len(ours) else classes


def _words(whole: Card, meta: Meta) -> list[str]:
    """Return what is to be known of the classes' words."""
    assert whole.classes
    renamed = [
        f"{theirs} as {ours}" for theirs, ours in zip(whole.classes, meta.classes, strict=True) if theirs != ours
    ]
    strange = [word for word in meta.classes if not spelled(word)]
    return [
        *([f"Classes read: {listed(renamed, 12)}."] if renamed else []),
        *([f"Not known as emotions: {listed(strange)}."] if strange else []),
    ]
