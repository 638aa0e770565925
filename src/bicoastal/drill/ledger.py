"""What users wrote down: one JSON line for each thing that they asked, as it ended.

Whoever judges a failover reads this and asks nobody who took part. Lines of a process that was killed in the middle of
one are left out; times are seconds since the epoch, by the clock of the one machine that all of it runs on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

READ, PAGE, LIST, WRITE = "read", "page", "list", "write"
KINDS = (READ, PAGE, LIST, WRITE)
OK = "ok"
GATE = "gate"
"""The error of who was answered by the closed read gate: drained, not lost."""
LEFT = "left"
"""The error of who went away before he was answered."""


@dataclass(frozen=True)
class Shown:
    """The rows that a list showed: the newest, by when they were stored."""

    ids: tuple[str, ...]
    stored: tuple[float, ...]
    """When each of them was: seconds since the epoch."""
    full: bool
    """There may be older ones that were not shown."""
    replica: bool
    """Read from a database that follows another one."""
    host: str = ""
    """Of that database, where the application says it."""


@dataclass(frozen=True)
class Entry:
    """One attempt of one user."""

    began: float
    ended: float
    coast: str
    """The region to which the user is nearest."""
    user: str
    kind: str
    """`read` (the state of the application, from the database), `page`, `list` (its last rows) or `write`."""
    id: str
    """Of the row that was to be written: the same until it is acknowledged."""
    error: str
    """Empty when it was served; else what the user saw: `refused`, `reset`, `timed out`, `503`, `gate`, ..."""
    region: str
    """That answered; empty where none did, or did not say."""
    lag_s: float | None = None
    """Age of the writer's heartbeat where it was read."""
    pinned: bool = False
    """A user who does not follow DNS: asks a region by its own name, whatever becomes of it."""
    shown: Shown | None = None
    """Of a list that was answered."""

    @property
    def served(self) -> bool:
        """It was done."""
        return not self.error

    def line(self) -> str:
        """As it stands in the file."""
        known: dict[str, object] = {
            "t": round(self.ended, 4),
            "ms": round((self.ended - self.began) * 1000, 1),
            "coast": self.coast,
            "user": self.user,
            "kind": self.kind,
            "id": self.id,
            "outcome": OK if self.served else "failed",
            "error": self.error,
            "region": self.region,
        }
        if self.lag_s is not None:
            known["lag_s"] = round(self.lag_s, 4)
        if self.pinned:
            known["pinned"] = True
        if self.shown is not None:
            known["shown"] = asdict(self.shown)
        return json.dumps(known)

    @classmethod
    def parse(cls, line: str) -> Entry | None:
        """Read a line; None for one that is not whole."""
        try:
            data = json.loads(line)
            ended = float(data["t"])
            return cls(
                began=ended - float(data["ms"]) / 1000,
                ended=ended,
                coast=str(data["coast"]),
                user=str(data["user"]),
                kind=str(data["kind"]),
                id=str(data["id"]),
                error=str(data["error"]),
                region=str(data["region"]),
                lag_s=data.get("lag_s"),
                pinned=bool(data.get("pinned", False)),
                shown=_shown(data.get("shown")),
            )
        except (ValueError, KeyError, TypeError):
            return None


def _shown(data: Any) -> Shown | None:
    if data is None:
        return None
    ids, stored = tuple(map(str, data["ids"])), tuple(map(float, data["stored"]))
    return Shown(ids, stored, bool(data["full"]), bool(data["replica"]), str(data.get("host", "")))


class Reader:
    """Reads files that others still write, each time what is new."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = dict.fromkeys(files, 0)
        self._entries: list[Entry] = []

    def add(self, file: Path) -> None:
        """One more."""
        self._files.setdefault(file, 0)

    def entries(self) -> list[Entry]:
        """All entries until now, in the order of their ends."""
        new = [entry for path in self._files for entry in self._new(path)]
        if new:
            self._entries = sorted([*self._entries, *new], key=lambda entry: entry.ended)
        return self._entries

    def _new(self, path: Path) -> list[Entry]:
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._files[path])
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._files[path] += len(whole)
        return [entry for line in whole.decode(errors="replace").splitlines() if (entry := Entry.parse(line))]
