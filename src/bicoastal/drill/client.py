"""The users of one coast, as a process of their own: `python -m bicoastal.drill.client PLAN.json`.

They belong to nobody who could spare them: they ask all the time, a row is sent again with its id until somebody has
acknowledged it, and each attempt becomes a line of the ledger. The process ends when its standard input does, and so
with whoever started it, however that one ended. A number on a line there says how many of a crowd are present.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from bicoastal.drill.browser import Answer, Browser, Unserved, Where, trust
from bicoastal.drill.ledger import GATE, LEFT, LIST, PAGE, READ, WRITE, Entry, Shown

_GATE_SAYS = b"Back in a moment"
"""Stands on the page of the kit's read gate."""
_TURNS = {READ: (PAGE, READ, LIST, READ, READ), PAGE: (PAGE, READ)}
"""What a reader, and one of a crowd, asks, one after the other."""
_PATHS = {PAGE: "/", READ: "/api/status", LIST: "/api/orders"}
_LISTED = 100
"""The application shows so many rows at most."""


@dataclass(frozen=True)
class User:
    """One of them."""

    name: str
    kind: str
    """`read` (pages and lists among it), `page` (of a crowd: no lists) or `write`."""
    address: str
    asks: str
    """The name that is asked: the public one, or a region's own."""
    pinned: bool = False


@dataclass(frozen=True)
class Plan:
    """All users of a process."""

    coast: str
    users: Sequence[User]
    resolver: tuple[str, int]
    port: int
    certificate: str
    ledger: str
    period_s: float
    """Between two beginnings of one user's requests."""
    patience_s: float
    seed: int
    crowd: bool = False
    """They come and go: nobody is present at first."""

    def write(self, path: Path) -> None:
        """For the process to read."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Plan:
        """What was written."""
        data: dict[str, Any] = json.loads(path.read_text())
        users = tuple(User(**user) for user in data.pop("users"))
        host, port = data.pop("resolver")
        return cls(users=users, resolver=(host, port), **data)


async def run(plan: Plan) -> None:
    """All users, until standard input ends."""
    context = trust(plan.certificate)
    with Path(plan.ledger).open("a", buffering=1) as ledger:
        people = [_Person(plan, user, context, ledger) for user in plan.users]
        tasks = [asyncio.create_task(person.live()) for person in people]
        while line := await asyncio.to_thread(sys.stdin.readline):
            for number, person in enumerate(people):
                person.come_or_go(here=number < int(line))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Person:
    """A user with his browser."""

    def __init__(self, plan: Plan, user: User, context: Any, ledger: IO[str]) -> None:
        self._plan = plan
        self._user = user
        self._ledger = ledger
        self._dice = random.Random(f"{plan.seed}/{user.name}")  # noqa: S311 - a rehearsal, not a secret
        where = Where(user.asks, plan.resolver, user.address, plan.port, plan.certificate, plan.patience_s)
        self._browser = Browser(where, context)
        self._here = asyncio.Event()
        self.come_or_go(here=not plan.crowd)

    def come_or_go(self, *, here: bool) -> None:
        """Whether he asks; who goes ends what he has begun."""
        if here:
            self._here.set()
        else:
            self._here.clear()

    async def live(self) -> None:
        """Ask for ever."""
        count = 0
        try:
            while True:
                if not count or not self._here.is_set():
                    await self._here.wait()
                    await asyncio.sleep(self._dice.random() * self._plan.period_s)
                begun = time.monotonic()
                if self._user.kind == WRITE:
                    await self._write()
                else:
                    turns = _TURNS[self._user.kind]
                    await self._read(turns[count % len(turns)])
                count += 1
                await self._pause(begun)
        finally:
            await self._browser.close()

    async def _pause(self, begun: float) -> None:
        period = self._plan.period_s * (0.9 + 0.2 * self._dice.random())
        await asyncio.sleep(max(period - (time.monotonic() - begun), 0.0))

    async def _read(self, kind: str) -> None:
        began = time.time()
        error, region, lag, shown = "", "", None, None
        try:
            answer = await self._browser.ask("GET", _PATHS[kind])
            error = _seen(answer)
            if not error and kind == LIST:
                said = _json(answer)
                region, shown = str(said.get("region", "")), _shown(said)
                error = "" if shown is not None else "no data"
            if not error and kind == READ:
                said = _json(answer)
                region = str(said.get("region", ""))
                database = said.get("database")
                lag = database.get("lag_s") if isinstance(database, dict) else None
                error = "" if isinstance(database, dict) else "no data"
        except Unserved as unserved:
            error = str(unserved)
        self._note(began, kind, error, region=region, lag=lag, shown=shown)

    async def _write(self) -> None:
        """One row, until it is acknowledged."""
        key = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        order = {"id": key, "item": f"a row of {self._user.name}", "quantity": 1}
        body = json.dumps(order).encode()
        while True:
            began, begun = time.time(), time.monotonic()
            error, region = "", ""
            try:
                answer = await self._browser.ask("POST", "/api/orders", body)
                error = _seen(answer)
                if not error:
                    region = str(_json(answer).get("region", ""))
            except Unserved as unserved:
                error = str(unserved)
            except asyncio.CancelledError:
                # The row may be there: who sees it must be able to know whose it is.
                self._note(began, WRITE, LEFT, key=key, region="")
                raise
            self._note(began, WRITE, error, key=key, region=region)
            if not error:
                return
            await self._pause(begun)

    def _note(
        self,
        began: float,
        kind: str,
        error: str,
        *,
        key: str = "",
        region: str,
        lag: float | None = None,
        shown: Shown | None = None,
    ) -> None:
        user, coast = self._user, self._plan.coast
        entry = Entry(began, time.time(), coast, user.name, kind, key, error, region, lag, user.pinned, shown)
        self._ledger.write(entry.line() + "\n")


def _seen(answer: Answer) -> str:
    """What a status is to a user; empty for one that serves him."""
    if answer.status in (200, 201):
        return ""
    return GATE if answer.status == 503 and _GATE_SAYS in answer.body else str(answer.status)


def _shown(said: dict[str, Any]) -> Shown | None:
    """The rows of a list; None where it is none."""
    try:
        rows = [(str(row["id"]), datetime.fromisoformat(row["stored_at"]).timestamp()) for row in said["orders"]]
        replica, host = bool(said["replica"]), str(said.get("host", ""))
    except (KeyError, TypeError, ValueError):
        return None
    return Shown(tuple(id_ for id_, _ in rows), tuple(at for _, at in rows), len(rows) >= _LISTED, replica, host)


def _json(answer: Answer) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        data = json.loads(answer.body)
        if isinstance(data, dict):
            return data
    return {}


if __name__ == "__main__":
    asyncio.run(run(Plan.read(Path(sys.argv[1]))))
