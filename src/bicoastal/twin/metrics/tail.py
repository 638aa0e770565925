"""Whole lines of a file that grows, is renamed, or is copied and truncated; each once, after a restart too.

The place that was reached is kept beside the agent's log, as the agent keeps it. What stands behind the last line feed
is left until the line is whole, or until `all_of_it` is asked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

MOST_BYTES = 1 << 20
"""Of one reading: a file that grows faster is caught up with in the next ones."""
_LONGEST_LINE = 256 * 1024 - 26
"""Bytes of an event of CloudWatch Logs."""


class Tail:
    """One file."""

    def __init__(self, path: Path, state: Path | None = None) -> None:
        """`state` remembers the place; None: it begins anew each time."""
        self._path = path
        self._state = state
        self._file: IO[bytes] | None = None
        self._place = 0
        self._inode = 0
        self._closed = False
        if state is not None and state.exists():
            kept = json.loads(state.read_text() or "{}")
            self._inode, self._place = kept.get("inode", 0), kept.get("place", 0)
        self._shipped = self._place

    def lines(self, *, all_of_it: bool = False) -> Sequence[str]:
        """Those that have come; none where there is no file. Call `done` when they have arrived where they go."""
        if self._file is None and not self._open():
            return []
        assert self._file is not None  # noqa: S101 - for the type checker
        if os.fstat(self._file.fileno()).st_size < self._place:
            self._place = 0  # copied away and truncated
        self._file.seek(self._place)
        block = self._file.read(MOST_BYTES)
        whole = block.rfind(b"\n") + 1
        if all_of_it or (not whole and len(block) >= MOST_BYTES):
            whole = len(block)
        self._place += whole
        if not block and self._replaced():
            self._file.close()
            self._file, self._inode, self._place = None, 0, 0
            return self.lines(all_of_it=all_of_it) if self._open() else []
        return [line.decode("utf-8", "replace")[:_LONGEST_LINE] for line in block[:whole].split(b"\n") if line.strip()]

    def done(self) -> None:
        """What was read has arrived."""
        if self._state is not None and self._place != self._shipped:
            self._state.write_text(json.dumps({"inode": self._inode, "place": self._place}))
        self._shipped = self._place

    def again(self) -> None:
        """What was read has not arrived: it is read once more."""
        self._place = self._shipped

    def close(self) -> None:
        """Let the file go, for good: a reader that is still at work finds nothing more."""
        self._closed = True
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        if self._closed:
            return False
        try:
            self._file = self._path.open("rb")
        except OSError:
            return False
        inode = os.fstat(self._file.fileno()).st_ino
        if inode != self._inode:
            self._inode, self._place, self._shipped = inode, 0, 0
        return True

    def _replaced(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return False
