"""The steady state in sentences: what must be so before anything is lost, and again afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bicoastal.core.errors import SystemFault
from bicoastal.drill.experiment import Condition, Deed, Run, steady
from bicoastal.drill.ledger import PAGE, READ
from bicoastal.drill.measure import READS, WRITES, heartbeat_ages, settled

STEADY_S = 3.0
LAG_S = 1.0


def _pages(run: Run) -> str:
    now = time.time()
    entries = run.users.entries()
    if settled(entries, {PAGE}, (run.home, run.standby), now, STEADY_S) and settled(
        entries, READS, (run.home, run.standby), now, STEADY_S
    ):
        return ""
    return "a page or a read was not served in the last seconds"


def _rows(run: Run) -> str:
    coasts = (run.home, run.standby)
    held = settled(run.users.entries(), WRITES, coasts, time.time(), STEADY_S)
    return "" if held else "a row was not acknowledged in the last seconds"


def _lag(run: Run) -> str:
    return _behind(run, run.standby)


def _behind(run: Run, region: str) -> str:
    ages = heartbeat_ages(run.users.entries(), region, time.time(), STEADY_S)
    if not ages:
        return "nobody could read how far the replica is behind"
    return "" if min(ages) < LAG_S else f"the replica is {min(ages):.1f} s behind"


def _own(run: Run) -> str:
    """By what the last answers said: of each user, for one that keeps his connection may stay where he was."""
    since = time.time() - STEADY_S
    recent = [entry for entry in run.users.entries() if entry.kind == READ and entry.ended > since]
    elsewhere = sorted(
        {f"{entry.user} by {entry.region or 'nobody'}" for entry in recent if entry.region != entry.coast}
    )
    if not recent:
        return "nobody was answered"
    return f"served elsewhere: {', '.join(elsewhere)}" if elsewhere else ""


OWN = Condition("each coast is served by its own region", _own)
PAGES = Condition("pages are served on both coasts", _pages)
ROWS = Condition("rows are acknowledged on both coasts", _rows)
LAG = Condition("the replica is less than a second behind", _lag)
STEADY = (PAGES, OWN, ROWS, LAG)


def _again(run: Run) -> None:
    _all_of(run, STEADY)


def _moved(run: Run) -> None:
    _all_of(run, (PAGES, OWN, ROWS, Condition(LAG.text, lambda run: _behind(run, run.home))))


def _all_of(run: Run, conditions: Sequence[Condition]) -> None:
    with run.phase("steady state again"):
        held = [steady(run, "afterwards", condition) for condition in conditions]
        if not all(held):
            raise SystemFault("the steady state did not come back")


STEADY_AGAIN = Deed("the steady state is back", _again)
STEADY_MOVED = Deed("the steady state is back", _moved)
"""With the primary in the region that was the standby."""
