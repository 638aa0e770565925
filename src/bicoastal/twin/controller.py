"""The loop that every controller of the twin is: read what the API says should be, make it so, again and again.

Level-triggered: a controller never acts on an event, only on the difference between what it observes and what runs, so
that a missed, repeated or interrupted step does no harm. Each thing (a database, a fleet, a balancer) has a key and is
converged on its own: one that is slow or fails holds up no other. A loop knows no service.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from bicoastal.core.errors import BicoastalError

Key = TypeVar("Key", bound=Hashable)
Desired = TypeVar("Desired")

BACKOFF_FIRST_S = 0.2
BACKOFF_LONGEST_S = 5.0
SPACING_S = 0.05
"""At least, and as long as a look took: while stacks are deployed the API changes hundreds of times a second."""
_WORKERS = 8


class Controller(Protocol[Key, Desired]):
    """What a service's controller gives; `observe` and `converge` may take seconds, within deadlines of their own."""

    name: str
    """For the status: `databases`."""

    def observe(self) -> Mapping[Key, Desired]:
        """What should be, by the API. Raises BicoastalError when the API cannot be read: nothing is changed then."""

    def running(self) -> set[Key]:
        """The keys of what there is, wanted or not."""

    def converge(self, key: Key, desired: Desired | None) -> None:
        """Make one thing so; None: it should not be. Called in every round, and never twice at once for a key.

        Raises BicoastalError to be called again after a pause.
        """

    def close(self) -> None:
        """End all that runs, and keep its data."""


@dataclass(frozen=True)
class Trouble:
    """What keeps a key, or the whole controller, from what it should be."""

    key: str
    """Empty: the API cannot be observed."""
    error: str
    since: float
    """Monotonic seconds of the first of the failures in a row."""
    last: float
    """Of the last of them."""
    failures: int

    @property
    def until(self) -> float:
        """When to try again: pauses double."""
        return self.last + float(min(BACKOFF_FIRST_S * 2 ** min(self.failures - 1, 10), BACKOFF_LONGEST_S))


@dataclass(frozen=True)
class Status:
    """What a controller is doing, for `status` and the live display."""

    name: str
    rounds: int
    """Observations that were made."""
    busy: Mapping[str, float]
    """Keys that are converged right now, and for how many seconds."""
    troubles: tuple[Trouble, ...]

    def __str__(self) -> str:
        if self.troubles:
            first = self.troubles[0]
            where = f" {first.key}" if first.key else ""
            return f"{self.name}{where}: {first.error.splitlines()[0]} ({first.failures} times)"
        if self.busy:
            return f"{self.name}: working on {', '.join(sorted(self.busy))}"
        return f"{self.name}: as it should be"


class Loop(Generic[Key, Desired]):
    """Runs a controller in a thread of its own, with a few workers."""

    def __init__(
        self,
        controller: Controller[Key, Desired],
        period_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`period_s` lies between two observations; work that ends, and `poke`, shorten it."""
        self._controller = controller
        self._period_s = period_s
        self._clock = clock
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(_WORKERS, f"twin-{controller.name}")
        self._thread = threading.Thread(target=self._run, name=f"twin-{controller.name}", daemon=True)
        self._working: dict[Key, tuple[Future[None], float]] = {}
        self._troubles: dict[Key | None, Trouble] = {}
        self._overtaken: set[Key] = set()
        """Keys that were being converged when they were observed anew."""
        self._rounds = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def poke(self) -> None:
        """Observe now: somebody knows that something has changed."""
        self._awake.set()

    def stop(self, deadline_s: float = 30.0) -> None:
        """No new work; wait for what is being done, then end all that runs."""
        self._stopping.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)
        self._workers.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            # One that never began is done for `wait` only when a worker sees that: there is none any more.
            working = [future for future, _ in self._working.values() if not future.cancelled()]
        wait(working, deadline_s)
        self._controller.close()

    @property
    def status(self) -> Status:
        """As of now."""
        now = self._clock()
        with self._lock:
            return Status(
                self._controller.name,
                self._rounds,
                {str(key): now - begun for key, (future, begun) in self._working.items() if not future.done()},
                tuple(self._troubles.values()),
            )

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.clear()
            begun = self._clock()
            try:
                self._round()
            except Exception as error:
                self._failed(None, error)
            else:
                self._worked(None)
            self._stopping.wait(max(self._clock() - begun, SPACING_S))
            trouble = self._troubles.get(None)
            self._awake.wait(self._period_s if trouble is None else max(trouble.until - self._clock(), 0))

    def _round(self) -> None:
        desired = self._controller.observe()
        keys = [*desired, *(key for key in self._controller.running() if key not in desired)]
        with self._lock:
            self._rounds += 1
            self._working = {key: work for key, work in self._working.items() if not work[0].done()}
            for gone in [key for key in self._troubles if key is not None and key not in keys]:
                del self._troubles[gone]
            self._overtaken.update(key for key in keys if key in self._working)
            for key in keys:
                trouble = self._troubles.get(key)
                if key not in self._working and (trouble is None or self._clock() >= trouble.until):
                    self._working[key] = (self._workers.submit(self._one, key, desired.get(key)), self._clock())

    def _one(self, key: Key, desired: Desired | None) -> None:
        if self._stopping.is_set():
            return
        try:
            self._controller.converge(key, desired)
        except Exception as error:
            self._failed(key, error)
        else:
            self._worked(key)
        with self._lock:
            self._working.pop(key, None)
            overtaken = key in self._overtaken
            self._overtaken.discard(key)
        if overtaken:
            self.poke()

    def _failed(self, key: Key | None, error: Exception) -> None:
        text = str(error) if isinstance(error, BicoastalError) else f"{type(error).__name__}: {error}"
        with self._lock:
            before = self._troubles.get(key)
            now = self._clock()
            since, failures = (before.since, before.failures) if before else (now, 0)
            self._troubles[key] = Trouble("" if key is None else str(key), text, since, now, failures + 1)

    def _worked(self, key: Key | None) -> None:
        with self._lock:
            self._troubles.pop(key, None)
