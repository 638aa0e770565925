"""What every open page is told: the picture's parts as they are now, what has happened, and that somebody speaks.

A page that is slow, or comes late, is given what it lacks and nothing twice: parts are numbered when they change, and
nothing is queued for anybody. The last thousand events are kept, and no more.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from enum import Enum
from typing import Any

from bicoastal.operate.watch.events import Event

KEPT = 1000
"""Events."""
TICK_S = 1.0
_LINGER_S = 3.0
"""A page that is loaded anew goes for a moment."""


@dataclass(frozen=True)
class _Part:
    number: int
    text: str


class Feed:
    """One for a console; safe for threads."""

    def __init__(self) -> None:
        """Nobody is told yet of pages that come and go: see `attend`."""
        self._someone: Callable[[], None] = _nothing
        self._nobody: Callable[[], None] = _nothing
        self._lock = threading.Lock()
        self._number = 0
        self._parts: dict[str, _Part] = {}
        self._events: deque[Mapping[str, Any]] = deque(maxlen=KEPT)
        self._event = 0
        self._run = secrets.token_hex(4)
        """Of this server: one that begins anew counts anew."""
        self._seen: dict[str, float] = {}
        self._readers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._closed = False
        self._leaving: asyncio.TimerHandle | None = None

    def attend(self, someone: Callable[[], None], nobody: Callable[[], None]) -> None:
        """Have these called when the first page comes, and when the last one has gone."""
        self._someone, self._nobody = someone, nobody

    # Of who knows something.

    def put(self, section: str, data: Any) -> None:
        """A part of the picture as it is now; pages hear of it where it differs."""
        with self._lock:
            before = self._parts.get(section)
            text = json.dumps(plain(data), separators=(",", ":"))
            if before is not None and before.text == text:
                return
            self._number += 1
            self._parts[section] = _Part(self._number, text)
        self._wake()

    def seen(self, region: str, at: float) -> None:
        """A region answered then; told with the next tick."""
        self._seen[region] = at

    def happened(self, event: Event) -> None:
        """For the time line."""
        with self._lock:
            self._event += 1
            self._events.append({"id": f"{self._run}-{self._event}", "at": time.time(), **asdict(event)})
        self._wake()

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """All that are kept."""
        with self._lock:
            return tuple(self._events)

    @property
    def watched(self) -> bool:
        """A page is open."""
        return bool(self._readers)

    def close(self) -> None:
        """Every page is let go: it comes back by itself when there is somebody again."""
        self._closed = True
        self._wake()

    # Of the pages.

    async def listen(self, known: str = "") -> AsyncIterator[str]:
        """Messages of a server-sent stream, for one page, until it goes; `known` is the id of the last event it has."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        reader = (loop, woken)
        self._comes(reader)
        told = 0
        run, _, number = known.partition("-")
        after = int(number) if run == self._run and number.isdecimal() else 0
        try:
            yield "retry: 500\n\n"
            while not self._closed:
                woken.clear()
                messages, told, after = self._news(told, after)
                for message in messages:
                    yield message
                yield _message("tick", {"now": time.time(), "seen": self._seen})
                await _either(woken, TICK_S)
        finally:
            self._goes(reader)

    def _news(self, told: int, after: int) -> tuple[list[str], int, int]:
        with self._lock:
            parts = [f'"{name}":{part.text}' for name, part in self._parts.items() if part.number > told]
            lacks = min(self._event - after, len(self._events))
            events = list(self._events)[len(self._events) - lacks :] if lacks > 0 else []
            told, after = self._number, self._event
        messages = [f"event: picture\ndata: {{{','.join(parts)}}}\n\n"] if parts else []
        if events:
            messages.append(f"id: {self._run}-{after}\n{_message('events', events)}")
        return messages, told, after

    def _comes(self, reader: tuple[asyncio.AbstractEventLoop, asyncio.Event]) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        first = not self._readers
        self._readers.add(reader)
        if first:
            self._someone()

    def _goes(self, reader: tuple[asyncio.AbstractEventLoop, asyncio.Event]) -> None:
        self._readers.discard(reader)
        if not self._readers and not self._closed:
            self._leaving = reader[0].call_later(_LINGER_S, self._left)

    def _left(self) -> None:
        if not self._readers:
            self._nobody()

    def _wake(self) -> None:
        for loop, woken in list(self._readers):
            if not loop.is_closed():
                loop.call_soon_threadsafe(woken.set)


def _nothing() -> None:
    return


async def _either(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return


def _message(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def plain(value: Any) -> Any:
    """As JSON has it: dataclasses and mappings as objects, all else that is many as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value
