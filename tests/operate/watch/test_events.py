"""What has happened between two looks, in sentences."""

from __future__ import annotations

from dataclasses import replace

from bicoastal.operate.sight import Fleet
from bicoastal.operate.standing import Standing
from bicoastal.operate.watch.checks import Check
from bicoastal.operate.watch.coast import Alarm, Coast, Database, Host
from bicoastal.operate.watch.events import of_checks, of_coast, of_standing, of_users

EAST, WEST = "us-east-1", "us-west-2"
HOST = Host("i-1", "us-west-2a", "running", "InService", "healthy", "", "", {})
DATABASE = Database(
    "orders-production-db-g1", "available", "arn", "us-west-2a", "us-west-2b", True, "replicating", True, {}
)
ALARM = Alarm("orders-production-fenced", "OK", True, "", 1.0)
COAST = Coast(
    WEST, True, "", 1.0, switch="off", gate="open", fleet=Fleet("f", 2, 2, 6, ("i-1",)), hosts=[HOST],
    databases=[DATABASE], alarms=[ALARM],
)  # fmt: skip


def told(now: Coast, before: Coast | None = COAST) -> list[tuple[str, str]]:
    return [(event.kind, event.text) for event in of_coast(before, now, "orders-production")]


def test_the_first_look_and_one_that_is_the_same_tell_nothing() -> None:
    assert told(COAST, None) == []
    assert told(replace(COAST, at=9.0)) == []


def test_a_region_that_goes_silent_tells_nothing_else_and_is_told_when_it_comes_back() -> None:
    silent = replace(COAST, answered=False, why="refused", hosts=[])
    assert told(silent) == [("bad", "the AWS API does not answer: refused")]
    assert told(COAST, silent)[0] == ("good", "the AWS API answers again")


def test_a_promotion_is_told() -> None:
    now = replace(COAST, switch="on:2;", gate="closed", databases=[replace(DATABASE, source="", status="modifying")])
    assert told(now) == [
        ("note", "the read gate is closed"),
        ("note", "the switch says on:2;"),
        ("note", "database db-g1 is modifying"),
        ("note", "database db-g1 follows nobody any more: it is promoted"),
    ]


def test_instances_come_fail_open_and_go() -> None:
    new = replace(HOST, id="i-2", target="initial")
    sick = replace(HOST, target="unhealthy", why="Request timed out", emergency="execution")
    assert told(replace(COAST, hosts=[sick, new], fleet=Fleet("f", 2, 3, 6, ("i-1",)))) == [
        ("note", "the fleet shall have 3 instances, not 2"),
        ("bad", "i-1 is unhealthy: Request timed out"),
        ("bad", "emergency access to i-1 is open"),
        ("note", "i-2 is launched in us-west-2a"),
    ]
    assert told(replace(COAST, hosts=[])) == [("note", "i-1 is gone")]


def test_databases_move_stop_following_are_made_and_deleted() -> None:
    moved = replace(DATABASE, zone="us-west-2b", replication="error")
    assert told(replace(COAST, databases=[moved, replace(DATABASE, id="orders-production-db-g2")])) == [
        ("note", "database db-g1 writes in us-west-2b now, not in us-west-2a"),
        ("bad", "replication of db-g1: error"),
        ("note", "database db-g2 is being made"),
    ]
    assert told(replace(COAST, databases=[])) == [("note", "database db-g1 is deleted")]


def test_an_alarm_that_calls_people_is_bad_and_one_that_scales_is_a_note() -> None:
    scaling = Alarm("orders-production-scale-out", "OK", False, "", 1.0)
    before = replace(COAST, alarms=[ALARM, scaling])
    now = replace(COAST, alarms=[replace(ALARM, state="ALARM"), replace(scaling, state="ALARM")])
    assert told(now, before) == [("bad", "alarm fenced"), ("note", "alarm scale-out")]
    assert told(before, now) == [("good", "alarm fenced is over"), ("note", "alarm scale-out is over")]


def test_checks_that_change_their_mind_and_not_those_that_become_known() -> None:
    def check(healthy: bool | None) -> list[Check]:
        return [Check("HomeEndpoint", "endpoint", healthy, (1, 3) if healthy is not None else None, None, False, "/")]

    assert [event.text for event in of_checks(check(True), check(False))] == [
        "health check HomeEndpoint is unhealthy, 1 of 3 votes"
    ]
    assert list(of_checks(check(None), check(True))) == list(of_checks(check(True), None)) == []


def test_users_that_are_sent_elsewhere_and_home_again() -> None:
    def texts(before: dict[str, str | None], now: dict[str, str | None]) -> list[tuple[str, str]]:
        return [(event.kind, event.text) for event in of_users(before, now)]

    assert texts({EAST: EAST}, {EAST: WEST}) == [("note", "users near us-east-1 are sent to us-west-2")]
    assert texts({EAST: WEST}, {EAST: EAST}) == [("good", "users near us-east-1 are sent to us-east-1")]
    assert texts({EAST: EAST}, {EAST: None}) == []


def test_the_standing() -> None:
    before = Standing({}, EAST, True)
    found = [(event.kind, event.text) for event in of_standing(before, Standing({}, WEST, False, ("alone",)))]
    assert found == [("note", "the primary is in us-west-2"), ("bad", "unprotected: alone")]
    assert next(iter(of_standing(before, Standing({}, "", False)))).text == "which region has the primary is not clear"
