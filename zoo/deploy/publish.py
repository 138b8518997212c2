"""A run as a folder for the Hugging Face Hub: weights without this machine's paths, config.json, a model card."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import timm
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from ferdata.errors import BadOption
from ferdata.running.whole_file import write_whole
from ferdata.running.whole_folder import check, whole_folder
from zoo.evaluation import metrics
from zoo.evaluation.model_card import card
from zoo.evaluation.report import read
from zoo.models import xgboost_head
from zoo.models.catalogue import own
from zoo.models.load import load_model
from zoo.models.weights.download import CONFIG, LOCAL
from zoo.run.model_file import Meta, read_meta, write_tensors
from zoo.run.run_folder import Folder

README, WEIGHTS = "README.md", "model.safetensors"
OWN = (README, CONFIG, WEIGHTS, xgboost_head.NAME)
CLOSE = 1e-3  # of a logit, between the net as ferdata builds it and as timm does: the order of sums differs
REPO = re.compile(r"[\w.-]+/[\w.-]+")
# The folders before a file's name, but not what stands in an address on the web.
FOLDERS = re.compile(r"(?<![\w:/.\\])(?:\.{0,2}|~|[A-Za-z]:)[\\/](?:[^\\/\s`]+[\\/])*")


@dataclass(frozen=True)
class PublishedRun:
    """What was written: `loaded_by` is timm or ferdata, `licence` as the Hub names it, `caution` as in the card."""

    out: Path
    loaded_by: str
    licence: str
    caution: str
    files: tuple[str, ...]


def publish(run: str | Path, out: str | Path, repo: str | None = None, force: bool = False) -> PublishedRun:
    """Write a finished run as the folder `out`: model.safetensors, config.json and a model card, README.md.

    Where the net is timm's own and its head a linear layer, `timm.create_model("local-dir:OUT", pretrained=True)` gives
    the same logits, which is tried; else `ferdata predict OUT` loads it. `repo` is the Hub's `OWNER/NAME` that it will
    have. Raises BrokenRun for a run that is not finished, AlreadyExists, CannotWrite, and BadOption for a model that
    others trained.
    """
    folder, target = Folder(Path(run)), Path(out)
    folder.must_exist()
    if repo is not None and not REPO.fullmatch(repo):
        raise BadOption(f"--repo cannot be {repo!r}.", "Give the Hub's name of it, OWNER/NAME.")
    meta = without_folders(read_meta(folder.model))
    if meta.foreign is not None:
        source = meta.foreign.get("source") or "not recorded"
        raise BadOption(
            f"{folder.path} holds a model that others trained, and its weights are theirs to publish.",
            f"Name where it is to be had instead (source: {source}), and publish your card of it.",
        )
    report = read(folder)
    check(target, force, [folder.path], OWN)
    net, _ = load_model(folder.model, with_trees=False)
    with whole_folder(target, force) as temporary:
        write_tensors(temporary / WEIGHTS, load_file(folder.model), meta)
        if folder.trees.is_file() and meta.head.get("kind") == "xgboost":
            write_whole(temporary / folder.trees.name, folder.trees.read_bytes())
        write_whole(temporary / CONFIG, json.dumps(config(meta, net), indent=2, ensure_ascii=False) + "\n")
        by = "timm" if loads_in_timm(temporary, meta, net) else "ferdata"
        name = repo or target.resolve().name
        write_whole(temporary / README, readme(meta, report, by, name, repo))
        written = tuple(sorted(path.name for path in temporary.iterdir()))
    return PublishedRun(target, by, "other", str(report.get("caution") or ""), written)


def without_folders(meta: Meta) -> Meta:
    """Return what travels with the weights, files named without the folders where this machine keeps them."""
    manifest = PurePosixPath(meta.manifest).name
    config: Mapping[str, Any] = {**meta.config, "manifest": manifest} if "manifest" in meta.config else meta.config
    known = json.loads(json.dumps([dict(config), meta.origin]), object_hook=_bare)
    return replace(meta, manifest=manifest, config=known[0], origin=known[1])


def _bare(table: dict[str, Any]) -> dict[str, Any]:
    return {name: bare(value) if isinstance(value, str) else value for name, value in table.items()}


def bare(text: str) -> str:
    """Return a text that names files without their folders; addresses on the web stay as they are."""
    return FOLDERS.sub("", text.replace(LOCAL, "")) if LOCAL in text else FOLDERS.sub("", text)


def config(meta: Meta, net: nn.Module) -> dict[str, Any]:
    """Return config.json, in timm's form; what ferdata needs beside it stands under its own name."""
    known = dict(getattr(net, "pretrained_cfg", {}) or {})
    arguments = {name: list(v) if isinstance(v, tuple) else v for name, v in meta.arguments.items()}
    if known.get("fixed_input_size"):
        arguments["img_size"] = meta.size
    return {
        "architecture": meta.backbone.partition(".")[0],
        "num_classes": len(meta.classes),
        "num_features": getattr(net, "num_features", None),
        "label_names": list(meta.classes),
        "model_args": {**arguments, "in_chans": meta.channels},
        "pretrained_cfg": {
            "tag": "ferdata",
            "num_classes": len(meta.classes),
            "input_size": [meta.channels, meta.size, meta.size],
            "fixed_input_size": bool(known.get("fixed_input_size")),
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "center",
            "mean": list(meta.mean),
            "std": list(meta.std),
            "first_conv": known.get("first_conv"),
            "classifier": known.get("classifier"),
        },
        "ferdata": {
            "temperature": meta.temperature,
            "test_time_augmentation": meta.tta,
            "taxonomy": meta.taxonomy["name"],
            "stem": meta.stem,
            "head": meta.head,
            "manifest_fingerprint": meta.fingerprint,
        },
    }


