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
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
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
    measured, others, ended = context.Queue(), context.Queue(), context.Queue()
    missing = {one.name: one for one in chosen}
    for one in chosen:
        (measured if one.alone else others).put(one.name)
    running: list[BaseProcess] = []
    file, name = tempfile.mkstemp(prefix="bicoastal-turn-")
    os.close(file)
    shared = Path(name)
    try:
        lanes = min(lanes, len(chosen))
        for _ in range(lanes):
            measured.put(None)
            others.put(None)
        for number in range(lanes):
            # Who plays what is to be alone waits for nobody who does the same.
            jobs = (measured, others) if number == 0 else (others, measured)
            running.append(context.Process(target=_lane, args=(play, jobs, ended, shared)))
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
        shared.unlink(missing_ok=True)
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


def _lane(play: Play, jobs: Sequence[Any], ended: Any, shared: Path) -> None:
    """What a lane's process does."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_orphaned, args=(parent.sentinel,), daemon=True).start()
    # The next one is taken when the one before has been told.
    with (
        contextlib.suppress(KeyboardInterrupt),
        contextlib.closing(play(chain.from_iterable(iter(some.get, None) for some in jobs), Turn(shared))) as playing,
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
