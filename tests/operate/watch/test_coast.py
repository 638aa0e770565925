"""A region looked at again and again, on the control plane; and one that answers nothing."""

from __future__ import annotations

import threading
import time
from typing import Any

from bicoastal.operate.subject import Subject
from bicoastal.operate.watch.events import Event
from bicoastal.operate.watch.watcher import Rhythm, Watcher
from tests.operate.kits import EAST, WEST, Kits, SessionWithKits


class Heard:
    """What a page would be told."""

    def __init__(self) -> None:
        self.parts: dict[str, Any] = {}
        self.events: list[Event] = []

    def put(self, section: str, data: Any) -> None:
        self.parts[section] = data

    def seen(self, region: str, at: float) -> None:
        self.parts[f"seen/{region}"] = at

    def happened(self, event: Event) -> None:
        self.events.append(event)

    def until(self, what: str, so: Any, within_s: float = 60.0) -> None:
        end = time.monotonic() + within_s
        while not so():
            assert time.monotonic() < end, f"it did not come about within {within_s:g} s: {what}: {self.parts}"
            time.sleep(0.05)


def _seen(heard: Heard, region: str) -> bool:
    coast = heard.parts.get(f"coast/{region}")
    return coast is not None and coast.answered


def watcher(session: SessionWithKits, subject: Subject, heard: Heard) -> Watcher:
    return Watcher(session, subject, heard, Rhythm(look_s=0.5), users=None, extras={"wire": lambda: {"cut": False}})


def test_both_coasts_are_told_while_somebody_watches(session: SessionWithKits, subject: Subject) -> None:
    heard = Heard()
    watching = watcher(session, subject, heard)
    watching.start()
    try:
        heard.until("it is protected", lambda: heard.parts.get("standing", {}).get("protected"))
        heard.until("the checks are told", lambda: (heard.parts.get("checks") or {}).get("checks"))
    finally:
        watching.stop()
    assert heard.parts["standing"]["primary"] == EAST
    for region, source in ((EAST, ""), (WEST, f"arn:aws:rds:{EAST}:")):
        coast = heard.parts[f"coast/{region}"]
        assert (coast.switch, coast.gate, coast.balancer.state) == ("off", "open", "active")
        assert [database.current for database in coast.databases] == [True]
        assert coast.databases[0].source.startswith(source)
        assert {"environment", "cost-center"} <= set(coast.databases[0].tags)
        assert any(alarm.calls_people for alarm in coast.alarms)
        assert not all(alarm.calls_people for alarm in coast.alarms)
    assert heard.parts["wire"] == {"cut": False}


def test_a_region_that_is_silent_is_said_to_be_and_keeps_what_was_seen_last(
    session: SessionWithKits, kits: Kits, subject: Subject
) -> None:
    heard = Heard()
    watching = watcher(session, subject, heard)
    watching.start()
    try:
        # On a busy machine the first look may be late, and then it has seen nothing that could be kept.
        heard.until("both were seen", lambda: all(_seen(heard, region) for region in (EAST, WEST)))
        kits.lost.add(EAST)
        heard.until("it is silent", lambda: not heard.parts[f"coast/{EAST}"].answered)
        heard.until("it is not protected", lambda: heard.parts["standing"]["protected"] is False)
        assert heard.parts[f"coast/{EAST}"].databases
        assert any(event.text.startswith("the AWS API does not answer") for event in heard.events)
        kits.lost.clear()
        heard.until("it answers again", lambda: heard.parts[f"coast/{EAST}"].answered)
        assert any(event.text == "the AWS API answers again" for event in heard.events)
    finally:
        kits.lost.clear()
        watching.stop()


def test_nobody_watches_and_nothing_is_asked(session: SessionWithKits, subject: Subject) -> None:
    heard = Heard()
    watching = watcher(session, subject, heard)
    watching.start()
    heard.until("both were seen", lambda: {f"coast/{EAST}", f"coast/{WEST}"} <= heard.parts.keys())
    watching.stop()
    end = time.monotonic() + 30
    while any(thread.name.startswith("watch ") for thread in threading.enumerate()):
        assert time.monotonic() < end, "a look went on for 30 s after the last page had gone"
        time.sleep(0.05)
    calls = len(session.log.calls)
    time.sleep(1.2)
    assert len(session.log.calls) == calls
