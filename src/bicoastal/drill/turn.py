"""Whose turn it is to use this machine, among lanes that play side by side.

What is measured in seconds would otherwise measure what the other lane does. A lock on a file: whoever is killed gives
it back.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turn:
    """Of one lane, and one thread of it. Whoever has it may ask for it again."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` is shared with the other lanes; without one it is always one's turn."""
        self._file = file
        self._depth = 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else is busy meanwhile. Waits for as long as the others are."""
        with self._locked(fcntl.LOCK_EX):
            yield

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Every core is needed, beside others that are busy and nobody who measures."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        self._depth += 1
        try:
            if self._file is None or self._depth > 1:
                yield
                return
            with self._file.open("rb") as shared:
                fcntl.flock(shared, how)
                yield
        finally:
            self._depth -= 1
