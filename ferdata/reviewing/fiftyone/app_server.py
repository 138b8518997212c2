"""FiftyOne's server, run as its own program, with pages that ask nothing of any other machine.

FiftyOne's pages ask a font of Google's servers, which tells those who runs the App and when. The policy that goes with
each page lets a browser ask this server alone.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable
from typing import Any

POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"

Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Send], Awaitable[None]]


class OfThisServerAlone:
    """Middleware that sends POLICY with every answer."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Answer, with the policy among the headers."""

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"content-security-policy", POLICY.encode())]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, with_policy)


def command(port: int, address: str | None) -> list[str]:
    """Return the command that runs this file in place of FiftyOne's own `server/main.py`."""
    where = ["--address", address] if address else []
    return [sys.executable, "-m", __name__, "--port", str(port), *where]


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--address")
    given = parser.parse_args()
    from fiftyone.server import main as server

    server.app.add_middleware(OfThisServerAlone)
    server.start_server(port=given.port, address=given.address)


if __name__ == "__main__":
    main()