def loads_in_timm(folder: Path, meta: Meta, net: nn.Module) -> bool:
    """Say whether timm alone makes the same net of the folder: a net of its own, that gives the same logits."""
    if meta.backbone in own() or meta.aux or meta.head.get("kind", "linear") != "linear" or meta.stem != "native":
        return False
    pixels = torch.randn(2, meta.channels, meta.size, meta.size, generator=torch.Generator().manual_seed(0))
    try:
        theirs = timm.create_model(f"{LOCAL}{folder}", pretrained=True).eval()
        with torch.no_grad():
            return torch.allclose(theirs(pixels), net(pixels), rtol=CLOSE, atol=CLOSE)
    except (RuntimeError, TypeError, ValueError, KeyError, AssertionError):  # whatever timm's builders raise
        return False


def readme(meta: Meta, report: dict[str, Any], by: str, name: str, repo: str | None) -> str:
    """Return the model card: the Hub's YAML, then the run's own card with how to load it before its protocol."""
    head = yaml.safe_dump(front_matter(report, by, name), sort_keys=False, allow_unicode=True, width=1000)
    first, mark, rest = bare(card(meta, report)).partition("## Protocol")
    return f"---\n{head}---\n\n{first}{_loading(meta, by, repo)}{mark}{rest}"


def front_matter(report: dict[str, Any], by: str, name: str) -> dict[str, Any]:
    """Return what the Hub reads of a model card: task, library, terms, and the figures with their intervals."""
    spread = report["confidence_intervals"]
    figures = [
        {"type": key, "value": report[key], "name": f"{metrics.CALLED[key]}{_interval(spread[key])}"}
        for key in metrics.HEADLINES
    ]
    return {
        "license": "other",
        "license_name": "terms-of-the-training-data",
        "library_name": by,
        "pipeline_tag": "image-classification",
        "tags": [
            "image-classification",
            "facial-expression-recognition",
            "ferdata",
            *(["timm"] if by == "timm" else []),
        ],
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": "image-classification", "name": "Facial expression recognition"},
                        "dataset": {
                            "type": "ferdata",
                            "name": ", ".join(s["title"] or n for n, s in report["sources"].items()),
                            "split": report["protocol"]["split"],
                        },
                        "metrics": figures,
                    }
                ],
            }
        ],
    }


def _interval(ends: list[float] | None) -> str:
    return "" if ends is None else f" (95 % interval {ends[0]:.4f} to {ends[1]:.4f})"


def _loading(meta: Meta, by: str, repo: str | None) -> str:
    """Return how to load the folder, as a section of the card."""
    fed = (
        f"Input: the largest square in the middle of a face crop, {meta.size} x {meta.size}, {meta.channels} "
        f"channel(s), in 0..1, less mean {list(meta.mean)}, divided by std {list(meta.std)}."
    )
    if by == "timm":
        place = f"hf-hub:{repo}" if repo else f"{LOCAL}path/to/this/folder"
        code = (
            f'import timm\n\nnet = timm.create_model("{place}", pretrained=True).eval()\n'
            'classes = net.pretrained_cfg["label_names"]\n'
            f"probabilities = (net(pixels) / {meta.temperature:.4f}).softmax(1)  # the temperature of val"
        )
        return f"## How to load it\n\n```python\n{code}\n```\n\n{fed}\n\n"
    why = "The net, its head or its stem is ferdata's own, which timm does not build."
    return f"## How to load it\n\n{why}\n\n```bash\nferdata predict path/to/this/folder face.png\n```\n\n{fed}\n\n"
