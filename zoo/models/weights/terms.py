"""What published weights were learnt on, and on which terms: the one table, for the model card and the docs."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

IMAGENET = "ImageNet (access for non-commercial research and education)"
UNASKED = "faces of people who were not asked"
MS_CELEB = f"cleaned from MS-Celeb-1M, which its owner withdrew in 2019: {UNASKED}"
NOT_KNOWN = "not known: ask whoever made the file"
INSTAGRAM, WEB = "public pictures of Instagram (Meta)", "pictures from the web"

# By whose naming a file's keys follow (the names of zoo.models.weights.key_maps): that says whose code made it. What it
# was learnt on no key can say, so these are the terms of the weights that its publisher hands out.
BY_NAMING = {
    "timm": "not told by the names; most of timm's own were learnt on ImageNet, under a licence that the tag names",
    "torchvision": f"torchvision's own: BSD-3-Clause, learnt on {IMAGENET}",
    "EfficientNet-PyTorch": f"EfficientNet-PyTorch's own: Apache-2.0, learnt on {IMAGENET}",
    "InsightFace": "InsightFace's own: for non-commercial research only, learnt on MS1M-V2 or MS1M-V3, both "
    f"{MS_CELEB}; or on Glint360K, which holds part of it",
    "InsightFace_Pytorch": f"InsightFace_Pytorch's own: MIT, learnt on MS1M-V2, {MS_CELEB}",
    "HSEmotion": "HSEmotion's own: Apache-2.0, learnt on VGGFace2 (reported as non-commercial by some and as CC BY-SA "
    f"4.0 by others, and no longer offered by its owner: {UNASKED}), some then on AffectNet (non-commercial research)",
    "face-api": "face-api's own: MIT, taken from dlib's net, which is in the public domain and was learnt on 3 million "
    f"faces of FaceScrub, VGG Face (non-commercial research) and the web: {UNASKED}",
}

# By a part of timm's tag; the first that fits. The licence of the weights comes from timm.
BY_TAG = (
    (r"jft", f"JFT-300M (Google's own), then {IMAGENET}"),
    (r"ig\w*|swsl|wsl|swag|seer", f"{INSTAGRAM}; then, as the tag says, {IMAGENET}"),
    (r"ssl|yfcc\w*", f"YFCC100M; then, as the tag says, {IMAGENET}"),
    (r"laion\w*|datacomp\w*|dfn\w*|metaclip\d*|openai|webli|cc12m|merged\w*|lvd\w*|sa1b", f"{WEB}, as the tag says"),
    (r"in\d+k", IMAGENET),
)


@dataclass(frozen=True)
class Origin:
    """Where the first weights of a run come from: what they are called, and what they were learnt on."""

    weights: str
    terms: str

    def as_dict(self) -> dict[str, str]:
        """Return the form that a model file's metadata carry."""
        return asdict(self)


def of_file(file: Path, naming: str) -> Origin:
    """Return the origin of a file whose keys go by `naming`."""
    return Origin(f"{file.name}, its keys as {naming} names them", BY_NAMING.get(naming, NOT_KNOWN))


def of_source(name: str) -> Origin:
    """Return the origin of the weights that a repository or a folder of timm's form holds."""
    return Origin(name, f"{NOT_KNOWN}, or read its card there")


def of_timm(name: str, known: Any) -> Origin:
    """Return the origin of the weights that timm publishes under `name`; `known` is its configuration of them."""
    parts = (known.tag or "").split("_")
    learnt = next((words for form, words in BY_TAG if any(re.fullmatch(form, part) for part in parts)), NOT_KNOWN)
    tagged = name if "." in name or not known.tag else f"{name}.{known.tag}"
    return Origin(f"{tagged}, as timm publishes it", f"licence {known.license or 'not named'}, learnt on {learnt}")
