"""timm's nets without building them: parameters, input side, weights; counted once, and kept in timm_nets.json.

`python -m zoo.models.timm_nets` counts them anew, on the meta device, with `CLASSES` classes and each net's own input:
some twenty minutes. The file says of which timm it is; of another one, only timm itself knows what it holds.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
CLASSES = 7  # FER2013's, where a net's card says nothing else


@dataclass(frozen=True)
class Known:
    """A net of timm's: its trainable parameters, the side and channels of its input, whether weights are published."""

    parameters: int
    size: int
    channels: int
    pretrained: bool


@functools.cache
def kept() -> tuple[str, Mapping[str, Known]]:
    """Return the version of timm that was counted, and each of its nets by name."""
    told = json.loads(FILE.read_text(encoding="utf-8"))
    return told["timm"], {name: Known(*net) for name, net in told["nets"].items()}


def is_of_this_timm() -> bool:
    """Return whether the timm that is installed is the one that was counted."""
    try:
        return metadata.version("timm") == kept()[0]
    except metadata.PackageNotFoundError:
        return False


def count() -> dict[str, Known]:
    """Build every net of timm's without its numbers, and return what there is to know of each."""
    import timm

    from ferdata.running import progress
    from zoo.models import build
    from zoo.models.catalogue import own

    names = [name for name in timm.list_models() if name not in own()]
    weighted = {name.partition(".")[0] for name in timm.list_models(pretrained=True)}
    found = {}
    with progress.bar("Counting timm's nets", len(names), "nets") as advance:
        for name in names:
            card = build.backbone(name)
            channels, _, size = card.known.input_size
            net = build.blank(card, channels, CLASSES, size)
            found[name] = Known(build.parameters(net), size, channels, name in weighted)
            advance()
    return found


def main() -> None:
    """Write the file: a line for each net, so that a newer timm's changes are lines too."""
    nets = count()
    lines = [
        f"  {json.dumps(name)}: {json.dumps([n.parameters, n.size, n.channels, n.pretrained])}"
        for name, n in nets.items()
    ]
    version = json.dumps(metadata.version("timm"))
    FILE.write_text(f'{{\n "timm": {version},\n "nets": {{\n' + ",\n".join(lines) + "\n }\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
