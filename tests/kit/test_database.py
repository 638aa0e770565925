"""The door to PostgreSQL: what it refuses, and how it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from bicoastal.kit.aws_cli import Credential
from bicoastal.kit.database import DatabaseError, Server
from bicoastal.kit.errors import ConfigurationError
from bicoastal.twin.authority import Authority
from tests.support.instance import Instance
from tests.support.postgres import DATABASE, MASTER, MASTER_PASSWORD, Laboratory, Postgres, free_port

pytestmark = pytest.mark.postgres
CREDENTIAL = Credential(MASTER, MASTER_PASSWORD)


def door(server: Postgres, **changes: object) -> Server:
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": server.port,
        "database": DATABASE,
        "certificates": server.laboratory.authority.certificate,
        "timeout_s": 2.0,
        **changes,
    }
    return Server(**values)  # type: ignore[arg-type]


def test_a_verified_session(primary: Postgres) -> None:
    with door(primary).connect(CREDENTIAL, "test") as session:
        row = session.one("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert (row["ssl"], row["version"]) == (True, "TLSv1.3")
        assert session.query("SELECT :a::int + 1 AS sum", a=1) == [{"sum": 2}]


def test_a_statement_that_comes_again_is_prepared(primary: Postgres) -> None:
    with door(primary).connect(CREDENTIAL, "test") as session:
        prepared = "SELECT count(*) AS known FROM pg_prepared_statements WHERE statement LIKE '%$1::int * 2%'"
        for round_, known in ((1, 0), (2, 1), (3, 1)):
            assert session.query("SELECT :a::int * 2 AS twice", a=round_) == [{"twice": 2 * round_}]
            assert session.one(prepared)["known"] == known
        assert session.query("SELECT :a::int + 1 AS sum, :a AS a", a=1) == [{"sum": 2, "a": 1}]


def test_another_authority_is_refused(primary: Postgres, tmp_path: Path) -> None:
    other = Authority(tmp_path, "another authority").certificate
    with pytest.raises(DatabaseError, match="its certificate is not accepted: unable to get local issuer certificate"):
        door(primary, certificates=other).connect(CREDENTIAL, "test")


def test_another_address_is_refused(laboratory: Laboratory) -> None:
    server = laboratory.cluster("elsewhere")
    laboratory.authority.issue(server.data / "server.pem", server.data / "server.key", names=["127.0.0.9"])
    laboratory.own(server.data)
    server.start(verified=False)
    with pytest.raises(DatabaseError, match="its certificate is not accepted: IP address mismatch"):
        door(server).connect(CREDENTIAL, "test")
    server.kill()


def test_what_is_wrong_is_said(primary: Postgres, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        door(primary).connect(Credential(MASTER, "wrong"), "test")
    assert caught.value.wrong_password
    with pytest.raises(DatabaseError, match="Connection refused"):
        door(primary, port=free_port()).connect(CREDENTIAL, "test")
    with pytest.raises(ConfigurationError, match="no usable certificates"):
        door(primary, certificates=tmp_path / "none.pem").connect(CREDENTIAL, "test")
    with door(primary).connect(CREDENTIAL, "test") as session, pytest.raises(DatabaseError) as refused:
        session.query("SELECT 1/0")
    assert refused.value.code == "22012"


def test_a_server_that_hangs_costs_the_timeout(primary: Postgres) -> None:
    with door(primary, timeout_s=0.3).connect(CREDENTIAL, "test") as session:
        primary.freeze()
        with pytest.raises(DatabaseError, match="no answer in time"):
            session.query("SELECT 1")
        with pytest.raises(DatabaseError, match="no answer in time"):
            door(primary, timeout_s=0.3).connect(CREDENTIAL, "test")
        primary.thaw()


def test_passwords_are_in_no_log_and_no_repr(primary: Postgres, home: Instance, laboratory: Laboratory) -> None:
    primary.superuser("ALTER SYSTEM SET log_statement = 'all'")
    primary.superuser("SELECT pg_reload_conf()")
    home.aws.set_credential("app", "very-secret-password-indeed")
    home.answer("bootstrap")
    assert "ALTER ROLE" in primary.log.read_text()
    assert "very-secret-password" not in primary.log.read_text()
    assert "hidden" in repr(CREDENTIAL)
    assert laboratory.root.exists()
