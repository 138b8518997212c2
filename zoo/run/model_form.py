"""The form of what a model file says of its model: checked before a net is built by it, since files are passed on.

Its words choose a net and its arguments, and whatever builds the net believes them: a name could make it fetch
another one, an argument make it open a file. Errors are ValueErrors, which say which field and what belongs there.
"""

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ferdata.labels import Taxonomy

LARGEST = 16 << 20  # bytes of the metadata
LARGEST_SIDE = 4096  # pixels
# Arguments of `timm.create_model` that fetch weights or open files, or change what is built to be something else.
NOT_A_NETS = ("checkpoint_path", "cache_dir", "scriptable", "exportable", "no_jit", "features_only")
FETCHES = "pretrained"  # what all the others begin with


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_rate(value: Any) -> bool:
    return _is_number(value) and 0 <= value < 1


def _is_names(value: Any) -> bool:
    return type(value) is list and all(type(name) is str and name for name in value) and len({*value}) == len(value) > 0


def _is_text(value: Any) -> bool:
    return type(value) is str


def _is_table(value: Any) -> bool:
    return type(value) is dict


def _is_numbers(value: Any) -> bool:
    return type(value) is list and all(map(_is_number, value))


# Field -> whether a value can be it, and what it is in words.
FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("stem", "tta", "manifest", "fingerprint", "caution", "crop", "interpolation"), (_is_text, "text")),
    **dict.fromkeys(("taxonomy", "chosen", "config", "head", "arguments"), (_is_table, "a table")),
    "backbone": (_is_text, "text"),
    "classes": (_is_names, "a list of different names"),
    "mean": (_is_numbers, "a list of numbers"),
    "std": (lambda v: _is_numbers(v) and all(n > 0 for n in v), "a list of numbers above 0"),
    "size": (lambda v: type(v) is int and 0 < v <= LARGEST_SIDE, f"a side in pixels, up to {LARGEST_SIDE}"),
    "channels": (lambda v: type(v) is int and v in (1, 3), "1 or 3"),
    "dropout": (lambda v: v is None or _is_rate(v), "a rate, at least 0 and below 1, or null"),
    "drop_path": (_is_rate, "a rate, at least 0 and below 1"),
    "aux": (lambda v: type(v) is bool, "true or false"),
    "temperature": (lambda v: _is_number(v) and v > 0, "a number above 0"),
    "alignment": (lambda v: v is None or _is_table(v), "a table, or null"),
    "foreign": (lambda v: v is None or _is_table(v), "a table, or null"),
    "origin": (lambda v: v is None or (_is_table(v) and all(map(_is_text, v.values()))), "a table of texts, or null"),
}


def check(data: Mapping[str, Any]) -> None:
    """Raise ValueError unless each field that is there has its form. Which there are is for `Meta` to say."""
    for name, (fits, words) in FORMS.items():
        if name in data and not fits(data[name]):
            raise ValueError(f"{name} is {reprlib.repr(data[name])}, expected {words}")
    for name in ("mean", "std"):
        if name in data and len(data[name]) != data.get("channels"):
            raise ValueError(f"{name} has {len(data[name])} numbers for {data.get('channels')} channels")
    # A colon is that of a source, which would be asked, over the network, for what to build.
    if data.get("foreign") is None and ":" in data.get("backbone", ""):
        raise ValueError(f"backbone is {reprlib.repr(data['backbone'])}, expected the name of one")
    check_arguments(data.get("arguments", {}))
    try:
        Taxonomy.from_dict(data.get("taxonomy", {}))
    except (KeyError, TypeError) as error:
        raise ValueError(f"taxonomy: {error}") from None


def check_sizes(words: Any, shapes: Sequence[Sequence[int]]) -> None:
    """Raise ValueError for a whole number, anywhere in these, that no net with tensors of such shapes has.

    It would be built before its weights are seen not to fit: a thousand million layers take for ever.
    """
    most = max(LARGEST_SIDE, len(shapes), *(side for shape in shapes for side in shape))
    for name, value in words.items() if isinstance(words, dict) else enumerate(words):
        if isinstance(value, dict | list):
            check_sizes(value, shapes)
        elif isinstance(value, int) and abs(value) > most:
            raise ValueError(f"{name} is {value}, which is more than its weights have")


def check_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise ValueError for an argument that is not the net's own, but has its weights fetched or a file opened."""
    for name in arguments:
        if name in NOT_A_NETS or name.startswith(FETCHES) or not name.isidentifier():
            raise ValueError(f"arguments.{name} is not an argument of a net's")
