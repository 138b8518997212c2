"""The names of backbones: whether there is such a net, and what timm knows of it; a misspelt one has close ones."""

from typing import Any

import timm

import zoo.models.architectures  # noqa: F401  # registers ours with timm
from ferdata.errors import BadOption, did_you_mean
from zoo.models.catalogue import own
from zoo.options import recipes

V1 = "googlenet"  # as torchvision calls it
V2 = (
    "of Inception V2 there is no net with weights, neither in timm nor in torchvision: it is the step from V1 to V3, "
    "first as BN-Inception (arXiv 1502.03167), then in V3's own paper (arXiv 1512.00567)"
)
# Nets that people ask for by a name that is none here: why, and what to take.
CALLED_OTHERWISE = {
    "inception_v1": ("Inception V1 is torchvision's GoogLeNet", f"--backbone {V1}"),
    "inception_v2": (V2, f"--backbone inception_v3; or {V1}, which is V1 with V2's batch normalisation"),
    "bn_inception": (V2, f"--backbone inception_v3; or {V1}, which is V1 with V2's batch normalisation"),
}


def check(name: str) -> None:
    """Raise BadOption for a name, whatever its tag, that is no backbone's."""
    if timm.is_model(name.partition(".")[0]):
        return
    if name in recipes.names():
        raise BadOption(
            f"{name} is a recipe, and no backbone.",
            f"Train by it with --recipe {name}. All about it: ferdata zoo recipes {name}",
        )
    if known := CALLED_OTHERWISE.get(name.replace("-", "_").lower()):
        why, instead = known
        raise BadOption(f"There is no backbone {name!r}: {why}.", f"Take {instead}.")
    hint = did_you_mean(name, sorted({*own(), *timm.list_models()}))
    raise BadOption(
        f"There is no backbone {name!r}.", hint.strip() or f"Take {', '.join(own())} or a name that timm knows."
    )


def known_to_timm(name: str) -> Any:
    """Return timm's configuration of a name: sizes, statistics, weights. Raises BadOption for an unknown tag."""
    try:
        return timm.models.get_pretrained_cfg(name)
    except (RuntimeError, ValueError) as error:
        arch, _, tag = name.partition(".")
        tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{arch}.*")]
        raise BadOption(
            f"timm cannot build {name!r}: {str(error).rstrip('.')}.",
            f"{did_you_mean(tag, tags)}Leave out the part behind the dot for timm's own choice.",
        ) from None
