"""Drills side by side: each lane is a process with stages of its own, and takes the next drill when it has ended one.

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
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from bicoastal.drill.experiment import Experiment
from bicoastal.drill.report import Report, Unplayed

LOOK_S = 0.2
END_S = 120.0
"""How long a lane may take to end its twin."""
NICE = 7
"""Of what is not measured: beside what is, it gets a sixth of a core that both want."""
Play = Callable[[Iterable[str]], Generator[Report | Unplayed, None, None]]
"""Plays experiments by name, each as it comes. It is sent to another process: a function of a module, or a partial
of one."""


def in_order(experiments: Sequence[Experiment]) -> list[Experiment]:
    """As lanes take them: what few share a place with, then what leaves no trace, and at last what ends its stage.

    All are to be played with whatever is asked for that harms no other (`asks_little`), so that many can share one.
    """
    common: dict[str, Any] = {}
    for one in experiments:
        if one.asks_little:
            common |= one.asks
    asking = [replace(one, asks={**common, **one.asks}) for one in experiments]
    return sorted(asking, key=lambda one: (one.asks == common, not one.traceless))


def side_by_side(chosen: Sequence[Experiment], play: Play, lanes: int) -> Iterator[Report | Unplayed]:
    """Each as it ends. On an interrupt every lane ends what it had started."""
    context = multiprocessing.get_context("spawn")
    ended, over = context.Queue(), context.Event()
    jobs = {measured: context.Queue() for measured in (True, False)}
    missing = {one.name: one for one in chosen}
    for one in chosen:
        jobs[one.measured].put(one.name)
    running: list[BaseProcess] = []
    try:
        lanes = min(lanes, len(chosen))
        for waiting in jobs.values():
            for _ in range(lanes):
                waiting.put(None)
        for number in range(lanes):
            todo = _Todo(jobs, over, number, lanes)
            running.append(context.Process(target=_lane, args=(play, todo, ended)))
            running[-1].start()
        while missing:
            living = [lane.is_alive() for lane in running]
            if not all(living):
                # One that has ended by itself measures nothing any more.
                over.set()
            alive = any(living)
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


@dataclass(frozen=True)
class _Todo:
    """What a lane takes, one after the other.

    The first lane plays what is measured in seconds, and the machine's cores are its own whenever it needs them: the
    others, and it itself afterwards, are as nice to it as to leave it most of them.
    """

    jobs: Mapping[bool, Any]
    """Queues of names, of what is measured and of what is not, each with an end for every lane."""
    over: Any
    """An event: the first lane measures nothing any more."""
    number: int
    lanes: int

    def names(self) -> Iterator[str]:
        measuring, others = (iter(self.jobs[measured].get, None) for measured in (True, False))
        if self.lanes == 1:
            yield from others
            yield from measuring
        elif self.number == 0:
            yield from measuring
            self.over.set()
            os.nice(NICE)
            yield from others
        else:
            os.nice(NICE)
            yield from others
            # Of a first lane that has ended by itself.
            self.over.wait()
            yield from measuring


def _end(running: Sequence[BaseProcess]) -> None:
    for lane in running:
        if lane.is_alive():
            lane.terminate()
    for lane in running:
        lane.join(END_S)
        if lane.is_alive():
            lane.kill()


def _lane(play: Play, todo: _Todo, ended: Any) -> None:
    """What a lane's process does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_orphaned, args=(parent.sentinel,), daemon=True).start()
    # The next one is taken when the one before has been told.
    with (
        contextlib.suppress(KeyboardInterrupt),
        contextlib.closing(play(todo.names())) as playing,
    ):
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
