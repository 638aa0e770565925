"""Drills side by side, in processes of their own: who gets what, and what becomes of it when one ends too soon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest

from bicoastal.drill.experiment import Experiment
from bicoastal.drill.lanes import groups, side_by_side
from bicoastal.drill.report import Report, Unplayed
from tests.drill.test_drill import ALONE, ASKS, A, B, C, experiment

HUNG_S = 600.0


def plays(folder: Path, names: Sequence[str]) -> Generator[Report | Unplayed, None, None]:
    """In another process: leaves a file while it plays, and waits for what its name says."""
    try:
        for name in names:
            (folder / name).write_text(str(os.getpid()))
            if name == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if name == "hangs":
                time.sleep(HUNG_S)
            yield Unplayed(name, name, f"by {os.getpid()}")
    finally:
        time.sleep(0.3)
        (folder / f"{names[0]} ended").touch()


def named(*wanted: str) -> list[list[Experiment]]:
    return [[experiment(name)] for name in wanted]


def test_what_leaves_no_trace_is_dealt_out_before_what_does() -> None:
    found = groups([A, ALONE, B, ASKS, C], 2)
    assert [[one.name for one in group] for group in found] == [["asks"], ["a", "b", "c", "alone"]]
    assert [[one.name for one in group] for group in groups([A, B, C], 2)] == [["a", "c"], ["b"]]


def test_each_lane_takes_the_next_group_and_ends_what_it_began(tmp_path: Path) -> None:
    found = list(side_by_side([*named("a", "b"), [experiment("c"), experiment("d")]], partial(plays, tmp_path), 2))
    assert sorted(one.scenario for one in found) == ["a", "b", "c", "d"]
    assert len({one.why for one in found if isinstance(one, Unplayed)}) == 2
    assert {path.name for path in tmp_path.glob("* ended")} == {"a ended", "b ended", "c ended"}


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
