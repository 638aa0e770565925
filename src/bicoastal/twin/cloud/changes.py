"""Counts what changes the state of the API, so that whoever follows it need not ask all the time.

A number, and nothing of what has changed: controllers are level-triggered and look for themselves.
"""

from __future__ import annotations

import asyncio
import threading

_READS = ("Describe", "List", "Get", "Head", "Lookup", "Search", "BatchGet", "Test", "Simulate", "Filter", "Assume")
_DATA = ("PutMetricData", "PutLogEvents", "unknown")
"""They change what was measured, not what should be."""


class Changes:
    """The count; `bump` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self.number = 0

    def bump(self) -> None:
        """Something has changed."""
        with self._lock:
            self.number += 1
            waiting, self._waiting = self._waiting, set()
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)

    async def beyond(self, number: int, within_s: float) -> int:
        """The count, as soon as it is above `number`, or when the time is over."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            if self.number > number:
                return self.number
            self._waiting.add(entry)
        try:
            async with asyncio.timeout(within_s):
                await entry[1].wait()
        except TimeoutError:
            with self._lock:
                self._waiting.discard(entry)
        return self.number


CHANGES = Changes()


def changes_state(action: str) -> bool:
    """Whether an action of this name is no mere question and no measurement."""
    return not action.startswith(_READS) and action not in _DATA
