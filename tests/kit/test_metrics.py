"""Datagrams as StatsD reads them."""

from __future__ import annotations

from bicoastal.kit.metrics import Publisher
from tests.support.instance import StatsD
from tests.support.postgres import wait_until


def test_what_is_known_is_sent_and_nothing_else() -> None:
    listener = StatsD()
    publisher = Publisher("127.0.0.1", listener.port)
    seen: dict[str, list[float]] = {}
    try:
        # Clocks of two machines differ: an age may come out below zero, and StatsD would subtract it.
        publisher.gauges({"HeartbeatAge": -0.25, "ReadingSessions": None, "SlotRetainedBytes": 123456789012.0})
        publisher.count("KitErrors")
        wait_until("all has come", lambda: bool(seen.update(listener.received())) or len(seen) == 3, 3)
        assert seen == {"HeartbeatAge": [0.0], "SlotRetainedBytes": [123456789012.0], "KitErrors": [1.0]}
    finally:
        listener.close()
        publisher.gauges({"Primary": 1})  # nobody listens any more: nothing happens
        publisher.close()
