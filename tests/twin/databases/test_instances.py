"""An instance is a PostgreSQL server: born, restarted, changed, stopped and deleted as its API says."""

from __future__ import annotations

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.twin.databases.conftest import HOME, PASSWORD, Running, kill, until


def test_a_new_instance_is_what_rds_would_make(twin: Running) -> None:
    twin.rds().create_db_instance(**twin.request("orders"))
    early = twin.describe("orders")
    if early["DBInstanceStatus"] == "creating":
        assert "Endpoint" not in early, "RDS has none before it is available"
    made = twin.available("orders")
    assert made["Endpoint"]["Address"].startswith("127.")
    assert made["Endpoint"]["Port"] == 5432
    with twin.connect("orders") as session:
        (row,) = session.execute("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'master'")
        assert row == (False, True, True)
        (row,) = session.execute("SELECT datdba::regrole::text FROM pg_database WHERE datname = 'app'")
        assert row == ("master",)
        # What the instance kit does at bootstrap.
        session.execute("CREATE ROLE kit LOGIN; GRANT pg_monitor, pg_signal_backend TO kit; CREATE ROLE owner")
        session.execute("GRANT owner TO master; ALTER DATABASE app OWNER TO owner")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        twin.connect("orders", sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        twin.connect("orders", password="wrong-password")
