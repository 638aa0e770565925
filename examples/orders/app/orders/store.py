"""Orders in PostgreSQL, in two regions.

The addresses list both databases, and each is asked whether it takes writes, so that a failover needs no new setting
and no restart. What is left to do here is to notice that a connection has lost its writer, to throw the old connections
away, and to answer in time: a caller waits for seconds, never for an operating system's time-out.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import psycopg
from psycopg import errors
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from .connecting import AGAIN_S, WAIT_S, Connection
from .settings import Settings

WRITE_DEADLINE_S = 5.0
READ_DEADLINE_S = 5.0
_WRITABLE_FOR_S = 1.0
"""How long an answer about the writer is believed before it is asked for again, beside the requests."""
_NEVER = float("-inf")

Result = TypeVar("Result")
Pool = AsyncConnectionPool[Connection]


class Unavailable(Exception):  # noqa: N818 - it passes
    """No database answered in time; trying again later may help."""


class Conflict(Exception):  # noqa: N818 - it is the caller's
    """The id is taken by an order with another content."""


@dataclass(frozen=True)
class Order:
    """A row."""

    id: UUID
    item: str
    quantity: int
    region: str
    """Of the server that took the order."""
    instance: str
    stored_at: datetime


@dataclass(frozen=True)
class Latest:
    """The last orders, the newest first."""

    orders: list[Order]
    replica: bool
    """Read from a copy, which may be a moment behind."""
    host: str
    """Of the database that was read."""


@dataclass(frozen=True)
class DatabaseStatus:
    """What the database that we read from says. None: it does not say."""

    replica: bool
    writer_region: str | None
    lag_s: float | None
    """Age of the writer's heartbeat as seen here."""
    epoch: int | None


