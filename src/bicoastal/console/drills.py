"""Drills, each a command of its own with a twin of its own, and the folder of the reports that they leave."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

from bicoastal.console.child import Child
from bicoastal.console.feed import Feed
from bicoastal.core.errors import Refused
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.operate.watch.events import Event
from bicoastal.twin.pace import FAST, REAL

SECTION, REPORTS = "drill", "reports"
_TITLE = re.compile(r"<title>(.*?)</title>")
_VERDICT = re.compile(r'class="verdict (held|broken)"')
_HEAD = 20_000
"""Characters of a report in which its title and its first verdict are."""
_SHOWN = 100


class Drills:
    """One at a time."""

    def __init__(self, spec: Path, folder: Path, environment: Mapping[str, str], feed: Feed) -> None:
        """`folder` holds the reports, those of `bicoastal drill -o` too that are put there."""
        self._spec, self.folder, self._environment, self._feed = spec, folder, environment, feed
        self._lock = threading.Lock()
        self._child: Child | None = None
        self.tell()

    @staticmethod
    def known() -> list[dict[str, Any]]:
        """What can be rehearsed."""
        return [{"name": one.name, "title": one.title} for one in EXPERIMENTS.values()]

    def start(self, name: str, pace: str, seed: int | None, *, stay: bool) -> None:
        """Begin. Raises Refused with the reason."""
        if name not in EXPERIMENTS:
            raise Refused(f"{name!r} is no drill: there are {', '.join(EXPERIMENTS)}.")
        if pace not in (FAST.name, REAL.name):
            raise Refused(f"{pace!r} is no pace: there are {FAST.name} and {REAL.name}.")
        report = self.folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{name}.html"
        words = ["drill", name, "--pace", pace, "--format", "html", "-o", str(report), "--spec", str(self._spec)]
        words += ["--seed", str(seed)] if seed is not None else []
        words += ["--stay"] if stay else []
        with self._lock:
            if self._child is not None and self._child.runs:
                raise Refused(f"`{self._child.text}` still runs: one drill at a time.")
            self.folder.mkdir(parents=True, exist_ok=True)
            self._child = Child(words, self._environment, self._spec.parent, line=self._said, ended=self._ends)
        self._feed.happened(Event("note", f"drill {name} begins, on a twin of its own"))
        self._publish(None)

    def interrupt(self) -> None:
        """End it: all that it has started goes with it. Raises Refused where none runs."""
        if self._child is None or not self._child.runs:
            raise Refused("no drill runs.")
        self._child.interrupt()

    def end(self) -> None:
        """The console ends."""
        if self._child is not None:
            self._child.end()

    def report(self, name: str) -> Path | None:
        """The file of a report; None where there is none of that name in the folder."""
        found = self.folder / name
        return found if found.name == name and found.suffix == ".html" and found.is_file() else None

    def tell(self) -> None:
        """Which reports there are, the newest first."""
        self._feed.put(REPORTS, [_told(path) for path in sorted(self.folder.glob("*.html"), key=_made, reverse=True)])

    def _said(self, line: str) -> None:
        del line
        self._publish(None)

    def _publish(self, code: int | None) -> None:
        child = self._child
        if child is None:
            return
        self._feed.put(
            SECTION,
            {
                "name": child.words[1], "text": child.text, "began": child.began, "code": code,
                "ended": None if code is None else time.time(), "lines": list(child.lines)[-_SHOWN:],
            },
        )  # fmt: skip

    def _ends(self, code: int) -> None:
        self._publish(code)
        self.tell()
        said = {0: "every promise held", 1: "a promise was broken"}.get(code, f"it ended with {code}")
        name = self._child.words[1] if self._child is not None else ""
        self._feed.happened(Event("good" if code == 0 else "bad", f"drill {name}: {said}"))


def _made(path: Path) -> float:
    return path.stat().st_mtime


def _told(path: Path) -> dict[str, Any]:
    with path.open(errors="replace") as file:
        head = file.read(_HEAD)
    title, verdict = _TITLE.search(head), _VERDICT.search(head)
    return {
        "file": path.name,
        "title": unescape(title[1]) if title else path.stem,
        "verdict": verdict[1] if verdict else None,
        "at": _made(path),
    }
