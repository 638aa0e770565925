"""Asking again until something is so: quickly at first, then less and less often, and never beyond a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bicoastal.core.errors import SystemFault

FIRST_S = 0.1
LONGEST_S = 5.0


class Waiter:
    """Iterates once for each look; raises SystemFault, saying what was waited for, when the deadline has passed.

    The pause is a tenth of the time waited so far, within `first_s` and 5 s: what ends in a second is seen in time, and
    what takes twenty minutes is not asked for a thousand times.
    """

    def __init__(
        self,
        deadline_s: float,
        what: str,
        *,
        first_s: float = FIRST_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._deadline_s = deadline_s
        self._what = what
        self._first_s = first_s
        self._clock = clock
        self._sleep = sleep

    def __iter__(self) -> Iterator[float]:
        """Yield the seconds waited so far."""
        start = self._clock()
        while True:
            waited = self._clock() - start
            yield waited
            waited = self._clock() - start
            if waited >= self._deadline_s:
                raise SystemFault(
                    f"{self._what}: still not done after {self._deadline_s:.0f} s.\n"
                    "    -> Run the same command again: it carries on from what it finds."
                )
            self._sleep(min(max(waited / 10, self._first_s), LONGEST_S, self._deadline_s - waited))
