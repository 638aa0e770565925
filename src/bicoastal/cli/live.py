"""The live status of `up`: a block that is redrawn on a terminal; elsewhere a line when something has changed."""

from __future__ import annotations

import os
import shutil
import sys
from types import TracebackType
from typing import TextIO

from bicoastal.twin.announcement import Announcement


class Live:
    """Shows announcements; a context manager that takes its block away in the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._redraws = self._stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._drawn = 0
        self._told: tuple[str, ...] = ()

    def __enter__(self) -> Live:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._erase()
        self._stream.flush()

    def show(self, twin: Announcement) -> None:
        """Show how it is now."""
        if self._redraws:
            self._erase()
            size = shutil.get_terminal_size()
            lines = [line[: size.columns - 1] for line in twin.rooms][: max(size.lines - 2, 1)]
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._drawn = len(lines)
            self._stream.flush()
            return
        troubles = tuple(twin.troubles)
        for line in troubles:
            if line not in self._told:
                self._stream.write(f"{line}\n")
        if self._told and not troubles:
            self._stream.write("everything is as it should be again\n")
        self._told = troubles
        self._stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0
