"""The verb `census`: every table of a restored database, read to its end, beside the same tables of the local one.

Rows are counted and a checksum is taken that does not depend on their order. Where both differ and neither is large,
rows are compared one by one: how many are in the restored database alone (what it can give back), and how many here
alone. It reads as the application does, writes nothing, and shows no row.

Not looked at: tables that the application may not read (they are named), sequences, and what is not in tables.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from bicoastal.kit.aws_cli import AwsCli, Credential
from bicoastal.kit.config import Config
from bicoastal.kit.database import INVALID_SCHEMA, TABLES, UNDEFINED_TABLE, DatabaseError, Server, Session, quoted
from bicoastal.kit.errors import KitError, RefusedError

TABLE_TIMEOUT_S = 1800.0
"""For one table: it is read from its first row to its last."""
PAGE_S = 40.0
"""A page ends with the table that was under way by then: Run Command's caller learns how far it is."""
PAGE_TABLES = 60
"""What Run Command gives of an answer ends at 24,000 characters."""
ONE_BY_ONE = 200_000
"""Rows of a table up to which they are compared one by one, in this process's memory."""
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")
# Whatever the server's or the role's own settings are: text must come out alike on both.
_SETTINGS = (
    "SET default_transaction_read_only = on",
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET IntervalStyle = 'postgres'",
    "SET bytea_output = 'hex'",
    "SET extra_float_digits = 1",
)
_SUM = """
SELECT count(*)::int8 AS rows, coalesce(sum(hashtextextended(bicoastal_row::text, 0)), 0)::text AS checksum
FROM {table} bicoastal_row
"""
_EACH = "SELECT hashtextextended(bicoastal_row::text, 0) AS hash FROM {table} bicoastal_row"
_STATE = """
SELECT current_setting('data_checksums') AS page_checksums,
    (SELECT count(*)::int FROM pg_index WHERE NOT indisvalid) AS invalid_indexes
"""
_BEAT = """
SELECT to_char(max(beat_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS beat FROM bicoastal.heartbeat
"""


def census(config: Config, aws: AwsCli, host: str, after: int, port: int | None = None) -> dict[str, Any]:
    """A page of tables, beginning after so many; `more` says whether others follow, `beat` when its data end.

    `here` of a table is null where the local database has none of that name; `here_unknown` says why where the local
    database could not be read at all. Raises RefusedError for a host that cannot be one, DatabaseError where the
    restored database is not reached or a table of it cannot be read.
    """
    port = port or config.database.port
    if not _HOST.fullmatch(host) or (host, port) == (config.database.host, config.database.port):
        raise RefusedError(f"{host[:60]!r} is no host of a restored database.")
    credential = aws.credential(config.database.secrets.app, name="app")
    here = Server.for_operator(config)
    with ExitStack() as stack:
        restored = stack.enter_context(_reader(replace(here, host=host, port=port), credential))
        local, unknown = _local(stack, here, credential)
        known = _tables(restored)
        mine = _tables(local) if local is not None else {}
        names = sorted({*known, *mine})
        entries: list[dict[str, Any]] = []
        begun = time.monotonic()
        for name in names[after:]:
            entries.append(_table(name, restored, known, local, mine))
            if time.monotonic() - begun > PAGE_S or len(entries) == PAGE_TABLES:
                break
        return {
            "tables": entries,
            "more": after + len(entries) < len(names),
            "next": after + len(entries),
            "of": len(names),
            "here_unknown": unknown,
            **restored.one(_STATE),
            "beat": _beat(restored),
        }


Known = Mapping[tuple[str, str], bool]
"""Schema and name of a table to whether it may be read."""


def _table(
    name: tuple[str, str], restored: Session, known: Known, local: Session | None, mine: Known
) -> dict[str, Any]:
    table = f"{quoted(name[0])}.{quoted(name[1])}"
    entry: dict[str, Any] = {
        "table": ".".join(name),
        "restored": _sum(restored, table) if known.get(name) else None,
        "here": _sum(local, table) if local is not None and mine.get(name) else None,
        "unreadable": [where for where, tables in (("restored", known), ("here", mine)) if tables.get(name) is False],
    }
    if entry["restored"] is None or entry["here"] is None:
        return entry
    entry["same"] = entry["restored"] == entry["here"]
    if entry["same"]:
        entry["restored_alone"] = entry["here_alone"] = 0
    elif local is not None and max(entry["restored"]["rows"], entry["here"]["rows"]) <= ONE_BY_ONE:
        there, here = _rows(restored, table), _rows(local, table)
        entry["restored_alone"] = (there - here).total()
        entry["here_alone"] = (here - there).total()
    return entry


@contextmanager
def _reader(server: Server, credential: Credential) -> Iterator[Session]:
    # Whether it lets anybody in is known in seconds; only reading a table may take long.
    server.connect(credential, "bicoastal kit census").close()
    with replace(server, timeout_s=TABLE_TIMEOUT_S).connect(credential, "bicoastal kit census") as session:
        for setting in _SETTINGS:
            session.query(setting)
        yield session


def _local(stack: ExitStack, server: Server, credential: Credential) -> tuple[Session | None, str | None]:
    """The local database, or why there is nothing to compare with: it may be what was lost."""
    try:
        return stack.enter_context(_reader(server, credential)), None
    except KitError as error:
        return None, str(error)


def _beat(session: Session) -> str | None:
    """When its primary's kit wrote its last heartbeat, in UTC: the data are of that second. None: none ever did."""
    try:
        found = session.one(_BEAT)["beat"]
    except DatabaseError as error:
        if error.code in (UNDEFINED_TABLE, INVALID_SCHEMA):
            return None
        raise
    return None if found is None else str(found)


def _tables(session: Session) -> dict[tuple[str, str], bool]:
    return {(row["schema"], row["name"]): bool(row["readable"]) for row in session.query(TABLES)}


def _sum(session: Session, table: str) -> dict[str, Any]:
    return dict(session.one(_SUM.format(table=table)))


def _rows(session: Session, table: str) -> Counter[int]:
    return Counter(row["hash"] for row in session.query(_EACH.format(table=table)))
