"""Connections to whichever database takes us, of those that an address lists.

libpq asks one server after the other, and gives a silent one two seconds at least. When a region is lost, or moves,
these are seconds in which the other server may have begun to take writes. So each server is asked by itself, again and
again, until one takes us: the first one at once, the others as soon as it has refused, or has been silent for a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

WAIT_S = 2.5
"""For a connection."""
AGAIN_S = 0.25
"""Between two attempts at a server: while the primary moves, this is what its users wait longer."""
_SILENT_S = 1.0
"""So long the nearest server alone is asked where it says nothing: slow, it is better for readers than a far copy."""


class Connection(psycopg.AsyncConnection[object]):
    """To the first server that answers as `target_session_attrs` demands."""

    @classmethod
    async def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Raises psycopg.OperationalError when none did for `WAIT_S`."""
        attempt = super().connect
        refused = asyncio.Event()
        said = "no server answers"

        async def insist(server: Mapping[str, str]) -> Self:
            nonlocal said
            while True:
                try:
                    return await attempt(conninfo, **{**options, **server})
                except psycopg.OperationalError as error:
                    said = str(error)
                    refused.set()
                await asyncio.sleep(AGAIN_S)

        async def afterwards(server: Mapping[str, str]) -> Self:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(refused.wait(), _SILENT_S)
            return await insist(server)

        nearest, *others = servers(conninfo)
        attempts: list[asyncio.Task[Self]] = [asyncio.create_task(insist(nearest))]
        attempts += [asyncio.create_task(afterwards(server)) for server in others]
        try:
            done, _ = await asyncio.wait(attempts, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise psycopg.OperationalError(said)
            chosen = next(one for one in attempts if one in done)
            attempts.remove(chosen)
            return chosen.result()
        finally:
            for one in attempts:
                one.cancel()
                one.add_done_callback(_leave)


def servers(conninfo: str) -> list[dict[str, str]]:
    """Of an address: host and port of each, in their order."""
    address = conninfo_to_dict(conninfo)
    hosts, ports = (str(address.get(name) or "").split(",") for name in ("host", "port"))
    return [
        {"host": host, "port": port}
        for host, port in zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True)
    ]


def _leave(attempt: asyncio.Task[Connection]) -> None:
    """Another one was faster: a connection that came all the same is of no use to anybody."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().pgconn.finish()
