"""Drills side by side: each lane is a process with stages of its own, and takes the next group when it has ended one.

A drill mostly waits, for timers, thresholds and people, so that two cores play two in hardly more time than one. A lane
that is killed takes down its twin and nothing else: what it had not told is told as not rehearsed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from bicoastal.drill.experiment import Experiment
from bicoastal.drill.report import Report, Unplayed

LOOK_S = 0.2
END_S = 120.0
"""How long a lane may take to end its twin."""
Play = Callable[[Sequence[str]], Generator[Report | Unplayed, None, None]]
"""Plays experiments by name, one after the other. It is sent to another process: a function of a module, or a partial
of one."""


def groups(experiments: Sequence[Experiment], lanes: int) -> list[list[Experiment]]:
    """What is played in one go: those that leave no trace are dealt out before those that do. Longer ones first.

    What asks for a spec of its own has a stage of its own; most of that asks for more of everything, and takes longest.
    """
    shared = [one for one in experiments if one.traceless and not one.asks]
    asking = [[one] for one in experiments if one.asks]
    last = [[one] for one in experiments if not one.asks and not one.traceless] or [[] for _ in range(lanes)]
    dealt = [[*shared[at :: len(last)], *end] for at, end in enumerate(last)]
    return [*asking, *(group for group in dealt if group)]


def side_by_side(chosen: Sequence[Sequence[Experiment]], play: Play, lanes: int) -> Iterator[Report | Unplayed]:
    """Each as it ends. On an interrupt every lane ends what it had started."""
    context = multiprocessing.get_context("spawn")
    jobs, ended = context.Queue(), context.Queue()
    missing = {one.name: one for group in chosen for one in group}
    for group in chosen:
        jobs.put([one.name for one in group])
    running: list[BaseProcess] = []
    try:
        for _ in range(min(lanes, len(chosen))):
            jobs.put(None)
            running.append(context.Process(target=_lane, args=(play, jobs, ended)))
            running[-1].start()
        while missing:
            alive = any(lane.is_alive() for lane in running)
            try:
                found: Report | Unplayed = ended.get(timeout=LOOK_S)
            except queue.Empty:
                if alive:
                    continue
                break
            missing.pop(found.scenario)
            yield found
        for lane in running:
            lane.join(END_S)
    finally:
        _end(running)
    for one in missing.values():
        yield Unplayed(one.name, one.title, "the process that played it has ended by itself")


def _end(running: Sequence[BaseProcess]) -> None:
    for lane in running:
        if lane.is_alive():
            lane.terminate()
    for lane in running:
        lane.join(END_S)
        if lane.is_alive():
            lane.kill()


def _lane(play: Play, jobs: Any, ended: Any) -> None:
    """What a lane's process does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_orphaned, args=(parent.sentinel,), daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        for names in iter(jobs.get, None):
            with contextlib.closing(play(names)) as playing:
                for found in playing:
                    ended.put(found)


def _interrupt(*_: object) -> None:
    """Once: what ends a twin is not to be interrupted by the next signal, and Ctrl-C brings two."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _orphaned(parent: int) -> None:
    """With its parent gone it ends, and with it all that it started."""
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)
