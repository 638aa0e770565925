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
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bicoastal.drill.experiment import Experiment
from bicoastal.drill.report import Report, Unplayed
from bicoastal.drill.turn import Turn

LOOK_S = 0.2
END_S = 120.0
"""How long a lane may take to end its twin."""
Play = Callable[[Iterable[str], Turn], Generator[Report | Unplayed, None, None]]
"""Plays experiments by name, each as it comes. It is sent to another process: a function of a module, or a partial
of one."""


def in_order(experiments: Sequence[Experiment]) -> list[Experiment]:
    """As lanes take them: what few share a place with, then what leaves no trace, and at last what ends its stage.

    Among those of a sort what rebuilds comes first, for it takes longest. All are to be played with whatever is asked
    for that harms no other (`asks_little`), so that many can share one.
    """
    common: dict[str, Any] = {}
    for one in experiments:
        if one.asks_little:
            common |= one.asks
    asking = [replace(one, asks={**common, **one.asks}) for one in experiments]
    return sorted(asking, key=lambda one: (one.asks == common, not one.traceless, not _rebuilds(one)))


def _rebuilds(one: Experiment) -> bool:
    return any(deed.rebuilds for deed in one.when)


def side_by_side(chosen: Sequence[Experiment], play: Play, lanes: int) -> Iterator[Report | Unplayed]:
    """Each as it ends. On an interrupt every lane ends what it had started."""
    context = multiprocessing.get_context("spawn")
    ended, calm = context.Queue(), context.Event()
    jobs = {kind: context.Queue() for kind in _KINDS}
    missing = {one.name: one for one in chosen}
    for one in chosen:
        jobs[_kind(one)].put(one.name)
    running: list[BaseProcess] = []
    file, name = tempfile.mkstemp(prefix="bicoastal-turn-")
    os.close(file)
    shared = Path(name)
    try:
        lanes = min(lanes, len(chosen))
        for waiting in jobs.values():
            for _ in range(lanes):
                waiting.put(None)
        for number in range(lanes):
            todo = _Todo(jobs, calm, measures=number == 0 and lanes > 1)
            running.append(context.Process(target=_lane, args=(play, todo, ended, shared)))
            running[-1].start()
        while missing:
            living = [lane.is_alive() for lane in running]
            if not all(living):
                # One that has ended by itself brings no crowd any more.
                calm.set()
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
        shared.unlink(missing_ok=True)
    for one in missing.values():
        yield Unplayed(one.name, one.title, "the process that played it has ended by itself")


_KINDS = ("crowds", "rebuilding", "others", "measured")


def _kind(one: Experiment) -> str:
    if one.crowds:
        return "crowds"
    if one.alone:
        return "measured"
    return "rebuilding" if one.traceless and _rebuilds(one) else "others"


@dataclass(frozen=True)
class _Todo:
    """What a lane takes, one after the other."""

    jobs: Mapping[str, Any]
    """Queues of names by kind, each with an end for every lane."""
    calm: Any
    """An event: no crowd comes any more."""
    measures: bool
    """One lane plays what rebuilds while another has its crowds, and then what is measured: both at once would keep
    who measures waiting. Beside it the other one plays what disturbs nobody."""

    def names(self) -> Iterator[str]:
        if not self.measures:
            yield from iter(self.jobs["crowds"].get, None)
            self.calm.set()
            for kind in ("others", "rebuilding", "measured"):
                yield from iter(self.jobs[kind].get, None)
            return
        yield from iter(self.jobs["rebuilding"].get, None)
        left = True
        while left and not self.calm.is_set():
            name = self.jobs["others"].get()
            left = name is not None
            if left:
                yield name
        self.calm.wait()
        yield from iter(self.jobs["measured"].get, None)
        if left:
            yield from iter(self.jobs["others"].get, None)


def _end(running: Sequence[BaseProcess]) -> None:
    for lane in running:
        if lane.is_alive():
            lane.terminate()
    for lane in running:
        lane.join(END_S)
        if lane.is_alive():
            lane.kill()


def _lane(play: Play, todo: _Todo, ended: Any, shared: Path) -> None:
    """What a lane's process does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_orphaned, args=(parent.sentinel,), daemon=True).start()
    # The next one is taken when the one before has been told.
    with (
        contextlib.suppress(KeyboardInterrupt),
        contextlib.closing(play(todo.names(), Turn(shared))) as playing,
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
