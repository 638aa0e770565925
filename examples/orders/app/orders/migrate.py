"""`python3.11 -m orders.migrate`: the release command. Brings the tables up to date, once, as the database's owner.

The version before it is still serving meanwhile: add first, remove one release later.
"""

from __future__ import annotations

import os

import psycopg

MIGRATIONS = (
    """
    CREATE TABLE orders (
        id uuid PRIMARY KEY,
        item text NOT NULL CHECK (length(item) BETWEEN 1 AND 200),
        quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
        region text NOT NULL,
        instance text NOT NULL,
        stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )
    """,
    "CREATE INDEX orders_by_time ON orders (stored_at DESC)",
)
_LOCK = 4711


def migrate(url: str) -> int:
    """Apply what is missing, all or nothing; returns how many steps that were."""
    with psycopg.connect(url) as session:
        session.execute("SET lock_timeout = '10s'")
        session.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        session.execute("CREATE TABLE IF NOT EXISTS migrations (step integer PRIMARY KEY)")
        row = session.execute("SELECT coalesce(max(step), 0) FROM migrations").fetchone()
        done = row[0] if row else 0
        for step, statement in enumerate(MIGRATIONS[done:], start=done + 1):
            session.execute(statement)
            session.execute("INSERT INTO migrations VALUES (%s)", (step,))
    return len(MIGRATIONS) - int(done)


if __name__ == "__main__":
    print(f"{migrate(os.environ['DATABASE_URL'])} migrations applied")  # noqa: T201
