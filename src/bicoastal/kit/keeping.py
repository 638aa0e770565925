"""The kit's own password on the instance's encrypted disk, readable for the kit alone.

A region that returns may boot its servers before its API answers: the application finds its environment on the disk and
writes, and whoever has to fence its database must not wait for Secrets Manager.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from bicoastal.kit.aws_cli import Credential

_FILE = "credential.json"


class Keeper:
    """Keeps one in a folder, the one that systemd gives to the daemon's unit. Verbs read there, as root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> Credential | None:
        """What was kept; None where nothing is, or nothing that can be read."""
        try:
            data = json.loads((self._folder / _FILE).read_text(encoding="utf-8"))
            return Credential(str(data["username"]), str(data["password"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, credential: Credential) -> None:
        """Keep it, whole or not at all. A disk that takes nothing keeps nobody from working."""
        fresh = self._folder / f".{_FILE}"
        text = json.dumps({"username": credential.username, "password": credential.password})
        try:
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._folder / _FILE)
        except OSError:
            return
