"""The loss of the home region, in sentences: servers, balancer, databases, wire, API, and with it Route 53's and IAM's.

region-loss                     everything there refuses at once; it comes back when the standby has taken over
region-loss-black-hole          nothing of it answers any more
region-loss-returns-meanwhile   it comes back just when its replica is being promoted
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from bicoastal.core.errors import SystemFault
from bicoastal.drill.experiment import Condition, Deed, Experiment, Run, steady
from bicoastal.drill.ledger import PAGE, READ
from bicoastal.drill.measure import READS, WRITES, heartbeat_ages, settled
from bicoastal.drill.operator import Command
from bicoastal.twin.cloud.gateway import Fault
from bicoastal.twin.interfaces import How

STEADY_S = 3.0
_COUNTED = 3
"""Deeds afterwards until rows are counted."""
LAG_S = 1.0
_FAILOVER_S = 120.0
_SERVED_S = 240.0
_ANSWERS_S = 90.0
_FENCED_S = 60.0
_HOME_S = 300.0
_PROMOTE = "promote"
_ROWS = "SELECT id::text FROM orders"
_FENCED_AT = "SELECT extract(epoch FROM fenced_at)::float8 FROM bicoastal.state"
_THEN = (
    "every user is with the survivor within the checks' time and one TTL",
    "every user reads within the same, or a second after the operator has opened the drained gate again",
    "every user writes within the same",
    "only rows that were under way between the coasts are lost",
    "the operator's path asked nothing of what is lost",
    "who follows DNS stores no row in the returned region's old database, and that is fenced",
)


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
    ages = heartbeat_ages(run.users.entries(), run.standby, time.time(), STEADY_S)
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


def _lose(run: Run, how: How, api: str) -> None:
    faults = run.stage.twin.faults
    if (api == "hang") != (how == "black-hole"):
        # Given first, for the first fault that covers a call is the one that it meets.
        faults.fail_api(Fault(api, region=run.home))
    run.fault = faults.lose_region(run.home, how)


def _fail_over(run: Run, during: Callable[[Command], None] | None = None) -> None:
    with run.phase("failover"):
        run.failover = run.operator.insists("failover", within_s=_FAILOVER_S, during=during)


def _return_when_promoting(run: Run, command: Command) -> None:
    if run.returned is None and command.step(_PROMOTE) is not None:
        run.returned = run.stage.twin.faults.recover_region(run.home)


def _served(run: Run) -> None:
    """Until every attempt was served for a while; who waits longer than the drill does is said by the figures."""
    with run.phase("users move"):
        run.wait(
            "every user is served again",
            lambda: settled(run.users.entries(), READS | WRITES, (run.home, run.standby), time.time(), STEADY_S),
            _SERVED_S,
        )
    run.served_until = time.time()


def _give_back(run: Run) -> None:
    with run.phase("the region returns"):
        faults = run.stage.twin.faults
        faults.fail_api()
        if run.returned is None:
            run.returned = faults.recover_region(run.home)


def _fenced(run: Run) -> None:
    """Until the old primary is fenced, by an auditor's look into it."""
    with run.phase("the old primary is fenced"):
        run.wait("the old database answers", lambda: run.stage.rows(run.home, _FENCED_AT), _ANSWERS_S)
        run.wait("the old database is fenced", lambda: _fenced_at(run) is not None, _FENCED_S)
        at = _fenced_at(run)
        if at is not None and run.returned is not None:
            # One that ran on and was cut off has fenced itself before it returned.
            run.fenced_after_s = max(at - run.returned.ended, 0.0)


def _fenced_at(run: Run) -> float | None:
    found = run.stage.rows(run.home, _FENCED_AT)
    return None if not found or found[0][0] is None else float(found[0][0])


def _count(run: Run) -> None:
    """Both databases are asked for their rows, while nobody writes into the old one any more."""
    with run.phase("rows are counted"):
        run.counted = time.time()
        survivor = run.stage.rows(run.standby, _ROWS)
        if survivor is None:
            raise SystemFault(f"the database in {run.standby} could not be asked for its rows")
        run.survivor_rows = frozenset(str(row[0]) for row in survivor)
        stale = run.stage.rows(run.home, _ROWS)
        run.stale_rows = None if stale is None else frozenset(str(row[0]) for row in stale)


def _back_home(run: Run) -> None:
    """The lost side as a replica again, then the primary at home, then the standby as its replica."""
    for words in (("rejoin",), ("switchover", "--to", run.home), ("rejoin",)):
        with run.phase(" ".join(words)):
            run.operator.insists(*words, within_s=_HOME_S)


def _steady_again(run: Run) -> None:
    with run.phase("steady state again"):
        held = [steady(run, "afterwards", condition) for condition in STEADY]
        if not all(held):
            raise SystemFault("the steady state did not come back")


def staying(experiment: Experiment) -> Experiment:
    """The same without the way home: it ends with the standby as the primary, and the old one fenced and counted."""
    return replace(experiment, afterwards=experiment.afterwards[:_COUNTED])


def _region_loss(name: str, title: str, how: How, *, api: str = "", meanwhile: bool = False) -> Experiment:
    loses = "is lost, and refuses everybody" if how == "refuse" else "is lost, and answers nobody"
    return Experiment(
        name,
        title,
        given=STEADY,
        when=(
            Deed(f"the home region {loses}", partial(_lose, how=how, api=api or _API[how])),
            Deed(
                "an operator types `bicoastal failover`"
                + (", and the region returns while it promotes" if meanwhile else ""),
                lambda run: _fail_over(run, partial(_return_when_promoting, run) if meanwhile else None),
            ),
            Deed("users look for who serves them", _served),
        ),
        afterwards=(
            Deed("the home region returns with its old primary", _give_back),
            Deed("the old primary fences itself", _fenced),
            Deed("both databases are asked for their rows", _count),
            Deed("the operator brings the primary home", _back_home),
            Deed("the steady state is back", _steady_again),
        ),
        black_hole=how == "black-hole",
        then=_THEN,
    )


_API = {"refuse": "refuse", "black-hole": "hang"}
EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        _region_loss("region-loss", "the home region is gone, and says so", "refuse"),
        _region_loss("region-loss-black-hole", "the home region is gone, and says nothing", "black-hole"),
        _region_loss("region-loss-api-hangs", "as region-loss, and calls to what is lost hang", "refuse", api="hang"),
        _region_loss(
            "region-loss-returns-meanwhile", "the home region returns during the failover", "refuse", meanwhile=True
        ),
    )
}
"""By name."""
