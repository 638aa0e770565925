"""The loss of the host on which the database's primary runs, with its disk: RDS moves to the Multi-AZ standby.

Nobody types anything. Bars, each divided by the pace: reads, which find the other region's database at once, have those
of a lost server (they may be under way when it dies); writes what AWS publishes for a Multi-AZ failover, and one
attempt that hangs meanwhile.
"""

from __future__ import annotations

from bicoastal.drill import deeds, in_region
from bicoastal.drill.experiment import Deed, Experiment, Run
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.steady import STEADY, STEADY_AGAIN


def _lose(run: Run) -> None:
    identifier = in_region.note_database(run).identifier
    run.fault = run.stage.twin.faults.kill_database_primary(run.home, identifier, disk=True)


EXPERIMENTS = (
    Experiment(
        "database-loss",
        "the primary's process and disk are gone",
        given=STEADY,
        when=(
            Deed("the host of the primary fails, and its disk with it", _lose),
            Deed("users are served again", deeds.served),
            in_region.STANDBY_AGAIN,
            in_region.COUNT,
        ),
        afterwards=(STEADY_AGAIN,),
        then=(
            in_region.READS_WITHIN,
            in_region.WRITES_WITHIN,
            NOTHING_LOST,
            in_region.SAME_ENDPOINT,
            in_region.STANDBY_ELSEWHERE,
        ),
        traceless=True,
        measured=True,
    ),
)
