"""What the tests of readers share."""

from collections.abc import Callable
from typing import Any

from ferdata.errors import FerdataError


def outcome(call: Callable[[], Any]) -> Any:
    """Return what `call` returns, or the message with which it refuses."""
    try:
        return call()
    except FerdataError as error:
        return error.message
