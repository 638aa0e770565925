"""What an operation asks of the kit, on real servers: a fence that travels, and rows that did not."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit.conftest import Launch
from tests.support.instance import PASSWORDS, Instance
from tests.support.postgres import Pair, wait_until

pytestmark = pytest.mark.postgres


def test_a_fence_tells_that_the_replica_has_it_and_the_successor_lifts_it(
    pair: Pair, home: Instance, launch: Launch
) -> None:
    """The successor lifts it with the epoch that it names; who was superseded may not."""
    away = launch(pair.replica, region="us-west-2")
    said = home.answer("fence", "--epoch", "2", "--reason", "superseded")
    assert (said["fenced"], said["received"]) == (True, True)
    refused = home.kit("unfence", "--epoch", "2")
    assert refused.returncode == 1
    assert "belongs to the database that superseded this one" in refused.stderr

    pair.replica.promote()

    wait_until("it is a primary", lambda: away.answer("status")["database"]["role"] == "primary")
    assert away.answer("status")["database"]["fence"]["epoch"] == 2
    said = away.answer("unfence", "--epoch", "2")
    assert (said["writes"], said["change"], said["epoch"]) == (True, "lifted", 2)


def test_an_operator_does_not_wait_for_secrets_that_are_here(home: Instance) -> None:
    """The daemon keeps its own password, the application has its environment; what is refused is asked for anew."""
    home.witness.say(1)
    home.start()
    home.answer("environment")
    wait_until("the daemon has signed in", lambda: "this instance writes the heartbeat" in home.journal)
    asked = len(home.aws.calls)

    home.answer("fence", "--epoch", "2", "--reason", "a test")
    assert home.answer("unfence", "--epoch", "3")["writes"] is True
    assert home.answer("status")["database"]["epoch"] == 3
    assert home.aws.calls[asked:] == []

    home.stop()
    (home.folder / "state" / "credential.json").write_text('{"username": "kit", "password": "an earlier one"}')
    environment = home.folder / "root" / "etc" / "application.env"
    environment.write_text(environment.read_text().replace(PASSWORDS["app"], "an-earlier-one"))
    assert home.answer("probe")["writes"] is True
    assert home.answer("status")["database"]["role"] == "primary"
    assert [call.split()[3] for call in home.aws.calls[asked:]] == ["app", "kit"]


def test_a_replica_is_unfenced_as_soon_as_it_is_promoted_and_no_other(
    pair: Pair, home: Instance, launch: Launch
) -> None:
    away = launch(pair.replica, region="us-west-2")
    home.answer("fence", "--epoch", "2", "--reason", "a test")
    refused = away.kit("unfence", "--epoch", "2")
    assert (refused.returncode, "is a replica" in refused.stderr) == (1, True)
    sessions = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
    before = pair.replica.query(sessions)[0][0]
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(away.answer, "unfence", "--epoch", "2")
        # The count contains the looks of this test itself.
        looks = itertools.count(2)
        wait_until("the kit has looked", lambda: pair.replica.query(sessions)[0][0] > before + next(looks))
        pair.replica.promote()
        assert asked.result(30)["writes"] is True


def test_rows_that_only_the_former_primary_has(pair: Pair, home: Instance, launch: Launch) -> None:
    away = launch(pair.replica, region="us-west-2")
    with pair.primary.connect("owner", PASSWORDS["owner"]) as owner:
        owner.execute("CREATE TABLE note (id int PRIMARY KEY, text text)")
        owner.execute("INSERT INTO note VALUES (1, 'on both'), (2, 'changed later'), (3, 'deleted later')")
    wait_until("the replica has them", pair.caught_up)
    snapshot = away.answer("status")["database"]["snapshot"]
    pair.replica.promote()

    with pair.primary.connect("app", PASSWORDS["app"]) as app:
        app.execute("INSERT INTO note VALUES (4, 'here alone')")
        app.execute("UPDATE note SET text = 'changed here' WHERE id = 2")
        app.execute("DELETE FROM note WHERE id = 3")

    said = home.answer("diverged", "--snapshot", snapshot)
    assert {item["row"]["id"]: item["row"]["text"] for item in said["rows"]} == {4: "here alone", 2: "changed here"}
    assert {item["table"] for item in said["rows"]} == {"public.note"}
    assert (said["more"], said["next"], said["unreadable"]) == (False, 2, [])
    assert home.answer("diverged", "--snapshot", snapshot, "--after", "1")["rows"] == said["rows"][1:]
    assert home.kit("diverged", "--snapshot", "1; DROP TABLE note").returncode == 1
