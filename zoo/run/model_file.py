"""`model.safetensors`: the weights, and in its metadata all that must be known to use them. Never a pickle."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ferdata.errors import BrokenRun
from ferdata.labels import Taxonomy
from ferdata.running.documents import parse_json
from ferdata.running.plain_file import must_be_plain
from ferdata.running.whole_file import write_whole
from ferdata.training_data.arrays import CROP, INTERPOLATION
from zoo.run import model_form

FORMAT = 2
KEY = "ferdata"


@dataclass(frozen=True)
class Meta:
    """What travels with the weights: `mean` and `std` are per channel, in 0..1; `classes` is the order of the logits.

    `chosen` is the epoch and its val figures; `config` the resolved options; `fingerprint` that of the manifest. `head`
    are the fields of `zoo.models.heads.Head`; `tta` one of `zoo.evaluation.inference.TTA`, and what `temperature`,
    which makes the probabilities on val true (1: as the net gives them), was fitted with. `alignment` is how faces were
    cut (`zoo.deploy.preprocess.recorded`); None for pictures as published. `caution` is a sentence on why its answers
    mean nothing (`zoo.evaluation.caution`), "" where nothing says so. `arguments` are the backbone's own, where
    they differ from those of its name; `origin` are the fields of `zoo.models.weights.terms.Origin`, None for weights
    that were drawn. `foreign` is how a model that others trained is fed and read (`zoo.deploy.adopt`), None for one of
    ours.
    """

    backbone: str
    classes: tuple[str, ...]
    taxonomy: dict[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    channels: int
    tta: str
    manifest: str
    fingerprint: str
    chosen: dict[str, Any]
    config: dict[str, Any]
    head: dict[str, Any] = field(default_factory=dict)
    stem: str = "native"
    dropout: float | None = None
    drop_path: float = 0.0
    aux: bool = False
    temperature: float = 1.0
    caution: str = ""
    alignment: dict[str, Any] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, str] | None = None
    foreign: dict[str, Any] | None = None
    crop: str = CROP
    interpolation: str = INTERPOLATION
    format: int = FORMAT


def save(path: Path, net: nn.Module, meta: Meta) -> None:
    """Write weights and metadata, whole or not at all: on a full disk the earlier one survives. Raises CannotWrite."""
    # Cloned, since safetensors writes no tensor that shares its memory with another.
    write_tensors(path, {name: t.detach().to("cpu").contiguous().clone() for name, t in net.state_dict().items()}, meta)


def write_tensors(path: Path, tensors: dict[str, Tensor], meta: Meta) -> None:
    """Write tensors, none of which shares its memory with another, as `save` does."""
    write_whole(path, to_bytes(tensors, {KEY: as_text(meta), "format": "pt"}))


def as_text(meta: Meta) -> str:
    """Return the metadata as JSON."""
    return json.dumps(asdict(meta), ensure_ascii=False)


def from_text(text: str) -> Meta:
    """Return what `as_text` wrote. Raises ValueError, TypeError or KeyError for anything else."""
    data = parse_json(text, model_form.LARGEST)
    if not isinstance(data, dict):
        raise TypeError("no object")
    model_form.check(data)
    return Meta(**{**data, **{name: tuple(data[name]) for name in ("classes", "mean", "std")}})


def read_meta(path: Path) -> Meta:
    """Read the metadata alone. Raises BrokenRun for a file that is damaged, a pickle, or not ours."""
    again = "Train again, or give the model.safetensors that `ferdata train` wrote."
    try:
        must_be_plain(path)
        with safe_open(path, "pt") as file:
            raw = (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        # A pickle ends here too: it is never opened as one, since opening it would run what it carries.
        raise BrokenRun(f"{path} is not a complete safetensors file: {error}.", again) from None
    if raw is None:
        raise BrokenRun(f"{path} holds weights, but not a ferdata model.", again)
    try:
        written = parse_json(raw, model_form.LARGEST).get("format")
        if written != FORMAT:
            raise BrokenRun(f"{path} is of format {written}; this ferdata reads {FORMAT}.", "Train it again.")
        meta = from_text(raw)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenRun(f"The metadata of {path} is damaged: {error}.", again) from None
    if (meta.crop, meta.interpolation) != (CROP, INTERPOLATION):
        raise BrokenRun(
            f"{path} was trained on images cropped by {meta.crop!r} and resized by {meta.interpolation!r}; this "
            f"ferdata uses {CROP!r} and {INTERPOLATION!r}.",
            "Use the ferdata version that trained it.",
        )
    return meta


def check_classes(meta: Meta, taxonomy: Taxonomy, where: str) -> None:
    """Raise BrokenRun unless `taxonomy` has the model's classes in the model's order."""
    if taxonomy.classes != meta.classes:
        raise BrokenRun(
            f"The model's classes are {', '.join(meta.classes)}; those of {where} are {', '.join(taxonomy.classes)}.",
            f"Merge it under the model's taxonomy: ferdata merge {where} --taxonomy {meta.taxonomy['name']}",
        )
