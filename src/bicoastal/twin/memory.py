"""Keeps long-running processes small and without pauses.

What a deployment needed once is given back to the operating system; what it left is not looked through again and again.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc

ARENAS = 2
"""glibc gives each thread a heap of its own, up to eight for each core; what is free in one, another cannot use."""
ARENAS_VARIABLE = "MALLOC_ARENA_MAX"
_M_ARENA_MAX = -8
"""`mallopt`'s, from glibc's malloc.h."""


def few_arenas() -> None:
    """For this process, before it has threads. Without glibc nothing happens."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


def give_back() -> None:
    """Free memory goes back, once: after something large is over. Without glibc nothing happens.

    What is there then stays, and the collector passes it over until the next call: looking through all of a twin took
    a third of a second each time, in which the wire carried nothing.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
