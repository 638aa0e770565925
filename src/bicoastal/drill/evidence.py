"""What was recorded of a run, as figures: made once, after it, from the ledger, the gateway's record and databases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from bicoastal.drill.calls import Call, forbidden, of_operator
from bicoastal.drill.experiment import Run
from bicoastal.drill.ledger import Entry
from bicoastal.drill.measure import READS, WRITES, Loss, Recovery, loss, recovery
from bicoastal.resilience.region_loss import Prediction


@dataclass(frozen=True)
class Evidence:
    """What promises are held against. Times are seconds since the epoch."""

    entries: Sequence[Entry]
    fault: float
    """The moment from which times are given."""
    until: float
    """When what is measured was over."""
    predicted: Sequence[Prediction]
    reads: Recovery
    undrained: Recovery
    """Reads, with the read gate's answers counted as such: what the loss alone cost."""
    writes: Recovery
    loss: Loss | None
    """None where no database was asked for its rows."""
    calls: Sequence[Call]
    """The operator's, from the fault to the end of the failover, or of what is measured."""
    forbidden: Sequence[Call]
    """Those of them that must not be, where a region was lost."""

    @property
    def during(self) -> list[Entry]:
        """What ended within what is measured, of users who follow DNS."""
        return [entry for entry in self.entries if self.fault < entry.ended <= self.until and not entry.pinned]


def gather(run: Run, entries: Sequence[Entry], predicted: Sequence[Prediction]) -> Evidence:
    """All of it. Raises SystemFault where the gateway does not give its record."""
    fault = run.fault.began if run.fault is not None else time.time()
    until = run.served_until
    calls = _calls(run, fault)
    return Evidence(
        entries=entries,
        fault=fault,
        until=until,
        predicted=predicted,
        reads=recovery(entries, READS, fault, until=until),
        undrained=recovery(entries, READS, fault, until=until, drained=False),
        writes=recovery(entries, WRITES, fault, until=until),
        loss=_loss(run, entries),
        calls=calls,
        forbidden=forbidden(calls, run.lost) if run.lost else [],
    )


def _loss(run: Run, entries: Sequence[Entry]) -> Loss | None:
    if run.fault is None or run.survivor_rows is None:
        return None
    return loss(
        entries,
        lost_region=run.lost or run.home,
        fault=run.fault.ended,
        returned=run.returned.began if run.returned is not None else None,
        counted=run.counted,
        survivor=run.survivor_rows,
        stale=run.stale_rows,
    )


def _calls(run: Run, fault: float) -> list[Call]:
    ended = run.failover.ended if run.failover is not None else run.served_until
    found = of_operator(run.stage.calls(), run.operator.access_key_ids)
    return [call for call in found if fault <= call.began <= ended]
