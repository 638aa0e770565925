"""Every fault, by concern: at least one for each rule."""

from __future__ import annotations

from bench.faults.catalog import data, names, paths, rights, serving, wiring
from bench.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *wiring.FAULTS,
    *names.FAULTS,
    *serving.FAULTS,
    *data.FAULTS,
    *rights.FAULTS,
    *paths.FAULTS,
)
