"""Shows a deployment while it runs: a line for each thing that happened, or, on a terminal, a block that is redrawn.

The block is what runs now; what has ended scrolls away above it as lines, so that both forms leave the same record.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TextIO

import click

from bicoastal.deploy.moments import Began, End, Ended, Happened, Moment, Noted, Watched
from bicoastal.stacks.watch import Event

INTERRUPTED = 130
"""The exit code that shells expect of a command that was ended by Ctrl-C."""
_REDRAW_S = 0.2
_BAR = 12
_COLORS = {
    End.DONE: "green",
    End.FAILED: "red",
    End.NOT_DONE: "red",
    End.SKIPPED: "yellow",
    End.NOT_STARTED: "yellow",
}


@dataclass
class _Running:
    """What is known of something that runs."""

    since: float
    doing: str
    total: int = 0
    done: set[str] = field(default_factory=set)
    latest: str = ""


class Progress:
    """Takes moments from any thread; a context manager that takes its block away in the end."""

    def __init__(self, stream: TextIO | None = None, *, live: bool | None = None, width: int = 24) -> None:
        """`live`: redraw a block; by default where the stream is a terminal that can. `width` is that of the ids."""
        self._stream = stream or sys.stderr
        self._live = _can_redraw(self._stream) if live is None else live
        self._width = width
        self._start = time.monotonic()
        self._running: dict[str, _Running] = {}
        self._drawn = 0
        self._lock = threading.Lock()
        self._over = threading.Event()

    def __enter__(self) -> Progress:
        if self._live:
            threading.Thread(target=self._redraw, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with self._lock:
            self._erase()
            self._stream.flush()

    def __call__(self, moment: Moment) -> None:
        """Show it."""
        with self._lock:
            self._erase()
            self._take(moment)
            self._draw()
            self._stream.flush()

    @property
    def running(self) -> list[str]:
        """Ids of what has begun and not ended."""
        return list(self._running)

    def _take(self, moment: Moment) -> None:
        match moment:
            case Began(name, doing):
                self._running[name] = _Running(time.monotonic(), doing, _count(doing))
                if not self._live:
                    self._line(name, doing)
            case Happened(name, event):
                self._event(name, event)
            case Watched(name, text):
                self._running[name] = _Running(time.monotonic(), text)
                self._line(name, text)
            case Noted(name, text):
                self._line(name, text, "yellow")
            case Ended(name, end, seconds, text):
                known = self._running.pop(name, None)
                if end is End.SKIPPED:
                    return
                if end is not End.UNCHANGED or known is not None:
                    first = text.partition("\n")[0].removeprefix(f"{name}: ").removeprefix(f"{end}: ")
                    what = f"{end} after {seconds:.1f} s" if end in (End.DONE, End.FAILED) else str(end)
                    self._line(name, what + (f": {first}" if first else ""), _COLORS.get(end))

    def _event(self, name: str, event: Event) -> None:
        known = self._running.setdefault(name, _Running(time.monotonic(), "following"))
        if event.of_stack:
            return
        known.latest = f"{event.logical_id} {event.status}"
        if event.status.endswith("_COMPLETE"):
            known.done.add(event.logical_id)
        if event.failed:
            self._line(name, f"{event.logical_id} ({event.type}) {event.status}: {event.reason}", "red")
        elif not self._live and event.status.endswith("_COMPLETE"):
            self._line(name, f"{event.logical_id} ({event.type}) {event.status}")

    def _line(self, name: str, text: str, color: str | None = None) -> None:
        elapsed = time.monotonic() - self._start
        styled = click.style(text, fg=color) if color and _colors(self._stream) else text
        self._stream.write(f"{elapsed:7.1f} s  {name:<{self._width}}  {styled}\n")

    def _redraw(self) -> None:
        while not self._over.wait(_REDRAW_S):
            with self._lock:
                if not self._over.is_set():
                    self._erase()
                    self._draw()
                    self._stream.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(f"\x1b[{self._drawn}F\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        if not self._live:
            return
        size = shutil.get_terminal_size()
        shown = list(self._running.items())[: max(size.lines - 2, 1)]
        for name, known in shown:
            elapsed = time.monotonic() - known.since
            text = f"{elapsed:7.1f} s  {name:<{self._width}}  {_bar(known)} {known.latest or known.doing}"
            self._stream.write(text[: size.columns - 1] + "\n")
        self._drawn = len(shown)


def _bar(known: _Running) -> str:
    if not known.total:
        return "..."
    share = min(len(known.done) / known.total, 1.0)
    full = round(share * _BAR)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {len(known.done)}/{known.total}"


def _count(doing: str) -> int:
    return next((int(word) for word in doing.split() if word.isdigit()), 0)


def _colors(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _can_redraw(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def interrupted(running: list[str]) -> str:
    """What to say when the user ends a command while AWS works."""
    at_aws = f"AWS goes on with {', '.join(running)}" if running else "Nothing runs at AWS"
    return f"Ended by you. {at_aws}.\n    -> The same command carries on from what it finds."
