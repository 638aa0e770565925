"""What a console keeps between two runs: its token and its port, so that a page that is open finds it again."""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from bicoastal.core.errors import SystemFault

HOST = "127.0.0.1"
"""Nobody else than this machine reaches it."""


@dataclass(frozen=True)
class Key:
    """Where a console answers, and what opens it."""

    token: str
    port: int = 0

    @property
    def origin(self) -> str:
        """As a browser names it."""
        return f"http://{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """To be opened. What follows the `#` is not sent to any server, and not kept in any log."""
        return f"{self.origin}/#token={self.token}"

    def write(self, path: Path) -> None:
        """Keep it, readable for this user alone. Raises SystemFault."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".part")
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(asdict(self), file)
            partial.replace(path)
        except OSError as error:
            raise SystemFault(
                f"{path}: the console's token cannot be kept: {error.strerror}.\n"
                "    -> Choose a folder that you can write."
            ) from error

    @classmethod
    def kept(cls, path: Path) -> Key | None:
        """What an earlier run has kept; None where none has."""
        try:
            found = json.loads(path.read_text())
            return cls(str(found["token"]), int(found["port"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def door(path: Path, port: int | None = None) -> tuple[Key, socket.socket]:
    """A listening socket and the key to it, kept at `path`: as the last time where that port is free.

    With `port` it is that one. Raises SystemFault where it is taken.
    """
    before = Key.kept(path)
    token = before.token if before is not None else secrets.token_urlsafe(24)
    wanted = port if port is not None else before.port if before is not None else 0
    listening = _listening(wanted)
    if listening is None and port is None:
        listening = _listening(0)
    if listening is None:
        raise SystemFault(
            f"{HOST}:{wanted} cannot be listened on.\n    -> Another program holds it; give the console another port."
        )
    key = Key(token, int(listening.getsockname()[1]))
    key.write(path)
    return key, listening


def _listening(port: int) -> socket.socket | None:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen(64)
    except OSError:
        found.close()
        return None
    return found