class Store:
    """Two pools: one on whatever takes writes, one on whatever answers, this region's database first."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._writer = _pool(settings.write_url, "orders writing")
        self._reader = _pool(settings.read_url, "orders reading")
        self._writable = False
        self._asked = _NEVER
        self._asking: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to connect; does not wait, for a server without a database must start too."""
        await self._writer.open(wait=False)
        await self._reader.open(wait=False)

    async def close(self) -> None:
        """End all connections."""
        if self._asking is not None:
            self._asking.cancel()
        await self._writer.close(2)
        await self._reader.close(2)

    async def add(self, order_id: UUID, item: str, quantity: int) -> tuple[Order, bool]:
        """Store an order once; True if this call did it. Raises Unavailable, or Conflict."""

        async def insert(session: Connection) -> bool:
            cursor = await session.execute(
                "INSERT INTO orders (id, item, quantity, region, instance) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (id) DO NOTHING",
                (order_id, item, quantity, self._settings.region, self._settings.instance),
            )
            return cursor.rowcount == 1

        async def work(session: Connection) -> tuple[Order | None, bool]:
            created = await insert(session)
            return await _find(session, order_id), created

        # Harmless to repeat: the id decides.
        order, created = await _within(WRITE_DEADLINE_S, lambda: self._try(self._writer, work))
        if order is None:
            raise Unavailable("the order was deleted meanwhile")
        if not created and (order.item, order.quantity) != (item, quantity):
            raise Conflict(f"order {order_id} is another one")
        return order, created

    async def find(self, order_id: UUID) -> Order | None:
        """One order, from the copy that we read; a fresh one may not be there yet. Raises Unavailable."""
        return await _within(READ_DEADLINE_S, lambda: self._try(self._reader, lambda it: _find(it, order_id)))

    async def latest(self, limit: int) -> Latest:
        """So many. Raises Unavailable."""

        async def work(session: Connection) -> Latest:
            answer = await (await session.execute("SELECT pg_is_in_recovery()")).fetchone()
            async with session.cursor(row_factory=class_row(Order)) as cursor:
                await cursor.execute("SELECT * FROM orders ORDER BY stored_at DESC LIMIT %s", (limit,))
                orders = await cursor.fetchall()
            return Latest(orders, isinstance(answer, tuple) and answer[0] is True, session.info.host)

        return await _within(READ_DEADLINE_S, lambda: self._try(self._reader, work))

    async def status(self) -> DatabaseStatus:
        """What the database that we read from knows. Raises Unavailable."""

        async def work(session: Connection) -> DatabaseStatus:
            async with session.cursor(row_factory=dict_row) as cursor:
                await cursor.execute(
                    "SELECT pg_is_in_recovery() AS replica, to_regclass('bicoastal.heartbeat') AS beats"
                )
                known = await cursor.fetchone()
                if not known or known["beats"] is None:
                    return DatabaseStatus(bool(known and known["replica"]), None, None, None)
                await cursor.execute(
                    "SELECT h.region, s.epoch, extract(epoch FROM clock_timestamp() - h.beat_at)::float8 AS lag"
                    " FROM bicoastal.state s LEFT JOIN bicoastal.heartbeat h ON true"
                )
                row = await cursor.fetchone() or {}
                lag = row.get("lag")
                return DatabaseStatus(
                    known["replica"], row.get("region"), None if lag is None else max(lag, 0.0), row.get("epoch")
                )

        return await _within(READ_DEADLINE_S, lambda: self._try(self._reader, work))

    async def writable(self) -> bool:
        """Whether a database takes our writes, as known a moment ago. No page waits for a writer that is away."""
        if self._asking is None and time.monotonic() - self._asked >= _WRITABLE_FOR_S:
            self._asking = asyncio.create_task(self._ask_writable())
        if self._asking is not None and self._asked == _NEVER:
            await asyncio.wait({self._asking})
        return self._writable

    async def _ask_writable(self) -> None:
        """One question at a time, however many want to know."""
        try:
            self._writable = await _within(WAIT_S, lambda: self._try(self._writer, _may_write))
        except (Unavailable, psycopg.Error):
            self._writable = False
        finally:
            self._asked, self._asking = time.monotonic(), None

    async def _try(self, pool: Pool, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Do it, and once more on a new connection when the old one has lost its server or its writer."""
        try:
            return await _once(pool, work)
        except (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege):
            # The writer was demoted or fenced under us: every connection of the pool leads to it.
            await pool.drain()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if isinstance(error, PoolTimeout):
                raise
            await pool.check()
        return await _once(pool, work)


def _pool(url: str, name: str) -> Pool:
    return AsyncConnectionPool(
        url,
        connection_class=Connection,
        name=name,
        min_size=1,
        max_size=8,
        open=False,
        timeout=AGAIN_S,
        # The pool's own pauses between attempts begin with a second, and double: whoever waits asks again instead.
        reconnect_timeout=0.0,
        # A connection that went to the other region because ours was away comes home after this.
        max_lifetime=300,
        kwargs={"autocommit": True, "application_name": name, "options": "-c statement_timeout=4000"},
    )


async def _once(pool: Pool, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """On a connection of the pool, asked for again and again: each time the pool may begin to make one."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            async with pool.connection() as session:
                return await work(session)
        except PoolTimeout:
            if time.monotonic() >= until:
                raise


async def _find(session: Connection, order_id: UUID) -> Order | None:
    async with session.cursor(row_factory=class_row(Order)) as cursor:
        await cursor.execute("SELECT * FROM orders WHERE id = %s", (order_id,))
        return await cursor.fetchone()


async def _may_write(session: Connection) -> bool:
    cursor = await session.execute(
        "SELECT current_setting('transaction_read_only') = 'off' AND has_table_privilege('orders', 'INSERT')"
    )
    row = await cursor.fetchone()
    return isinstance(row, tuple) and row[0] is True


async def _within(deadline_s: float, work: Callable[[], Awaitable[Result]]) -> Result:
    """Wait no longer than that. What is late is told to stop but not waited for: it may be talking to a black hole."""
    task = asyncio.ensure_future(work())
    try:
        done, _ = await asyncio.wait({task}, timeout=deadline_s)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        task.add_done_callback(_forget)
        raise Unavailable(f"no answer within {deadline_s:g} s")
    try:
        return task.result()
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Unavailable(str(error)) from error
    except (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege) as error:
        raise Unavailable("no database takes writes") from error


def _forget(task: asyncio.Future[Result]) -> None:
    with contextlib.suppress(asyncio.CancelledError, Exception):
        task.result()
