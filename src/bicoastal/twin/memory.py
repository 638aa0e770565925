"""Keeps long-running processes small and without pauses.

What a deployment needed once is given back to the operating system; what it left is not looked through again and again.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource

ARENAS = 2
"""glibc gives each thread a heap of its own, up to eight for each core; what is free in one, another cannot use."""
ARENAS_VARIABLE = "MALLOC_ARENA_MAX"
_THRESHOLDS = (5_000, 10, 10)
"""Of a process that lives as long as a twin, and for which many wait."""
_FILES = 65_536
_M_ARENA_MAX = -8
"""`mallopt`'s, from glibc's malloc.h."""


def few_arenas() -> None:
    """For this process, before it has threads. Without glibc nothing happens."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


def many_files() -> None:
    """Connections of two regions are some hundreds, and an ordinary limit is 1,024: it is raised as far as may be."""
    with contextlib.suppress(OSError, ValueError):
        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
        if now != resource.RLIM_INFINITY and now < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def pass_over() -> None:
    """What has been loaded stays, and is not looked through by the collector any more."""
    gc.set_threshold(*_THRESHOLDS)
    gc.freeze()


def give_back() -> None:
    """Free memory goes back, once: after something large is over. Without glibc nothing happens.

    What is there then stays, and the collector passes it over until the next call: while it looks through all of a
    twin, the wire carries nothing.
    """
    gc.set_threshold(*_THRESHOLDS)
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
