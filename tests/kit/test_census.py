"""Two real databases of one origin: what they hold alike, what one of them alone has, and what cannot be compared."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.instance import PASSWORDS, Instance
from tests.support.postgres import Pair, wait_until

pytestmark = pytest.mark.postgres


@pytest.fixture
def restored(pair: Pair, home: Instance) -> Pair:
    """The replica stands for a database that was restored: of the same origin, and on its own from here on."""
    assert home.answer("status")["database"]["role"] == "primary"
    with pair.primary.connect("owner", PASSWORDS["owner"]) as owner:
        owner.execute("CREATE TABLE note (id int PRIMARY KEY, text text, at timestamptz DEFAULT now())")
        owner.execute("INSERT INTO note (id, text) SELECT n, 'note ' || n FROM generate_series(1, 50) n")
        owner.execute("CREATE TABLE gone AS SELECT 1 AS bicoastal_row")
        owner.execute("CREATE TABLE alike AS SELECT generate_series(1, 7) AS id")
        owner.execute("CREATE TABLE hidden (id int)")
        owner.execute("REVOKE SELECT ON hidden FROM bicoastal_reader")
    wait_until("the replica has them", pair.caught_up)
    pair.replica.promote()
    wait_until(
        "it stands alone", lambda: pair.replica.superuser("SELECT pg_is_in_recovery()") == [(False,)]
    )  # fmt: skip
    with pair.primary.connect("owner", PASSWORDS["owner"]) as owner:
        owner.execute("DELETE FROM note WHERE id <= 5")
        owner.execute("UPDATE note SET text = 'changed' WHERE id = 6")
        owner.execute("INSERT INTO note (id, text) VALUES (51, 'new')")
        owner.execute("DROP TABLE gone")
        owner.execute("CREATE TABLE later (id int)")
    return pair


def census(home: Instance, pair: Pair, *more: str) -> Any:
    return home.answer("census", "--host", "localhost", "--port", str(pair.replica.port), *more)


def test_tables_are_counted_and_compared(restored: Pair, home: Instance) -> None:
    said = census(home, restored)
    tables = {item["table"]: item for item in said["tables"]}
    assert (said["more"], said["of"], said["here_unknown"], said["invalid_indexes"]) == (False, 5, None, 0)
    alike = tables["public.alike"]
    assert alike["same"]
    assert alike["restored"] == alike["here"]
    assert (alike["restored"]["rows"], alike["restored_alone"], alike["here_alone"]) == (7, 0, 0)
    note = tables["public.note"]
    assert (note["restored"]["rows"], note["here"]["rows"], note["same"]) == (50, 46, False)
    assert (note["restored_alone"], note["here_alone"]) == (6, 2), "five deleted and one changed; one changed, one new"
    assert (tables["public.gone"]["restored"]["rows"], tables["public.gone"]["here"]) == (1, None)
    assert (tables["public.later"]["restored"], tables["public.later"]["here"]["rows"]) == (None, 0)
    assert tables["public.hidden"]["unreadable"] == ["restored", "here"]
    assert (tables["public.hidden"]["restored"], tables["public.hidden"]["here"]) == (None, None)
    rest = census(home, restored, "--after", "3")
    assert [item["table"] for item in rest["tables"]] == ["public.later", "public.note"]


def test_a_local_database_that_is_gone_hinders_nothing(restored: Pair, home: Instance) -> None:
    restored.primary.kill()
    said = census(home, restored)
    assert "database" in said["here_unknown"]
    tables = {item["table"]: item for item in said["tables"]}
    assert (tables["public.note"]["restored"]["rows"], tables["public.note"]["here"]) == (50, None)


def test_what_is_no_restored_database_is_refused(home: Instance) -> None:
    config = home.config.database
    refused = home.kit("census", "--host", config.host, "--port", str(config.port))
    assert refused.returncode == 1
    assert "no host of a restored database" in refused.stderr
    assert home.kit("census", "--host", "a;b").returncode == 1
    silent = home.kit("census", "--host", "localhost", "--port", "1")
    assert silent.returncode == 3
    assert "localhost:1" in silent.stderr
