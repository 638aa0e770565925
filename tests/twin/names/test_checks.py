"""What probes make of a check: thresholds both ways, the share of checkers, inversion, children, missing data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bicoastal.twin.names.checks import Check, Opinion, alarm_health, endpoint_health, statuses


def check(id_: str, kind: str = "HTTPS", **more: object) -> Check:
    return replace(Check(id_, 1, kind), **more)  # type: ignore[arg-type]


def test_a_checker_changes_its_mind_after_as_many_in_a_row_as_the_threshold_in_both_directions() -> None:
    opinion = Opinion(True)
    seen = []
    for success in (False, False, True, False, False, False, True, True, False, True, True, True):
        opinion.see(success, 3)
        seen.append(opinion.healthy)
    assert seen == [True] * 5 + [False] * 6 + [True]


@pytest.mark.parametrize(
    ("healthy", "of", "expected"), [(0, 3, False), (1, 3, True), (18, 100, False), (19, 100, True)]
)
def test_an_endpoint_is_healthy_while_more_than_18_percent_of_the_checkers_say_so(
    healthy: int, of: int, expected: bool
) -> None:
    assert endpoint_health([Opinion(True)] * healthy + [Opinion(False)] * (of - healthy)) is expected


def test_new_checks_are_healthy_inverted_ones_unhealthy_and_disabled_ones_healthy_whatever_they_saw() -> None:
    checks = [
        check("new"),
        check("inverted", inverted=True),
        check("disabled", disabled=True),
        check("forced", disabled=True, inverted=True),
    ]
    found = statuses({each.id: each for each in checks}, {"disabled": False})
    assert found == {"new": True, "inverted": False, "disabled": True, "forced": False}


@pytest.mark.parametrize(("threshold", "expected"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_calculated_check_counts_its_healthy_children_after_their_inversion(threshold: int, expected: bool) -> None:
    checks = [
        check("up"),
        check("switch", inverted=True),
        check("both", "CALCULATED", children=("up", "switch"), healthy_children=threshold),
    ]
    found = statuses({each.id: each for each in checks}, {"up": True, "switch": True})
    assert found == {"up": True, "switch": False, "both": expected}
    found = statuses({each.id: each for each in checks}, {"up": True, "switch": False})
    assert found["both"] is (threshold <= 2), "a switch that does not match is healthy"


@pytest.mark.parametrize(
    ("without_data", "last", "expected"),
    [
        ("Healthy", False, True),
        ("Unhealthy", True, False),
        ("LastKnownStatus", True, True),
        ("LastKnownStatus", False, False),
    ],
)
def test_missing_data_are_what_the_check_says_they_are(without_data: str, last: bool, expected: bool) -> None:
    alarm = check("alarm", "CLOUDWATCH_METRIC", without_data=without_data)
    assert alarm_health(alarm, "INSUFFICIENT_DATA", last) is expected
    assert alarm_health(alarm, "OK", last) is True
    assert alarm_health(alarm, "ALARM", last) is False
