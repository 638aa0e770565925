"""The fence against an application that tries everything, and who may call what."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence

import psycopg
import pytest

from tests.support.instance import PASSWORDS, Instance, stays
from tests.support.postgres import Postgres, wait_until

pytestmark = pytest.mark.postgres

MIGRATION = """
CREATE TABLE orders (id bigserial PRIMARY KEY, item text);
CREATE TABLE leaked (item text);
GRANT ALL ON leaked TO app;
GRANT UPDATE (item) ON orders TO app;
GRANT INSERT ON orders TO PUBLIC;
GRANT CREATE ON SCHEMA public TO app;
CREATE VIEW order_items AS SELECT id, item FROM orders;
CREATE FUNCTION sneak(text) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO orders (item) VALUES ($1)';
CREATE FUNCTION longest() RETURNS text LANGUAGE sql AS 'SELECT max(item) FROM orders';
CREATE PROCEDURE sneak_too(text) LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO orders (item) VALUES ($1)';
CREATE SCHEMA sales;
CREATE TABLE sales.invoices (id int);
INSERT INTO orders (item) VALUES ('first');
"""
ATTACKS: Sequence[tuple[str, Sequence[str]]] = (
    ("plainly", ("INSERT INTO orders (item) VALUES ('x')",)),
    ("in a transaction opened for writing", ("BEGIN READ WRITE", "INSERT INTO orders (item) VALUES ('x')")),
    (
        "in a session set to write",
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "INSERT INTO orders (item) VALUES ('x')"),
    ),
    ("with the default overridden", ("SET default_transaction_read_only = off", "UPDATE orders SET item = 'x'")),
    ("as the writers' group", ("SET default_transaction_read_only = off", "SET ROLE bicoastal_writer")),
    ("as the owner", ("SET ROLE owner",)),
    ("as the guard", ("SET ROLE bicoastal_guard",)),
    ("by giving itself the role", ("BEGIN READ WRITE", "GRANT bicoastal_writer TO app")),
    ("by a function of the owner", ("BEGIN READ WRITE", "SELECT sneak('x')")),
    ("by a procedure of the owner", ("SET default_transaction_read_only = off", "CALL sneak_too('x')")),
    ("by a view", ("BEGIN READ WRITE", "INSERT INTO order_items (item) VALUES ('x')")),
    ("by a direct grant", ("BEGIN READ WRITE", "INSERT INTO leaked VALUES ('x')")),
    ("by a column's grant", ("BEGIN READ WRITE", "UPDATE orders SET item = 'x'")),
    ("in another schema", ("BEGIN READ WRITE", "INSERT INTO sales.invoices VALUES (1)")),
    ("by truncating", ("BEGIN READ WRITE", "TRUNCATE orders")),
    ("by a sequence", ("BEGIN READ WRITE", "SELECT nextval('orders_id_seq')")),
    ("by setting a sequence", ("BEGIN READ WRITE", "SELECT setval('orders_id_seq', 1)")),
    ("by copying", ("BEGIN READ WRITE", "COPY orders (item) FROM PROGRAM 'echo x'")),
    ("by locking rows", ("BEGIN READ WRITE", "SELECT * FROM orders FOR UPDATE")),
    ("by making a table", ("BEGIN READ WRITE", "CREATE TABLE mine (a int)")),
    ("by making a temporary table", ("BEGIN READ WRITE", "CREATE TEMPORARY TABLE mine (a int)")),
    ("by making a schema", ("BEGIN READ WRITE", "CREATE SCHEMA mine")),
    ("by the kit's functions", ("BEGIN READ WRITE", "SELECT bicoastal.unfence(9)")),
    ("by the kit's inner function", ("BEGIN READ WRITE", "SELECT bicoastal.admit()")),
    ("by the kit's table", ("BEGIN READ WRITE", "UPDATE bicoastal.state SET fenced_at = NULL")),
    ("by the database's setting", ("BEGIN READ WRITE", "ALTER DATABASE app RESET default_transaction_read_only")),
)


@pytest.fixture
def migrated(primary: Postgres, home: Instance) -> Postgres:
    """A primary whose migration has granted more than it should, as bootstrap left it."""
    folder = home.folder / "root" / "app"
    folder.mkdir(parents=True)
    (folder / "migrate.py").write_text(
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['DATABASE_URL']) as session:\n"
        f"    session.execute({MIGRATION!r})\n"
    )
    home.change(application={"release_command": "python3 migrate.py"})
    assert home.answer("bootstrap")["released"] == home.settings["application"]["version"]
    return primary


def call(server: Postgres, sql: str) -> object:
    """Run one of the kit's functions as the kit."""
    return server.query(f"SELECT {sql}", "kit", PASSWORDS["kit"])[0][0]


