"""Something that is done again and again in a thread: at once when it is woken, but never more often than it may."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_AFTER_FAILURE_S = 5.0


class Task:
    """One thread; ends when it is told to, or with the process."""

    def __init__(self, name: str, act: Callable[[], None], every_s: float, gap_s: float) -> None:
        """`act` is done every `every_s`, and when it is woken, `gap_s` after the last time at the earliest."""
        self.name, self.every_s = name, every_s
        self._act, self._gap_s = act, gap_s
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._began: float | None = None
        self.took = 0.0
        """Seconds of its last act."""
        self._thread = threading.Thread(target=self._run, name=f"watch {name}", daemon=True)

    @property
    def runs_for(self) -> float:
        """Seconds that its present act has taken so far; 0 between two."""
        began = self._began
        return time.monotonic() - began if began is not None else 0.0

    def start(self) -> None:
        """Begin with an act."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no other act."""
        self._stopped.set()
        self._woken.set()

    def wake(self) -> None:
        """Do it as soon as it may be done."""
        self._woken.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            self._began = time.monotonic()
            try:
                self._act()
            except Exception:
                # What is an error of ours must not end the looking: the picture would stand still and say nothing.
                logging.getLogger(__name__).exception("watching: %s", self.name)
                self._stopped.wait(_AFTER_FAILURE_S)
            finally:
                self.took = self.runs_for
                self._began = None
            if self._gap_s and self._stopped.wait(self._gap_s):
                return
            self._woken.wait(max(self.every_s - self._gap_s, 0.0))
