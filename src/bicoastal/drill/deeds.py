"""What experiments do: take regions away, type commands, wait for users, give back, and ask databases for their rows.

Deeds only act and leave their times; nothing is judged here.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bicoastal.core.errors import SystemFault
from bicoastal.drill.experiment import Deed, Run
from bicoastal.drill.measure import READS, WRITES, settled
from bicoastal.drill.operator import Command
from bicoastal.drill.steady import STEADY_S
from bicoastal.twin.cloud.gateway import Fault
from bicoastal.twin.interfaces import How

FAILOVER_S = 120.0
SERVED_S = 240.0
HOME_S = 300.0
_ANSWERS_S = 90.0
_FENCED_S = 60.0
_PROMOTE = "promote"
_FENCED_AT = "SELECT extract(epoch FROM fenced_at)::float8 FROM bicoastal.state"


def lose(run: Run, how: How, api: str) -> None:
    """The home region, all of it; calls to its API `refuse` or `hang`."""
    faults = run.stage.twin.faults
    if (api == "hang") != (how == "black-hole"):
        # Given first, for the first fault that covers a call is the one that it meets.
        faults.fail_api(Fault(api, region=run.home))
    run.fault, run.lost = faults.lose_region(run.home, how), run.home


def fail_over(run: Run, during: Callable[[Command], None] | None = None) -> None:
    """Type it until it is done. Raises SystemFault."""
    with run.phase("failover"):
        run.failover = run.operator.insists("failover", within_s=FAILOVER_S, during=during)


def return_when_promoting(run: Run, command: Command) -> None:
    """The lost region is there again just when its replica is being promoted."""
    if run.returned is None and command.step(_PROMOTE) is not None:
        run.returned = run.stage.twin.faults.recover_region(run.home)


def _noticed(run: Run) -> bool:
    """Whether users have asked for a while since: what they were told before a fault says nothing of it."""
    return run.fault is None or time.time() > run.fault.ended + STEADY_S


def served(run: Run) -> None:
    """Until every attempt was served for a while; who waits longer than the drill does is said by the figures."""
    with run.phase("users move"):
        run.wait(
            "every user is served again",
            lambda: (
                _noticed(run)
                and settled(run.users.entries(), READS | WRITES, (run.home, run.standby), time.time(), STEADY_S)
            ),
            SERVED_S,
        )
    run.served_until = time.time()


def give_back(run: Run) -> None:
    """The lost region is there again, where it is not yet."""
    with run.phase("the region returns"):
        faults = run.stage.twin.faults
        faults.fail_api()
        if run.returned is None:
            run.returned = faults.recover_region(run.home)


def fenced(run: Run) -> None:
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


def count_both(run: Run) -> None:
    """Both databases are asked for their rows, while nobody writes into the old one any more."""
    with run.phase("rows are counted"):
        count(run, run.standby)
        run.stale_rows = run.stage.ids(run.home)


def count(run: Run, region: str) -> None:
    """The database that takes writes is asked for its rows. Raises SystemFault where it cannot be."""
    _count(run, region, "")


def count_now(run: Run, region: str) -> None:
    """The same where the region has another generation by now than at the beginning."""
    _count(run, region, run.stage.database_of(region))


def _count(run: Run, region: str, database: str) -> None:
    run.counted = time.time()
    run.survivor_rows = run.stage.ids(region, database)
    if run.survivor_rows is None:
        raise SystemFault(f"the database in {region} could not be asked for its rows")


def rejoin(run: Run) -> None:
    """Type it until it is done. Raises SystemFault."""
    with run.phase("rejoin"):
        run.operator.insists("rejoin", within_s=HOME_S)


def as_before(run: Run) -> None:
    """What a rejoin keeps is deleted, and fleets are as large as they were: another drill may begin here."""
    with run.phase("what was kept is deleted"):
        run.stage.delete_former_databases()
        run.stage.restore_fleets()
        run.wait("what was kept is gone, and fleets are as they were", run.stage.as_it_began, HOME_S)


def back_home(run: Run) -> None:
    """The lost side as a replica again, then the primary at home, then the standby as its replica."""
    for words in (("rejoin",), ("switchover", "--to", run.home), ("rejoin",)):
        with run.phase(" ".join(words)):
            run.operator.insists(*words, within_s=HOME_S)


AS_BEFORE = Deed("what was kept is deleted, and fleets are as they were", as_before)
