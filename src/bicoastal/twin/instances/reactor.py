"""The one thread in which every instance's timers, sockets and waits for programs are; what blocks runs beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from bicoastal.core.errors import SystemFault

Result = TypeVar("Result")

_WORKERS = 16
_POLL_S = 0.05


class Reactor:
    """An event loop in a thread, and workers for calls that block."""

    def __init__(self) -> None:
        """Nothing runs before `start`."""
        self.loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._ends = False
        self._workers = ThreadPoolExecutor(_WORKERS, "twin-instances-worker")
        self.loop.set_default_executor(self._workers)
        self._thread = threading.Thread(target=self.loop.run_forever, name="twin-instances-loop", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End every task, then the thread."""
        if self._thread.is_alive():
            with self._lock:
                # Nothing may come behind what cancels everything: it would never run.
                self._ends = True
                ending = asyncio.run_coroutine_threadsafe(self._cancel_all(), self.loop)
            with contextlib.suppress(TimeoutError):
                ending.result(10)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(10)
            self.loop.close()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Run a coroutine in the loop, from any other thread. Raises SystemFault when the loop ends."""
        with self._lock:
            if not self._ends:
                return asyncio.run_coroutine_threadsafe(work, self.loop)
        work.close()
        raise SystemFault("the twin ends")

    async def blocking(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """A call that blocks, from within the loop."""
        return await self.loop.run_in_executor(None, call, *arguments)

    async def until_ended(self, pid: int) -> None:
        """Wait for a child to end, and leave it to be reaped."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError:
            # A kernel before 5.3: look again and again.
            while _lives(pid):
                await asyncio.sleep(_POLL_S)
            return
        ended = asyncio.Event()
        self.loop.add_reader(handle, ended.set)
        try:
            await ended.wait()
        finally:
            self.loop.remove_reader(handle)
            os.close(handle)

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - asked twenty times a second
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
