"""What a running twin tells other processes about itself, in its folder: `up.json`, whole or not at all.

Written by `up`; read by `status`, `env`, `logs`, `down`, and by an `up --detach` that waits for its child. A file of a
twin that is gone is recognized by the folder's lock, which the kernel releases.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bicoastal.twin.home import Home

FILE = "up.json"


@dataclass(frozen=True)
class Announcement:
    """One moment of a twin."""

    pid: int
    phase: str
    """`starting`, `deploying`, `up`, `not deployed` (the twin runs, and the deployment failed), `stopping`."""
    pace: str
    spec: str
    """The file that was deployed."""
    pages: Mapping[str, str] = field(default_factory=dict)
    """Region to the address of its users' page."""
    endpoint: str = ""
    """Of the AWS API."""
    resolver: str = ""
    """ADDRESS:PORT of the DNS server."""
    domain: str = ""
    users: Mapping[str, str] = field(default_factory=dict)
    """Region to an address of its users, to ask and to come from."""
    certificate: str = ""
    """Of the authority that signs everything."""
    rooms: Sequence[str] = ()
    """A line for each controller."""
    troubles: Sequence[str] = ()
    """What keeps things from being as they should be."""
    console: str = ""
    """Origin of the console in a browser; empty where there is none. What opens it is kept where this user can read."""
    watched_until: float = 0.0
    """While a change is watched, until when: silence means nothing then. Seconds since the epoch."""
    at: float = 0.0
    """Seconds since the epoch."""

    def write(self, home: Home) -> None:
        """Let others read it."""
        path = home.root / FILE
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(json.dumps({**asdict(self), "at": time.time()}, indent=1))
        partial.replace(path)

    @classmethod
    def read(cls, folder: Path) -> Announcement | None:
        """What the twin in this folder told last; None where none did."""
        try:
            data: Any = json.loads((folder / FILE).read_text())
            return cls(**data)
        except (OSError, ValueError, TypeError):
            return None


def running(home: Home) -> Announcement | None:
    """The same, only while that twin runs."""
    owner = home.owner()
    found = Announcement.read(home.root) if owner is not None else None
    return found if found is not None and found.pid == owner else None
