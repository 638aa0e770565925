"""What is done about a group, decided from what was observed alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bicoastal.twin.fleets.balance import uneven, victims, zones_for
from bicoastal.twin.fleets.decide import decide
from bicoastal.twin.fleets.fleet import Bounds, Decision, Fleet, Member, Refresh
from bicoastal.twin.pace import REAL

A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"
NOW = 10_000.0


def member(id_: str, zone: str = A, **fields: Any) -> Member:
    return Member(id_, zone, **{"launched": 100.0, "served": 200.0, **fields})


def fleet(*members: Member, desired: int = 2, **fields: Any) -> Fleet:
    subnets = {A: ("subnet-a",), B: ("subnet-b",)}
    return Fleet(
        "us-east-1", "g", NOW, 1, desired, 0, 10, **{"subnets": subnets, "version": "1", "members": members, **fields}
    )


def decided(what: Fleet) -> list[tuple[str, str]]:
    return [(action["do"], action.get("id", action.get("zone", ""))) for action in decide(what, REAL).actions]


TWO = (member("i-1", A), member("i-2", B))


def test_nothing_is_done_about_a_fleet_that_is_as_it_should_be() -> None:
    assert decide(fleet(*TWO), REAL) == Decision()


def test_what_is_missing_is_launched_where_fewest_are() -> None:
    assert decided(fleet(desired=3)) == [("launch", A), ("launch", B), ("launch", A)]
    assert decided(fleet(member("i-1", A), desired=3)) == [("launch", B), ("launch", A)]


def test_what_runs_comes_into_service() -> None:
    assert decided(fleet(TWO[0], member("i-2", B, state="Pending"))) == [("serve", "i-2")]
    assert decided(fleet(TWO[0], member("i-2", B, state="Pending", ec2="pending"))) == []


def test_what_terminates_drains_then_ends_then_is_forgotten() -> None:
    going = member("i-3", state="Terminating", drained_from=NOW - 10)
    waiting = decide(fleet(*TWO, going, drain_s=30), REAL)
    assert (waiting.actions, waiting.due) == ((), NOW + 20)
    assert decided(fleet(*TWO, going, drain_s=10)) == [("terminate", "i-3")]
    assert decided(fleet(*TWO, replace(going, ec2="shutting-down"), drain_s=30)) == []
    assert decided(fleet(*TWO, replace(going, ec2="terminated"), drain_s=30)) == [("forget", "i-3")]


def test_a_balancer_says_when_a_target_has_drained() -> None:
    going = member("i-3", state="Terminating", drained_from=NOW - 10, target="draining")
    assert decided(fleet(*TWO, going, drain_s=30, drains_by_balancer=True)) == []
    assert decided(fleet(*TWO, replace(going, target=""), drain_s=30, drains_by_balancer=True)) == [
        ("terminate", "i-3")
    ]


def test_an_unhealthy_target_counts_after_the_grace_period() -> None:
    sick = member("i-1", served=NOW - 100, target="unhealthy")
    early = decide(fleet(sick, TWO[1], uses_balancer_health=True, grace_s=600), REAL)
    assert (early.actions, early.due) == ((), NOW + 500)
    assert decided(fleet(sick, TWO[1], uses_balancer_health=True, grace_s=100)) == [("unhealthy", "i-1")]
    assert decided(fleet(sick, TWO[1])) == []


@pytest.mark.parametrize("process", ["HealthCheck", "ReplaceUnhealthy", "Terminate"])
def test_a_suspended_process_keeps_the_unhealthy(process: str) -> None:
    stages = {
        "HealthCheck": fleet(member("i-1", ec2="stopped"), TWO[1]),
        "ReplaceUnhealthy": fleet(member("i-1", healthy=False), TWO[1]),
        "Terminate": fleet(member("i-1", healthy=False, leaving="unhealthy"), TWO[1]),
    }
    assert decided(stages[process]) != []
    assert decided(replace(stages[process], suspended=frozenset({process}))) == []


def test_an_unhealthy_member_goes_first_or_last_as_the_maintenance_policy_says() -> None:
    sick = member("i-1", healthy=False, leaving="unhealthy")
    assert decided(fleet(sick, TWO[1])) == [("retire", "i-1")]
    first = fleet(sick, TWO[1], maintenance=(100.0, 150.0), warmup_s=60)
    assert decided(first) == [("launch", A)]
    fresh = member("i-3", served=NOW - 10)
    warming = decide(replace(first, members=(sick, TWO[1], fresh)), REAL)
    assert (warming.actions, warming.due) == ((), NOW + 50)
    assert decided(replace(first, members=(sick, TWO[1], replace(fresh, served=NOW - 60)))) == [("retire", "i-1")]


def test_a_dead_member_waits_for_nobody() -> None:
    dead = member("i-1", healthy=False, leaving="unhealthy", ec2="terminated")
    assert ("retire", "i-1") in decided(fleet(dead, TWO[1], maintenance=(100.0, 150.0)))


@pytest.mark.parametrize(
    ("desired", "least", "most", "bounds"),
    [
        (2, 100, 150, Bounds(2, 3)),
        (2, 90, 100, Bounds(1, 2)),
        (10, 90, 100, Bounds(9, 10)),
        (10, 50, 120, Bounds(5, 12)),
        (1, 100, 110, Bounds(1, 2)),
        (1, 100, 100, Bounds(0, 1)),
        (0, 100, 150, Bounds(0, 0)),
    ],
)
def test_bounds(desired: int, least: float, most: float, bounds: Bounds) -> None:
    assert Bounds.of(desired, least, most) == bounds


def refresh(**fields: Any) -> Refresh:
    return Refresh(
        **{"id": "r", "started": 1000.0, "total": 2, "left": 2, "percent": 0, "progressed": NOW - 1, **fields}
    )


def test_a_refresh_marks_what_is_obsolete_once() -> None:
    new = member("i-2", B, version="2")
    started = fleet(TWO[0], new, version="2", refresh=refresh(total=-1, skip_matching=True))
    assert decided(started) == [("leave", "i-1"), ("refresh", "")]
    assert decided(replace(started, refresh=refresh(total=-1))) == [("leave", "i-1"), ("leave", "i-2"), ("refresh", "")]
    assert decided(replace(started, suspended=frozenset({"InstanceRefresh"}))) == []


def test_a_refresh_rolls_within_its_bounds_and_ends() -> None:
    old = (member("i-1", A, leaving="refresh"), member("i-2", B, leaving="refresh"))
    one_down = fleet(*old, refresh=refresh(warmup_s=60))
    assert decided(one_down) == [("retire", "i-1")]
    one_more = fleet(*old, refresh=refresh(warmup_s=60, least_percent=100.0, most_percent=150.0))
    assert decided(one_more) == [("launch", A)]
    new = member("i-3", A, launched=2000.0, served=NOW - 60)
    assert decided(replace(one_more, members=(*old, replace(new, served=NOW - 1)))) == []
    assert decided(replace(one_more, members=(*old, new))) == [("refresh", "")]
    half = refresh(warmup_s=60, least_percent=100.0, most_percent=150.0, left=1)
    assert decided(replace(one_more, members=(*old, new), refresh=half)) == [("retire", "i-1")]
    done = decide(replace(one_more, members=(new, replace(new, id="i-4", zone=B)), refresh=half), REAL)
    assert [dict(action) for action in done.actions] == [
        {"do": "refresh", "status": "Successful", "left": 0, "percent": 100}
    ]


def test_a_refresh_waits_for_what_the_balancer_says_of_a_new_one() -> None:
    old = (member("i-1", A, leaving="refresh"), member("i-2", B, leaving="refresh"))
    new = member("i-3", A, launched=NOW - 100, served=NOW - 90, target="unhealthy")
    rolling = refresh(warmup_s=60, least_percent=100.0, most_percent=150.0)
    boots = fleet(*old, new, refresh=rolling, uses_balancer_health=True, grace_s=600)
    assert decided(boots) == []
    assert decided(replace(boots, uses_balancer_health=False)) == [("refresh", "")]
    serves = replace(boots, members=(*old, replace(new, target="healthy")))
    assert decided(serves) == [("refresh", "")]
    assert decided(replace(serves, refresh=replace(rolling, left=1))) == [("retire", "i-1")]


def test_a_refresh_that_replaces_nothing_fails() -> None:
    old = (member("i-1", A, leaving="refresh"),)
    stuck = fleet(*old, member("i-3", B, launched=2000.0, state="Pending", ec2="pending"), failures=3, failed_at=NOW)
    found = decide(replace(stuck, refresh=refresh(progressed=NOW - 3600)), REAL)
    assert found.actions[0]["status"] == "Failed"


def test_zones_that_are_uneven_by_two_are_rebalanced_when_nothing_else_happens() -> None:
    crowded = (member("i-1", A), member("i-2", A, launched=50.0))
    assert decided(fleet(*crowded)) == [("leave", "i-2")]
    assert decided(fleet(*crowded, suspended=frozenset({"AZRebalance"}))) == []
    moving = fleet(crowded[0], replace(crowded[1], leaving="rebalance"))
    assert decided(moving) == [("launch", B)]
    elsewhere = fleet(TWO[0], member("i-9", C))
    assert uneven(elsewhere, elsewhere.members) == elsewhere.members[1]


def test_scale_in_takes_from_the_fullest_zone_the_oldest_version_then_the_oldest_instance() -> None:
    members = (
        member("i-1", A, launched=1.0, version="2"),
        member("i-2", A, launched=2.0, version="1"),
        member("i-3", A, launched=3.0, version="1"),
        member("i-4", B, launched=0.0, version="1"),
    )
    group = fleet(*members, version="2")
    assert [one.id for one in victims(group, members, 3)] == ["i-2", "i-3", "i-4"]
    newest = replace(group, termination=("NewestInstance",))
    assert [one.id for one in victims(newest, members, 1)] == ["i-3"]
    kept = tuple(replace(one, protected=True) for one in members)
    assert victims(group, kept, 2) == []


def test_after_a_failed_launch_one_is_tried_at_a_time_elsewhere_and_later() -> None:
    failed = fleet(failures=2, failed_at=NOW - 5, failed_zone=A)
    waiting = decide(failed, REAL)
    assert (waiting.actions, waiting.due) == ((), NOW + 15)
    assert decided(replace(failed, failed_at=NOW - 20)) == [("launch", B)]
    assert zones_for(failed, (), 2) == [B, B]


def test_the_answer_of_the_control_plane_is_read_as_it_is() -> None:
    data: Mapping[str, Any] = {
        "name": "g", "seen": 1, "desired": 1, "minimum": 0, "maximum": 2, "subnets": {A: ["s"]}, "template": "lt",
        "version": "1", "members": [{"id": "i-1", "zone": A}], "maintenance": [100.0, 150.0], "suspended": ["Launch"],
        "termination": ["Default"], "metrics": [], "refresh": None,
    }  # fmt: skip
    read = Fleet.read("us-east-1", NOW, data)
    assert (read.subnets, read.maintenance, read.runs("Launch")) == ({A: ("s",)}, (100.0, 150.0), False)
