"""Runs and evidence that were made up, for judges: whoever judges asks no twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Run
from bicoastal.drill.ledger import Entry
from bicoastal.drill.measure import READS, WRITES, Loss, recovery
from bicoastal.resilience.region_loss import Prediction
from bicoastal.twin.faults import Act
from bicoastal.twin.pace import FAST
from tests.drill.entries import EAST, WEST

FAULT = 100.0


@dataclass
class _Script:
    home: str = EAST
    standby: str = WEST
    name: str = "orders-production"
    domain: str = "orders.example.com"


@dataclass
class _Stage:
    script: _Script = field(default_factory=_Script)
    pace: Any = FAST
    package: Any = None


def run(*, returned: float | None = None, **changes: object) -> Run:
    """In which something was lost at FAULT, and came back."""
    nobody = cast("Any", None)
    made = Run(nobody, cast("Any", _Stage()), nobody, nobody, tell=lambda _: None)
    made.fault = Act("a fault", FAULT, FAULT)
    made.returned = Act("it is back", returned, returned) if returned is not None else None
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def evidence(
    *entries: Entry, until: float = 200.0, loss: Loss | None = None, predicted: Sequence[Prediction] = ()
) -> Evidence:
    """What such a run left."""
    return Evidence(
        entries=sorted(entries, key=lambda entry: entry.ended),
        fault=FAULT,
        until=until,
        predicted=predicted,
        reads=recovery(entries, READS, FAULT, until=until),
        undrained=recovery(entries, READS, FAULT, until=until, drained=False),
        writes=recovery(entries, WRITES, FAULT, until=until),
        loss=loss,
        calls=(),
        forbidden=(),
    )


def lost(*ids: str, acknowledged: int = 10, diverged: tuple[str, ...] = ()) -> Loss:
    """Rows that were acknowledged, and are not in the survivor."""
    return Loss(acknowledged, ids, None, 0, diverged, None, 0)
