"""Which data planes stand behind the API: where none does, what a stack asks for is there at once, on paper.

With one attached, a resource is what its controller says of it (`creating` until a database answers), and a stack waits
for that as CloudFormation does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from bicoastal.twin.cloud.schemas import Refused

_LOOK_S = 0.02
_attached: set[str] = set()
_ended = threading.Event()
_pace_factor = 1.0


def attach(names: Iterable[str], pace_factor: float = 1.0) -> None:
    """Controllers of these names run: `databases`, `instances`, `fleets`, ...; their clocks run so much faster."""
    global _pace_factor  # noqa: PLW0603 - one for the process, as what is attached is
    _attached.update(names)
    _pace_factor = pace_factor


def seconds(template_s: float) -> float:
    """How long a time from a template (a creation policy's timeout, a warm-up) lasts here."""
    return template_s / _pace_factor


def attached(name: str) -> bool:
    """Whether one does."""
    return name in _attached and not _ended.is_set()


def end() -> None:
    """The controllers are gone: nobody waits for them any more, and what waited for them has failed."""
    _ended.set()


def wait_until(what: str, condition: Callable[[], bool], deadline_s: float) -> None:
    """Look until it is so, on a worker thread: never on the event loop, which must take the controllers' reports.

    Raises Refused, saying what was waited for, when the deadline has passed.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if _ended.is_set():
            raise Refused(f"{what}: the twin ended meanwhile (ServiceUnavailable)")
        if time.monotonic() > end:
            raise Refused(f"{what}: not so after {deadline_s:.0f} s (NotStabilized)")
        time.sleep(_LOOK_S)
