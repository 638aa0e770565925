"""The loop: level-triggered, one worker for a key, and a failure holds up nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.controller import Loop


class Lamps:
    """Things that can be on, and may break."""

    name = "lamps"

    def __init__(self) -> None:
        self.wanted: Mapping[str, int] | None = {}
        self.lit: dict[str, int] = {}
        self.broken: set[str] = set()
        self.slow = threading.Event()
        self.at_once = 0
        self.most_at_once = 0
        self.closed = False

    def observe(self) -> Mapping[str, int]:
        if self.wanted is None:
            raise SystemFault("the API does not answer.\n    -> wait")
        return dict(self.wanted)

    def running(self) -> set[str]:
        return set(self.lit)

    def converge(self, key: str, desired: int | None) -> None:
        if key in self.broken:
            raise SystemFault(f"{key} is broken")
        if key == "slow":
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            assert self.slow.wait(10)
            self.at_once -= 1
        if desired is None:
            self.lit.pop(key, None)
        else:
            self.lit[key] = desired

    def close(self) -> None:
        self.closed = True


def eventually(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.005)


@pytest.fixture
def lamps() -> Lamps:
    return Lamps()


@pytest.fixture
def loop(lamps: Lamps) -> Iterator[Loop[str, int]]:
    loop = Loop[str, int](lamps, 0.01)
    loop.start()
    yield loop
    lamps.slow.set()
    loop.stop(5)
    assert lamps.closed


def test_what_is_wanted_becomes_so_and_what_is_not_goes(lamps: Lamps, loop: Loop[str, int]) -> None:
    lamps.wanted = {"a": 1, "b": 2}
    eventually("both", lambda: lamps.lit == {"a": 1, "b": 2})
    lamps.wanted = {"b": 3}
    eventually("one, changed", lambda: lamps.lit == {"b": 3})
    eventually("it says so", lambda: str(loop.status) == "lamps: as it should be")


def test_what_somebody_else_changes_is_put_right(lamps: Lamps, loop: Loop[str, int]) -> None:
    lamps.wanted = {"a": 1}
    eventually("lit", lambda: lamps.lit == {"a": 1})
    lamps.lit.clear()
    eventually("lit again", lambda: lamps.lit == {"a": 1})
    assert loop.status.rounds > 1


def test_a_failure_is_shown_and_holds_up_nothing_else(lamps: Lamps, loop: Loop[str, int]) -> None:
    lamps.broken = {"a"}
    lamps.wanted = {"a": 1, "b": 2}
    eventually("the other one", lambda: lamps.lit == {"b": 2})
    eventually("several tries", lambda: any(trouble.failures > 1 for trouble in loop.status.troubles))
    (trouble,) = loop.status.troubles
    assert (trouble.key, trouble.error) == ("a", "a is broken")
    lamps.broken = set()
    eventually("healed", lambda: lamps.lit == {"a": 1, "b": 2} and not loop.status.troubles)


def test_one_that_is_slow_is_worked_on_once_and_holds_up_nothing_else(lamps: Lamps, loop: Loop[str, int]) -> None:
    lamps.wanted = {"slow": 1, "a": 1}
    eventually("the other one", lambda: lamps.lit == {"a": 1})
    rounds = loop.status.rounds
    eventually("more rounds", lambda: loop.status.rounds > rounds + 5)
    assert "slow" in loop.status.busy
    lamps.slow.set()
    eventually("both", lambda: lamps.lit == {"slow": 1, "a": 1})
    assert lamps.most_at_once == 1


def test_an_api_that_does_not_answer_changes_nothing(lamps: Lamps, loop: Loop[str, int]) -> None:
    lamps.wanted = {"a": 1}
    eventually("lit", lambda: lamps.lit == {"a": 1})
    lamps.wanted = None
    eventually("shown", lambda: str(loop.status).startswith("lamps: the API does not answer. ("))
    assert lamps.lit == {"a": 1}
    lamps.wanted = {}
    loop.poke()
    eventually("it goes on", lambda: lamps.lit == {})