def items(server: Postgres) -> list[object]:
    return [row[0] for row in server.query("SELECT item FROM orders ORDER BY id")]


def as_app(server: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    return server.connect("app", PASSWORDS["app"], autocommit=True)


def test_before_the_fence_the_application_reads_and_writes(migrated: Postgres) -> None:
    with as_app(migrated) as session:
        session.execute("INSERT INTO orders (item) VALUES ('second')")
        session.execute("SELECT sneak('third')")
        session.execute("CALL sneak_too('fourth')")
        session.execute("INSERT INTO sales.invoices VALUES (1)")
        assert session.execute("SELECT longest()").fetchone() == ("third",)
        assert session.execute("SELECT epoch FROM bicoastal.state").fetchone() == (1,)
    assert items(migrated) == ["first", "second", "third", "fourth"]


def test_nothing_writes_through_the_fence(migrated: Postgres) -> None:
    assert call(migrated, "bicoastal.fence(2, 'superseded')") == "fenced"
    assert call(migrated, "bicoastal.expel(1000)") == 0
    before = migrated.query("SELECT last_value, is_called FROM orders_id_seq")

    open_ways = []
    for name, statements in ATTACKS:
        with as_app(migrated) as session:
            try:
                for statement in statements:
                    session.execute(statement.encode())
                if session.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS:
                    session.execute("COMMIT")
                open_ways.append(name)
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
                pass

    assert open_ways == []
    assert items(migrated) == ["first"]
    assert migrated.query("SELECT last_value, is_called FROM orders_id_seq") == before
    with as_app(migrated) as session:
        assert session.execute("SELECT count(*) FROM orders").fetchone() == (1,)
        assert session.execute("SELECT longest()").fetchone() == ("first",)


def test_sessions_from_before_cannot_finish(migrated: Postgres) -> None:
    pending = migrated.connect("app", PASSWORDS["app"])
    pending.execute("INSERT INTO orders (item) VALUES ('pending')")
    prepared = as_app(migrated)
    prepared.execute("PREPARE add AS INSERT INTO orders (item) VALUES ('prepared')")
    group = as_app(migrated)
    group.execute("SET ROLE bicoastal_writer")
    running: list[BaseException | None] = []

    def run_long() -> None:
        try:
            with as_app(migrated) as session:
                session.execute("INSERT INTO orders (item) SELECT 'running' FROM pg_sleep(3)")
            running.append(None)
        except psycopg.Error as error:
            running.append(error)

    thread = threading.Thread(target=run_long)
    thread.start()
    wait_until(
        "the long statement runs",
        lambda: bool(migrated.query("SELECT 1 FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND usename = 'app'")),
    )

    assert call(migrated, "bicoastal.fence(1, 'test')") == "fenced"
    assert call(migrated, "bicoastal.expel(2000)") == 0

    thread.join(10)
    assert running
    assert isinstance(running[0], psycopg.Error)
    for session, statement in ((pending, "COMMIT"), (prepared, "EXECUTE add"), (group, "DELETE FROM orders")):
        with pytest.raises(psycopg.OperationalError):
            session.execute(statement.encode())
        session.close()
    assert items(migrated) == ["first"]


def test_a_session_between_fence_and_expel_is_ended_too(migrated: Postgres) -> None:
    call(migrated, "bicoastal.fence(1, 'test')")
    with as_app(migrated) as late:
        late.execute("SELECT 1")
        call(migrated, "bicoastal.expel(1000)")
        with pytest.raises(psycopg.OperationalError):
            late.execute("SELECT 1")
    with as_app(migrated) as reader:
        assert call(migrated, "bicoastal.expel(1000)") == 0
        reader.execute("SELECT 1")  # readers that came after it may stay


def test_libpq_leaves_a_fenced_primary(migrated: Postgres) -> None:
    call(migrated, "bicoastal.fence(1, 'test')")

    with pytest.raises(psycopg.OperationalError, match="session is read-only"):
        psycopg.connect(
            host="127.0.0.1",
            port=migrated.port,
            user="app",
            password=PASSWORDS["app"],
            dbname="app",
            target_session_attrs="read-write",
            sslmode="require",
        )


@pytest.mark.usefixtures("home")
def test_which_fence_replaces_which(primary: Postgres) -> None:
    cases = (
        ((1, "isolated"), (1, "isolated"), "already", "isolated"),
        ((1, "isolated"), (2, "superseded"), "fenced", "superseded"),
        ((2, "superseded"), (1, "isolated"), "already", "superseded"),
        ((2, "superseded"), (2, "superseded"), "already", "superseded"),
        ((3, "superseded"), (2, "superseded"), "already", "superseded"),
        ((2, "superseded"), (3, "superseded"), "fenced", "superseded"),
        ((1, "switchover"), (1, "isolated"), "already", "switchover"),
        ((1, "switchover"), (2, "superseded"), "fenced", "superseded"),
    )
    for number, ((first_epoch, first), (second_epoch, second), answer, reason) in enumerate(cases):
        base = 10 * number
        call(primary, f"bicoastal.unfence({base + 1})")
        assert call(primary, f"bicoastal.fence({base + first_epoch}, '{first}')") == "fenced"
        assert call(primary, f"bicoastal.fence({base + second_epoch}, '{second}')") == answer
        assert primary.query("SELECT fence_reason FROM bicoastal.state") == [(reason,)]
        assert (call(primary, f"bicoastal.lift({base + 1})") == "lifted") == (reason == "isolated")


@pytest.mark.usefixtures("home")
def test_epochs_only_rise(primary: Postgres) -> None:
    assert call(primary, "bicoastal.unfence(1)") == "unchanged"
    assert call(primary, "bicoastal.unfence(5)") == "raised"
    with pytest.raises(psycopg.Error, match="epoch 4 is below this database's own epoch 5"):
        call(primary, "bicoastal.unfence(4)")
    assert call(primary, "bicoastal.fence(4, 'superseded')") == "stale"
    assert call(primary, "bicoastal.fence(5, 'superseded')") == "stale"
    assert call(primary, "bicoastal.fence(6, 'superseded')") == "fenced"
    with pytest.raises(psycopg.Error, match="epoch 6 belongs to the database that superseded this one"):
        call(primary, "bicoastal.unfence(6)")
    assert call(primary, "bicoastal.unfence(7)") == "lifted"
    assert primary.query("SELECT epoch, fence_reason FROM bicoastal.state") == [(7, None)]


@pytest.mark.usefixtures("home")
def test_fencing_from_two_places_at_once_ends_in_one_fence(primary: Postgres) -> None:
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(call(primary, "bicoastal.fence(2, 'superseded')")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(map(str, answers)) == ["already", "already", "already", "fenced"]


def test_a_fence_is_quick_while_sessions_are_busy(migrated: Postgres) -> None:
    busy = [migrated.connect("app", PASSWORDS["app"]) for _ in range(20)]
    for number, session in enumerate(busy):
        session.execute(f"INSERT INTO orders (item) VALUES ('{number}')".encode())
    begun = time.monotonic()
    call(migrated, "bicoastal.fence(1, 'test')")
    assert call(migrated, "bicoastal.expel(2000)") == 0
    assert time.monotonic() - begun < 2
    for session in busy:
        session.close()
    assert items(migrated) == ["first"]


def test_what_the_fence_does_not_reach_holds_no_rows(migrated: Postgres) -> None:
    """As docs/kit.md says: PostgreSQL lets every role make large objects, and change what is its own."""
    call(migrated, "bicoastal.fence(1, 'test')")
    call(migrated, "bicoastal.expel(1000)")
    with as_app(migrated) as session:
        session.execute("BEGIN READ WRITE")
        session.execute("SELECT lo_from_bytea(0, 'x')")
        session.execute("ALTER ROLE app SET default_transaction_read_only = off")
        session.execute("COMMIT")
    with as_app(migrated) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("INSERT INTO orders (item) VALUES ('x')")
    assert items(migrated) == ["first"]


def test_nothing_is_acknowledged_after_expel_has_returned(migrated: Postgres) -> None:
    """Eight writers that never give up, reconnecting at once; the fence comes in the middle."""
    acknowledged: list[float] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            with contextlib.suppress(psycopg.Error), as_app(migrated) as session:
                while not stop.is_set():
                    session.execute("BEGIN READ WRITE")
                    session.execute("INSERT INTO orders (item) VALUES ('x')")
                    session.execute("COMMIT")
                    acknowledged.append(time.monotonic())

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until("all of them write", lambda: len(acknowledged) > 100)

    call(migrated, "bicoastal.fence(2, 'superseded')")
    assert call(migrated, "bicoastal.expel(2000)") == 0
    fenced = time.monotonic()
    stored = len(items(migrated))
    stays("not one row more", lambda: len(items(migrated)) == stored, 1.0)

    stop.set()
    for thread in threads:
        thread.join(10)
    assert max(acknowledged) <= fenced
    assert stored - 1 >= len(acknowledged), "what was acknowledged is there"
