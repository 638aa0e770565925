"""What may be asked of a console: of a twin's, everything; of AWS's, two operations behind a name that is typed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bicoastal.console.feed import KEPT, Feed
from bicoastal.operate.watch.events import Event
from tests.console.served import EAST, WEST, Served, served
from tests.support.running import until


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("twin")) as made:
        yield made


@pytest.fixture(scope="module")
def on_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("aws"), twin=False) as made:
        yield made


def test_a_region_is_taken_away_and_given_back_and_both_are_told(console: Served) -> None:
    assert console.ask("POST", "/api/fault", {"kind": "lose-region", "region": EAST, "how": "black-hole"}).status == 202
    assert console.ask("POST", "/api/fault", {"kind": "return-region", "region": EAST}).status == 202
    assert console.taken.asked == [("lose", EAST, "black-hole"), ("recover", EAST)]
    texts = [event["text"] for event in console.feed.events]
    assert texts == [f"by hand: {EAST} is lost (black-hole)", f"by hand: {EAST} is there again"]
    assert '"faults":{"lost":{}' in "".join(console.messages('"faults"'))


def test_what_makes_no_sense_is_refused_with_its_reason(console: Served) -> None:
    ask = console.ask
    assert "no way to be lost" in ask("POST", "/api/fault", {"kind": "lose-region", "region": EAST, "how": "x"}).error
    assert "no region" in ask("POST", "/api/fault", {"kind": "lose-region", "region": "eu-1", "how": "refuse"}).error
    assert "'region' is missing" in ask("POST", "/api/fault", {"kind": "lose-region"}).error
    assert "is no operation" in ask("POST", "/api/operation", {"verb": "explode"}).error
    assert "is none of" in ask("POST", "/api/operation", {"verb": "failover", "region": "eu-1"}).error
    assert "no operation runs" in ask("POST", "/api/operation/stop", {}).error
    assert "is no drill" in ask("POST", "/api/drill", {"name": "moon-loss"}).error


def test_on_aws_nothing_is_taken_away(on_aws: Served) -> None:
    answer = on_aws.ask("POST", "/api/fault", {"kind": "lose-region", "region": EAST, "how": "refuse"})
    assert answer.status == 409
    assert on_aws.taken.asked == []


@pytest.mark.parametrize("typed", ["", "orders", "ORDERS-PRODUCTION", "orders-production "])
def test_on_aws_an_operation_is_confirmed_by_the_deployments_name(on_aws: Served, typed: str) -> None:
    for verb in ("failover", "switchover"):
        answer = on_aws.ask("POST", "/api/operation", {"verb": verb, "region": WEST, "typed": typed})
        assert answer.status == 409
        assert "typing the deployment's name" in answer.error


def test_on_aws_nothing_else_is_started_and_no_guard_is_overridden(on_aws: Served) -> None:
    name = {"typed": "orders-production", "region": WEST}
    assert "not started from here" in on_aws.ask("POST", "/api/operation", {"verb": "rejoin", **name}).error
    answer = on_aws.ask("POST", "/api/operation", {"verb": "failover", "reason": "because", **name})
    assert "not overridden from here" in answer.error


def test_an_operation_is_the_command_itself_and_what_it_says_is_told(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        (tmp_path / "bicoastal.yaml").write_text("name: [\n")
        assert console.ask("POST", "/api/operation", {"verb": "failover", "region": WEST}).status == 202
        said = "".join(console.messages('"code":2'))
    assert "bicoastal failover --to us-west-2" in said
    assert "bicoastal.yaml" in said
    assert "close the read gate" in said


def test_who_looked_while_it_ended_does_not_say_that_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int | None] = []
    put = Feed.put

    def slowly(feed: Feed, section: str, data: Any) -> None:
        if section == "operation":
            time.sleep(0.6 if data["code"] is None else 0)
            told.append(data["code"])
        put(feed, section, data)

    monkeypatch.setattr(Feed, "put", slowly)
    with served(tmp_path) as console:
        (tmp_path / "bicoastal.yaml").write_text("name: [\n")
        for _ in range(2):
            before = len(told)
            assert console.ask("POST", "/api/operation", {"verb": "failover", "region": WEST}).status == 202
            until("its end is told", lambda before=before: 2 in told[before:])  # type: ignore[misc]
            time.sleep(1)  # for whoever would still speak
            assert told[before:].index(2) == len(told[before:]) - 1, told[before:]


def test_who_comes_late_is_told_what_is_and_what_happened(console: Served) -> None:
    console.feed.put("coast/us-east-1", {"region": EAST, "answered": True})
    console.feed.happened(Event("bad", "something fell", EAST))
    said = console.messages("something fell")
    assert any('"coast/us-east-1":{"region":"us-east-1"' in line for line in said)
    assert any('"about":{"name":"orders-production"' in line for line in said)


def test_who_comes_back_is_told_what_he_missed_and_nothing_twice(console: Served) -> None:
    console.feed.happened(Event("note", "the first", ""))
    known = next(line for line in reversed(console.messages("the first")) if line.startswith("id: "))
    console.feed.happened(Event("note", "the second", ""))
    said = "".join(console.messages("the second", last_event_id=known.removeprefix("id: ")))
    assert "the first" not in said
    # What another server has numbered is nothing to count by.
    said = "".join(console.messages("the second", last_event_id="00000000-9999"))
    assert "the first" in said


def test_a_thousand_events_are_kept_and_no_more(tmp_path: Path) -> None:
    with served(tmp_path) as console:
        for number in range(KEPT + 50):
            console.feed.happened(Event("note", f"number {number}.", ""))
        assert len(console.feed.events) == KEPT
        said = "".join(console.messages(f"number {KEPT + 49}."))
    assert "number 49." not in said
    assert "number 50." in said
    assert "number 500." in said


def test_looking_begins_with_the_first_page_and_ends_after_the_last(tmp_path: Path) -> None:
    calls: list[str] = []
    with served(tmp_path) as console:
        console.feed.attend(lambda: calls.append("begins"), lambda: calls.append("ends"))
        console.messages("tick")
        end = time.monotonic() + 15
        while calls != ["begins", "ends"]:
            assert time.monotonic() < end, f"it did not come about within 15 s: {calls}"
            time.sleep(0.05)
        assert not console.feed.watched
