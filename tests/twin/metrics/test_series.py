"""Data by ticks: statistics, percentiles, exact dimensions, sliding windows, what is let go."""

from __future__ import annotations

import pytest

from bicoastal.twin.metrics.series import KEPT_TICKS, TICKS_A_MINUTE, Data, Span, Tally

METRIC = ("Shop", "Latency", (("Fleet", "a"),))
MINUTE_S = 3.0
TICK_S = MINUTE_S / TICKS_A_MINUTE


def point(at: float, *seen: object, unit: str = "None", resolution: int = 60) -> list[object]:
    return [1, "Shop", "Latency", [["Fleet", "a"]], unit, at, at, resolution, list(seen)]


def data(*points: list[object]) -> Data:
    made = Data(TICK_S)
    for one in points:
        made.add(one)
    return made


def minutes(count: int, *, until: int) -> Span:
    return Span(until * TICKS_A_MINUTE, TICKS_A_MINUTE, count)


def test_statistics_of_values_and_of_a_statistic_set() -> None:
    tally = Tally()
    for value in (1.0, 2.0, 6.0):
        tally.see(value)
    tally.see_set(2, 10, 4, 6)
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    assert [tally.statistic(name) for name in names] == [5, 19, 3.8, 1, 6]
    assert tally.statistic("p50") is None, "a set hides its values"
    assert tally.statistic("TM(10%:90%)") is None


@pytest.mark.parametrize(("name", "expected"), [("p0", 1), ("p50", 3), ("p75", 4), ("p100", 5), ("p90", 4.6)])
def test_percentiles_lie_between_the_nearest_ranks(name: str, expected: float) -> None:
    tally = Tally()
    for value in (5.0, 1.0, 2.0, 4.0, 3.0):
        tally.see(value)
    assert tally.statistic(name) == pytest.approx(expected)


def test_a_value_counts_as_often_as_it_was_seen() -> None:
    tally = Tally()
    tally.see(1.0, 99)
    tally.see(100.0, 1)
    assert tally.statistic("p50") == 1.0
    assert tally.statistic("p100") == 100.0
    joined = Tally()
    joined.join(tally)
    joined.join(tally)
    assert (joined.statistic("Sum"), joined.statistic("p99.9")) == (398.0, 100.0)


def test_a_set_of_one_value_keeps_percentiles() -> None:
    tally = Tally()
    tally.see_set(3, 6, 2, 2)
    assert tally.statistic("p99") == 2.0


def test_a_minute_begins_with_its_first_moment() -> None:
    found = data(point(9.0, [1.0, 1.0]), point(11.999, [2.0, 1.0]), point(12.0, [4.0, 1.0])).windows(
        METRIC, None, minutes(3, until=5)
    )
    assert {number: tally.total for number, tally in found.items()} == {1: 3.0, 2: 4.0}


def test_data_of_standard_resolution_belong_to_their_minute_as_a_whole() -> None:
    ten_seconds = Span(24, 1, 6)
    standard = data(point(11.6, [1.0, 1.0])).windows(METRIC, None, ten_seconds)
    high = data(point(11.6, [1.0, 1.0], resolution=1)).windows(METRIC, None, ten_seconds)
    assert (list(standard), list(high)) == ([0], [5])


@pytest.mark.parametrize(
    "other",
    [
        ("Shop", "Latency", ()),
        ("Shop", "Latency", (("Fleet", "b"),)),
        ("Shop", "Latency", (("Fleet", "a"), ("Zone", "1"))),
        ("shop", "Latency", (("Fleet", "a"),)),
    ],
)
def test_another_set_of_dimensions_is_another_metric(other: tuple[str, str, tuple[tuple[str, str], ...]]) -> None:
    assert data(point(9.0, [1.0, 1.0])).windows(other, None, minutes(3, until=5)) == {}


def test_a_unit_is_a_filter() -> None:
    found = data(point(9.0, [1.0, 1.0], unit="Seconds"), point(9.0, [7.0, 1.0], unit="Bytes"))
    span = minutes(1, until=4)
    assert found.windows(METRIC, "Bytes", span)[0].total == 7.0
    assert found.windows(METRIC, None, span)[0].total == 8.0
    assert found.windows(METRIC, "Percent", span) == {}


def test_windows_slide() -> None:
    made = data(*(point(minute * MINUTE_S, [1.0, 1.0]) for minute in range(10, 20)))
    for until in (17, 18, 19):
        found = made.windows(METRIC, None, Span(until * TICKS_A_MINUTE, 5 * TICKS_A_MINUTE, 1))
        assert found[0].total == 5.0


def test_what_no_alarm_will_ask_for_is_let_go() -> None:
    made = data(point(0.0, [1.0, 1.0]))
    made.forget_before(KEPT_TICKS)
    assert made.windows(METRIC, None, Span(TICKS_A_MINUTE, TICKS_A_MINUTE, 1))
    made.windows(METRIC, None, Span(KEPT_TICKS + 60, KEPT_TICKS + 60, 1))
    made.forget_before(KEPT_TICKS + 60)
    assert made.windows(METRIC, None, Span(TICKS_A_MINUTE, TICKS_A_MINUTE, 1)), "an alarm looks back that far"
    made.forget_before(KEPT_TICKS + 61)
    assert not made.windows(METRIC, None, Span(TICKS_A_MINUTE, TICKS_A_MINUTE, 1))
