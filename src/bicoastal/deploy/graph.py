"""Runs tasks as soon as what they need is done, as many at once as there are; knows nothing of what they do.

A task that fails takes those that need it with it, and no others. Threads are daemons: a task may wait for AWS for
hours, and the user who ends the command has not to wait with it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bicoastal.core.errors import BicoastalError
from bicoastal.deploy.moments import End, Ended, Moment, Tell

_LOOK_S = 0.5


class NotDone(BicoastalError):  # noqa: N818 - an answer, not an error
    """A task could not do its part, and what needs it goes on all the same."""

    exit_code = 1


@dataclass(frozen=True)
class Task:
    """One thing to do; `run` returns how it ended, or raises."""

    id: str
    needs: tuple[str, ...]
    run: Callable[[], End]


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    end: End
    seconds: float = 0.0
    error: BaseException | None = None
    because: str = ""
    """For a skipped one, the task that failed."""


class Stopped(Exception):  # noqa: N818 - never leaves this package
    """A task saw that it should begin nothing more."""


def run_all(tasks: Sequence[Task], tell: Tell, stop: threading.Event) -> dict[str, Outcome]:
    """Run every task; returns how each ended. With `stop` set, nothing new begins and it returns at once.

    Raises ValueError for a need that no task fills, and whatever a task raises that is not a BicoastalError, after the
    others have ended.
    """
    _check(tasks)
    waiting = {task.id: task for task in tasks}
    outcomes: dict[str, Outcome] = {}
    ended: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
    running: set[str] = set()
    while (waiting or running) and not stop.is_set():
        for task in [task for task in waiting.values() if outcomes.keys() >= set(task.needs)]:
            del waiting[task.id]
            broken = _broken(task, outcomes)
            if broken:
                outcomes[task.id] = Outcome(End.SKIPPED, because=broken)
                tell(_ended(task.id, outcomes[task.id]))
            else:
                running.add(task.id)
                threading.Thread(target=_run, args=(task, ended), name=task.id, daemon=True).start()
        if running:
            try:
                name, outcome = ended.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            running.discard(name)
            outcomes[name] = outcome
            tell(_ended(name, outcome))
    for name in (*waiting, *running):
        outcomes[name] = Outcome(End.NOT_STARTED)
    for outcome in outcomes.values():
        if outcome.error is not None and not isinstance(outcome.error, BicoastalError):
            raise outcome.error
    return outcomes


def critical_path(tasks: Sequence[Task], seconds: Mapping[str, float]) -> float:
    """The shortest time in which the tasks can be done, given how long each takes."""
    finish: dict[str, float] = {}

    def finished(task: Task) -> float:
        if task.id not in finish:
            begun = max((finished(by_id[need]) for need in task.needs), default=0.0)
            finish[task.id] = begun + seconds.get(task.id, 0.0)
        return finish[task.id]

    by_id = {task.id: task for task in tasks}
    return max((finished(task) for task in tasks), default=0.0)


def _check(tasks: Sequence[Task]) -> None:
    known: set[str] = set()
    left = list(tasks)
    while left:
        ready = [task for task in left if known.issuperset(task.needs)]
        if not ready:
            raise ValueError(f"these need each other, or one that is not there: {', '.join(task.id for task in left)}")
        known.update(task.id for task in ready)
        left = [task for task in left if task.id not in known]


def _broken(task: Task, outcomes: Mapping[str, Outcome]) -> str:
    """The failed task that this one cannot go on without, or empty."""
    for need in task.needs:
        if outcomes[need].end is End.FAILED:
            return need
        if outcomes[need].end is End.SKIPPED:
            return outcomes[need].because
    return ""


def _run(task: Task, ended: queue.SimpleQueue[tuple[str, Outcome]]) -> None:
    start = time.monotonic()
    end = End.FAILED
    error: BaseException | None = None
    try:
        end = task.run()
    except NotDone as missing:
        end, error = End.NOT_DONE, missing
    except Stopped:
        end = End.NOT_STARTED
    except BaseException as fault:  # it is raised again by the thread that waits
        error = fault
    ended.put((task.id, Outcome(end, time.monotonic() - start, error)))


def _ended(name: str, outcome: Outcome) -> Moment:
    text = str(outcome.error) if outcome.error else f"needs {outcome.because}, which failed" if outcome.because else ""
    return Ended(name, outcome.end, outcome.seconds, text)
