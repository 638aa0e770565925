"""Drills side by side, in processes of their own: who gets what, and what becomes of it when one ends too soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from bicoastal.drill.experiment import Experiment
from bicoastal.drill.lanes import NICE, in_order, side_by_side
from bicoastal.drill.report import Report, Unplayed
from tests.drill.test_drill import ALONE, ASKS, A, B, C, experiment

HUNG_S = 600.0


def plays(folder: Path, names: Iterable[str]) -> Generator[Report | Unplayed, None, None]:
    """In another process: leaves a file while it plays, and waits for what its name says."""
    name = ""
    try:
        for name in names:
            (folder / name).write_text(str(os.getpid()))
            (folder / f"{name} nice").write_text(str(os.nice(0)))
            if name == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if name == "hangs":
                time.sleep(HUNG_S)
            yield Unplayed(name, name, f"by {os.getpid()}")
    finally:
        time.sleep(0.3)
        (folder / f"{name} ended").touch()


def named(*wanted: str) -> list[Experiment]:
    return [experiment(name) for name in wanted]


def test_what_has_a_place_of_its_own_is_played_first_and_what_ends_a_place_last() -> None:
    assert [one.name for one in in_order([A, ALONE, B, ASKS, C])] == ["asks", "a", "b", "c", "alone"]


def test_all_are_played_with_what_one_asks_for_and_harms_no_other() -> None:
    little = replace(A, name="little", asks={"failover_tags": {"a": "b"}}, asks_little=True)
    found = in_order([little, B, ASKS])
    assert [one.name for one in found] == ["asks", "little", "b"]
    assert found[1].asks == found[2].asks == little.asks
    assert found[0].asks == {**little.asks, **ASKS.asks}


def test_what_is_measured_is_played_by_one_lane_to_which_the_others_leave_the_machine(tmp_path: Path) -> None:
    measured = [replace(A, name=name, measured=True) for name in ("x", "y")]
    found = list(side_by_side([*named("a", "b", "c"), *measured], partial(plays, tmp_path), 2))
    assert sorted(one.scenario for one in found) == ["a", "b", "c", "x", "y"]
    assert (tmp_path / "x").read_text() == (tmp_path / "y").read_text()
    mine = os.nice(0)
    assert {(tmp_path / f"{name} nice").read_text() for name in "xy"} == {str(mine)}
    assert {(tmp_path / f"{name} nice").read_text() for name in "abc"} == {str(min(mine + NICE, 19))}


def test_by_one_lane_all_is_played_and_nobody_steps_back(tmp_path: Path) -> None:
    measured = replace(A, name="x", measured=True)
    found = [one.scenario for one in side_by_side([measured, *named("a")], partial(plays, tmp_path), 1)]
    assert found == ["a", "x"]
    assert (tmp_path / "a nice").read_text() == str(os.nice(0))


def test_what_is_to_be_measured_by_a_lane_that_was_killed_is_played_by_another(tmp_path: Path) -> None:
    measured = [replace(A, name=name, measured=True) for name in ("killed", "x")]
    found = {one.scenario: one for one in side_by_side([*measured, *named("a")], partial(plays, tmp_path), 2)}
    assert sorted(found) == ["a", "killed", "x"]
    played = found["x"]
    assert isinstance(played, Unplayed)
    assert played.why.startswith("by ")


def test_each_lane_takes_the_next_one_and_ends_what_it_began(tmp_path: Path) -> None:
    found = list(side_by_side(named("a", "b", "c", "d"), partial(plays, tmp_path), 2))
    assert sorted(one.scenario for one in found) == ["a", "b", "c", "d"]
    assert 1 <= len({one.why for one in found if isinstance(one, Unplayed)}) <= 2
    assert list(tmp_path.glob("* ended"))


def test_what_a_killed_lane_had_is_told_and_the_rest_is_played(tmp_path: Path) -> None:
    found = {one.scenario: one for one in side_by_side(named("killed", "b", "c"), partial(plays, tmp_path), 2)}
    assert sorted(found) == ["b", "c", "killed"]
    lost = found["killed"]
    assert isinstance(lost, Unplayed)
    assert lost.why == "the process that played it has ended by itself"


def test_who_no_longer_listens_ends_the_lanes_and_they_end_theirs(tmp_path: Path) -> None:
    playing = side_by_side(named("a", "hangs", "never"), partial(plays, tmp_path), 2)
    next(playing)
    lanes = [int(path.read_text()) for path in waited(tmp_path, "hangs")]
    playing.close()  # type: ignore[attr-defined]
    assert (tmp_path / "hangs ended").exists()
    assert not any(psutil.pid_exists(pid) for pid in lanes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_with_who_asked_for_it_everything_ends(tmp_path: Path, number: int) -> None:
    program = (
        # Where tests run in the background, SIGINT is ignored, and so it is for what they start.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "import sys; from functools import partial; from pathlib import Path; from bicoastal.drill.lanes import *; "
        "from tests.drill.test_lanes import *\n"
        "if __name__ == '__main__': list(side_by_side(named('hangs'), partial(plays, Path(sys.argv[1])), 1))"
    )
    script = tmp_path / "program.py"
    script.write_text(program)
    asked = subprocess.Popen(
        [sys.executable, script, tmp_path], env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    (lane,) = (int(path.read_text()) for path in waited(tmp_path, "hangs"))
    asked.send_signal(number)
    asked.wait(90)
    waited(tmp_path, "hangs ended")
    end = time.monotonic() + 20
    while psutil.pid_exists(lane):
        assert time.monotonic() < end, "the lane goes on"
        time.sleep(0.05)


def waited(folder: Path, name: str) -> list[Path]:
    """The file, once something stands in it or it is a mark."""
    end = time.monotonic() + 30
    path = folder / name
    while not path.exists() or (not name.endswith("ended") and not path.read_text()):
        assert time.monotonic() < end, f"no {name}"
        time.sleep(0.02)
    return [path]
