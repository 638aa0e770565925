"""Figures over recorded ledgers: when users were served again, what was lost, what they saw."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bicoastal.drill.ledger import GATE, READ, WRITE, Entry
from bicoastal.drill.measure import (
    READS,
    WRITES,
    errors_per_second,
    forgotten,
    heartbeat_ages,
    invented,
    longest_wait,
    loss,
    moved,
    recovery,
    seen,
    settled,
)
from tests.drill.entries import EAST, WEST, listed, read, write


def test_served_again_is_the_first_answer_after_the_last_failure() -> None:
    ledger = [read(99), read(101, "reset"), read(102, "refused"), read(105, region=WEST), read(106, region=WEST)]
    assert recovery(ledger, READS, 100).seconds == 5
    assert recovery([*ledger, read(107, "timed out"), read(109)], READS, 100).seconds == 9
    assert recovery([*ledger, read(107, "timed out"), read(109)], READS, 100, until=106.5).seconds == 5


def test_the_slowest_user_of_any_coast_counts() -> None:
    ledger = [
        read(101, "refused"), read(104),
        read(101, "refused", user="another"), read(108, user="another"),
        read(101, coast=WEST), read(102, coast=WEST),
    ]  # fmt: skip
    found = recovery(ledger, READS, 100)
    assert found.seconds == 8
    assert found.slowest == "another"
    assert found.by_coast == {EAST: 8, WEST: 0}


def test_who_is_never_served_again_is_unknown_and_not_zero() -> None:
    found = recovery([read(101, "refused"), read(101, coast=WEST)], READS, 100)
    assert found.seconds is None
    assert found.by_coast == {EAST: None, WEST: 0}
    assert recovery([], READS, 100).seconds is None, "nobody asked"


def test_the_drain_can_be_told_from_the_loss() -> None:
    ledger = [read(101, "refused"), read(104, GATE), read(109, GATE), read(110, region=WEST)]
    assert recovery(ledger, READS, 100).seconds == 10
    assert recovery(ledger, READS, 100, drained=False).seconds == 4


def test_a_user_who_does_not_follow_dns_says_nothing_of_recovery() -> None:
    ledger = [write(101, "a", "refused"), write(103, "a"), write(190, "b", "refused", user="p", pinned=True)]
    assert recovery(ledger, WRITES, 100).seconds == 3


served = st.tuples(st.floats(100.1, 200), st.booleans(), st.sampled_from([EAST, WEST]))


@given(st.lists(served, max_size=40, unique_by=lambda attempt: (attempt[0], attempt[2])))
def test_after_the_recovery_nothing_failed(attempts: list[tuple[float, bool, str]]) -> None:
    ledger = sorted(
        (read(at, "" if ok else "reset", coast=coast) for at, ok, coast in attempts), key=lambda entry: entry.ended
    )
    found = recovery(ledger, READS, 100).seconds
    if found is None:
        last = {entry.coast: entry for entry in ledger}
        assert not ledger or any(not entry.served for entry in last.values())
    else:
        assert all(entry.served for entry in ledger if entry.ended - 100 > found)


def test_what_was_lost_is_what_was_acknowledged_and_is_not_there() -> None:
    ledger = [
        write(98, "kept"),
        write(99.95, "under way"),
        write(101, "later", "reset"),
        write(105, "later", region=WEST),
    ]
    found = loss(
        ledger,
        lost_region=EAST,
        fault=100,
        returned=None,
        counted=200,
        survivor={"kept", "later", "of somebody else"},
        stale=None,
    )
    assert found.acknowledged == 3
    assert found.lost == ("under way",)
    assert found.oldest_lost_s == pytest.approx(0.05)
    assert found.lost_after == 0
    assert found.diverged is None, "the lost region could not be asked"
    assert found.accepted_before_fence is None, "it did not return"


def test_an_answer_that_was_under_way_at_the_fault_is_no_loss_from_after_it() -> None:
    found = loss(
        [write(100.02, "a", ms=40)], lost_region=EAST, fault=100, returned=None, counted=200, survivor=(), stale=None
    )
    assert found.lost == ("a",)
    assert found.lost_after == 0
    assert found.oldest_lost_s == 0


def test_rows_of_a_returned_primary_are_counted_and_who_sent_them() -> None:
    ledger = [
        write(99.9, "in flight"),
        write(151, "pinned", user="p", pinned=True),
        write(152, "passed on"),
        write(153, "follower"),
    ]
    found = loss(
        ledger,
        lost_region=EAST,
        fault=100,
        returned=150,
        counted=200,
        survivor={"passed on"},
        stale={"in flight", "pinned", "follower", "nobody was told"},
    )
    assert found.accepted_before_fence == ("pinned", "follower")
    assert found.accepted_from_followers == 1
    assert found.diverged == ("follower", "in flight", "nobody was told", "pinned")


def test_what_is_acknowledged_after_the_count_is_not_called_lost() -> None:
    found = loss([write(300, "late")], lost_region=EAST, fault=100, returned=None, counted=200, survivor=(), stale=None)
    assert (found.acknowledged, found.lost) == (0, ())


keys = st.sampled_from([f"row {number}" for number in range(8)])


@given(st.lists(st.tuples(st.floats(0, 100), keys, st.booleans()), max_size=30), st.sets(keys), st.sets(keys))
def test_lost_rows_are_acknowledged_and_absent_and_diverged_ones_are_there_alone(
    attempts: list[tuple[float, str, bool]], survivor: set[str], stale: set[str]
) -> None:
    ledger = [write(at, key, "" if ok else "reset") for at, key, ok in attempts]
    found = loss(ledger, lost_region=EAST, fault=50, returned=60, counted=1000, survivor=survivor, stale=stale)
    acknowledged = {key for _, key, ok in attempts if ok}
    assert set(found.lost) == acknowledged - survivor
    assert found.acknowledged == len(acknowledged)
    assert set(found.diverged or ()) == stale - survivor
    assert set(found.accepted_before_fence or ()) <= set(found.lost)


def test_a_steady_state_needs_every_coast_for_the_whole_time() -> None:
    both = [read(float(at), coast=coast) for at in range(90, 100) for coast in (EAST, WEST)]
    assert settled(both, READS, (EAST, WEST), 99.5, 3)
    assert not settled(both, READS, (EAST, WEST), 92, 3), "they have not asked for so long yet"
    assert not settled([*both, read(99.2, "reset")], READS, (EAST, WEST), 99.5, 3)
    assert not settled([entry for entry in both if entry.coast == EAST], READS, (EAST, WEST), 99.5, 3)


def test_seconds_hold_what_was_seen_in_them() -> None:
    ledger = [read(100.1), read(100.9, "reset"), read(102.5, "refused"), read(99.9), write(100.2, "a", pinned=True)]
    assert errors_per_second(ledger, 100, 103) == [{"ok": 1, "reset": 1}, {}, {"refused": 1}]
    assert seen(ledger, 100, 103) == {"reads": {"ok": 1, "reset": 1, "refused": 1}}


@given(st.lists(st.tuples(st.floats(90, 120), st.sampled_from(["", "reset", "503"])), max_size=50))
def test_every_attempt_within_is_in_one_second(attempts: list[tuple[float, str]]) -> None:
    ledger = [read(at, error) for at, error in attempts]
    counted = sum(count for one in errors_per_second(ledger, 100, 110) for count in one.values())
    assert counted == sum(100 <= at < 110 for at, _ in attempts)


def test_users_have_moved_when_the_last_one_was_answered_there() -> None:
    ledger = [read(105, region=WEST), read(101, user="b"), read(109, user="b", region=WEST)]
    assert moved(ledger, EAST, WEST, 100) == 9
    assert moved(ledger[:2], EAST, WEST, 100) is None


def test_the_heartbeats_age_is_what_was_read_there_shortly_before() -> None:
    def seen_lag(at: float, lag: float | None, region: str) -> Entry:
        return replace(read(at, coast=WEST, region=region), lag_s=lag)

    ledger = [seen_lag(98, 9.0, WEST), seen_lag(99.4, 0.2, WEST), seen_lag(99.8, 0.4, WEST), seen_lag(99.9, 0.9, EAST)]
    assert heartbeat_ages([*ledger, seen_lag(99.9, None, WEST)], WEST, 100, 1) == [0.2, 0.4]
    assert heartbeat_ages(ledger, WEST, 50, 1) == []


def test_kinds_are_those_of_the_ledger() -> None:
    assert READ in READS
    assert {WRITE} == WRITES


def test_a_row_that_nobody_wrote_is_invented() -> None:
    entries = [write(1.0, "a"), write(3.0, "b"), listed(2.0, ("a", 1.0), ("b", 1.5), ("old", 0.1), ("ghost", 0.2))]
    assert invented(entries, entries, {"old"}) == ["b", "ghost"], "b was sent after the list had ended"


def test_a_row_that_was_shown_and_is_missing_is_forgotten() -> None:
    lists = [listed(1.0, ("b", 0.9), ("a", 0.5)), listed(2.0, ("b", 0.9))]
    assert [lack.id for lack in forgotten(lists, ())] == ["a"]
    assert [lack.id for lack in forgotten(lists, {"a"})] == [], "it is counted as lost"


def test_a_row_may_leave_a_full_list_for_newer_ones_alone() -> None:
    before = listed(1.0, ("b", 0.9), ("a", 0.5), full=True)
    assert [lack.id for lack in forgotten([before, listed(2.0, ("c", 1.5), ("b", 0.9), full=True)], ())] == []
    assert [lack.id for lack in forgotten([before, listed(2.0, ("c", 1.5), ("a", 0.5), full=True)], ())] == ["b"]


def test_lists_of_another_region_or_role_or_at_the_same_time_are_not_compared() -> None:
    before = listed(1.0, ("a", 0.5))
    assert [lack.id for lack in forgotten([before, listed(2.0, region=WEST)], ())] == []
    assert [lack.id for lack in forgotten([before, listed(2.0, replica=True)], ())] == []
    assert [lack.id for lack in forgotten([before, listed(1.005)], ())] == []


def test_the_longest_wait_is_between_two_answers_or_up_to_the_end() -> None:
    def longest(*entries: Entry, until: float = 20.0) -> tuple[float | None, str]:
        found = longest_wait(entries, READS, EAST, 10.0, until)
        return found.seconds, found.user

    name = f"reader near {EAST}"
    assert longest() == (None, "")
    assert longest(read(11), read(14), read(14.5, "503"), read(19)) == (5.0, name)
    assert longest(read(18)) == (8.0, name), "from the beginning"
    assert longest(read(11), read(12, "503")) == (9.0, name), "he is not served any more"
    assert longest(read(9), read(25)) == (None, ""), "he asked before, and after"
    other = read(19, user="another")
    assert longest(*(read(10 + second) for second in range(10)), other) == (9.0, "another")
    assert longest(read(15, coast=WEST), write(15, "a")) == (None, "")
