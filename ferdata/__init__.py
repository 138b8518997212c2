"""ferdata: from the facial-expression datasets you downloaded to one manifest you can trust.

The data half. Nothing here imports torch or the model half, `zoo`. What the commands do is done by functions of the
same names, which a notebook imports from here: `from ferdata import ingest, merge, stats`. Each is loaded when it is
asked for. `to_frame` and `from_frame` take a manifest to a pandas DataFrame and back.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferdata.manifest import Manifest as Manifest
    from ferdata.manifest.frame import from_frame as from_frame
    from ferdata.manifest.frame import to_frame as to_frame
    from ferdata.steps.align import align as align
    from ferdata.steps.apply import apply as apply
    from ferdata.steps.audit import audit as audit
    from ferdata.steps.compare_datasets import compare_datasets as compare_datasets
    from ferdata.steps.doubt import doubt as doubt
    from ferdata.steps.draw import draw as draw
    from ferdata.steps.group import group as group
    from ferdata.steps.ingest import ingest as ingest
    from ferdata.steps.merge import merge as merge
    from ferdata.steps.pack import pack as pack
    from ferdata.steps.publish import publish as publish
    from ferdata.steps.pull import pull as pull
    from ferdata.steps.rehydrate import rehydrate as rehydrate
    from ferdata.steps.review import review as review
    from ferdata.steps.share import share as share
    from ferdata.steps.show import show as show
    from ferdata.steps.split import split as split
    from ferdata.steps.stats import stats as stats
    from ferdata.steps.validate import validate as validate

__version__ = "0.1.0"
_STEPS = (
    *("align", "apply", "audit", "compare_datasets", "doubt", "draw", "group", "ingest", "merge", "pack"),
    *("publish", "pull", "rehydrate", "review", "share", "show", "split", "stats", "validate"),
)
_FRAMES = ("from_frame", "to_frame")
__all__ = ["Manifest", "__version__", *_FRAMES, *_STEPS]


def __getattr__(name: str) -> Any:
    """Load what is asked for: Manifest, its way to pandas and back, or a step."""
    if name == "Manifest":
        return import_module("ferdata.manifest").Manifest
    if name in _FRAMES:
        return getattr(import_module("ferdata.manifest.frame"), name)
    if name in _STEPS:
        return getattr(import_module(f"ferdata.steps.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
