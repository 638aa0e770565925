"""The verb `diverged`: rows that the local database has and another one, promoted from it, never got.

A promoted replica has every transaction that its snapshot of that moment shows, and no other of its former primary. So
a row version here whose transaction is not visible in that snapshot was written here alone. It reads as the
application does, and writes nothing.

Not found this way: rows that were deleted here after the promotion (nothing is left of them), the former content of
rows that were updated, sequences, and tables whose rows the application may not read; their number is told.
"""

from __future__ import annotations

import json
import re
from typing import Any

from bicoastal.kit.aws_cli import AwsCli
from bicoastal.kit.config import Config
from bicoastal.kit.database import TABLES, Server, Session, quoted
from bicoastal.kit.errors import RefusedError

PAGE_BYTES = 16_000
"""What Run Command gives of an answer ends at 24,000 characters."""
_SNAPSHOT = re.compile(r"[0-9]{1,20}:[0-9]{1,20}:([0-9]{1,20}(,[0-9]{1,20})*)?")
_ROWS = """
SELECT to_jsonb(r)::text AS row FROM {table} r
WHERE NOT pg_visible_in_snapshot({full}, CAST(:snapshot AS pg_snapshot)) ORDER BY r.ctid
"""
# A row holds the lower half of its transaction's number; the newest that fits below the next one is the whole of it.
_FULL = """
(SELECT CASE WHEN low <= next % 4294967296 THEN next - next % 4294967296 + low
    ELSE next - next % 4294967296 - 4294967296 + low END::text::xid8
FROM (SELECT r.xmin::text::numeric AS low, pg_snapshot_xmax(pg_current_snapshot())::text::numeric AS next) AS parts)
"""


def diverged(config: Config, aws: AwsCli, snapshot: str, after: int) -> dict[str, Any]:
    """A page of such rows, beginning after so many; `more` says whether others follow. Raises RefusedError."""
    if not _SNAPSHOT.fullmatch(snapshot):
        raise RefusedError(f"{snapshot[:60]!r} is no snapshot of PostgreSQL: XMIN:XMAX:LIST.")
    credential = aws.credential(config.database.secrets.app, name="app")
    with Server.for_operator(config).connect(credential, "bicoastal kit diverged") as session:
        session.query("SET default_transaction_isolation = 'repeatable read'")
        tables = session.query(TABLES)
        rows, more = _page(session, [row for row in tables if row["readable"]], snapshot, after)
        return {
            "rows": rows,
            "more": more,
            "next": after + len(rows),
            "tables": len(tables),
            "unreadable": [f"{row['schema']}.{row['name']}" for row in tables if not row["readable"]],
        }


def _page(session: Session, tables: list[Any], snapshot: str, after: int) -> tuple[list[dict[str, Any]], bool]:
    """Rows up to the size of an answer; the first is given whatever its size."""
    rows: list[dict[str, Any]] = []
    size = 0
    for table in tables:
        name = f"{quoted(table['schema'])}.{quoted(table['name'])}"
        found = session.query(_ROWS.format(table=name, full=_FULL), snapshot=snapshot)
        for item in found:
            if after:
                after -= 1
                continue
            entry = {"table": f"{table['schema']}.{table['name']}", "row": json.loads(item["row"])}
            size += len(json.dumps(entry))
            if rows and size > PAGE_BYTES:
                return rows, True
            rows.append(entry)
    return rows, False
