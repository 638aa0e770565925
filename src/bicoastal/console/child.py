"""A command of ours as a process of its own, followed while it runs: what a person would type in a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

KEPT_LINES = 200
_END_S = 20.0


class Child:
    """Runs from the beginning; `line` is called with each line that it says, `ended` once with its exit code."""

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        ended: Callable[[int], None],
        line: Callable[[str], None] | None = None,
    ) -> None:
        """`words` follow `bicoastal`. Raises OSError where no process can be made."""
        self.words = tuple(words)
        self.began = time.time()
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._line, self._ended = line, ended
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bicoastal.cli", *words],
            env={**environment, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C in the terminal of `up` is for `up`, which ends what it has started in its own order.
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._follow, name=f"child {words[0]}", daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """As it would be typed."""
        return " ".join(("bicoastal", *(f'"{word}"' if " " in word else word for word in self.words)))

    @property
    def runs(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def interrupt(self) -> None:
        """As Ctrl-C does: it ends in its own order."""
        if self.runs:
            self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """End it, and wait until it has; one that does not go is killed with all that it started."""
        if self.runs:
            self._process.terminate()
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._thread.join(_END_S)

    def _follow(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for above
        with self._process.stdout as said:
            for line in said:
                self.lines.append(line.rstrip("\n"))
                if self._line is not None:
                    self._line(self.lines[-1])
        self._ended(self._process.wait())
