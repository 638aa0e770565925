"""StatsD as the agent takes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bicoastal.twin.metrics.statsd import Collected, Key


def taken(*datagrams: tuple[bytes, int], before: int = 100) -> dict[str, dict[float, float]]:
    collected = Collected()
    for data, slot in datagrams:
        collected.datagram(data, slot)
    return {f"{key.name}/{key.kind}": dict(values) for key, values in collected.take(before)}


def test_a_gauge_is_its_last_value_in_each_interval() -> None:
    assert taken((b"age:3|g", 1), (b"age:5|g", 1), (b"age:7|g", 2)) == {"age/gauge": {5.0: 1.0, 7.0: 1.0}}
    assert taken((b"age:3|g\nage:+2|g\nage:-1|g", 1)) == {"age/gauge": {4.0: 1.0}}


def test_a_gauge_that_comes_no_more_is_not_known_any_more() -> None:
    collected = Collected()
    collected.datagram(b"age:3|g", 1)
    assert len(list(collected.take(2))) == 1
    assert list(collected.take(3)) == []


def test_counters_are_added_up_in_each_interval_and_samples_count_for_all() -> None:
    assert taken((b"hits:2|c", 1), (b"hits:3|c", 1), (b"hits:1|c|@0.1", 2)) == {"hits/counter": {5.0: 1.0, 10.0: 1.0}}


def test_timers_keep_their_values_and_sets_their_number() -> None:
    assert taken((b"t:5|ms\nt:5|ms\nt:9|ms", 1)) == {"t/timing": {5.0: 2.0, 9.0: 1.0}}
    assert taken((b"who:a|s\nwho:b|s\nwho:a|s", 1)) == {"who/set": {2.0: 1.0}}


def test_tags_are_dimensions() -> None:
    collected = Collected()
    collected.datagram(b"hits:1|c|#zone:a,kind:b", 1)
    ((key, _),) = collected.take(2)
    assert key == Key("hits", "counter", (("kind", "b"), ("zone", "a")))


def test_what_is_under_way_stays() -> None:
    collected = Collected()
    collected.datagram(b"hits:1|c", 5)
    assert list(collected.take(5)) == []
    assert len(list(collected.take(6))) == 1


@given(st.binary(max_size=60))
def test_no_datagram_does_harm(data: bytes) -> None:
    collected = Collected()
    collected.datagram(data, 1)
    collected.datagram(b"hits:1|c", 1)
    assert any(key.name == "hits" for key, _ in collected.take(2))
