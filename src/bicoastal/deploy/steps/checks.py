"""Waits until new health checks say what their endpoints do, before records are made that believe them.

An inverted check is unhealthy until a few probes have been counted: records made before would say "taken over" to both
fleets, which fence their databases at that.
"""

from __future__ import annotations

from bicoastal.aws.faults import UNKNOWN_ACTION, ApiFault
from bicoastal.deploy.graph import NotDone
from bicoastal.deploy.moments import End
from bicoastal.deploy.package import Package
from bicoastal.deploy.run import Run, Step
from bicoastal.stacks.probes import probed_checks, watch

NAME = "health checks settled"


def settled_checks(package: Package) -> list[Step]:
    """One step, where there are checks."""
    after = package.entries("checks")
    return [Step(NAME, after, package.entries("names"), _wait)] if after else []


def _wait(run: Run) -> End:
    entry = run.package.entries("checks")[0]
    names = run.package.entries("names")
    if entry.id not in run.changed and all((known := run.views.get(name.id)) and known.good for name in names):
        return End.UNCHANGED
    run.begin(NAME, "waiting for the first probes to be counted")
    checks = probed_checks(run.session, run.done(entry).id, entry.region)
    try:
        watch(run.session, entry.region, checks)
    except ApiFault as fault:
        if fault.code in UNKNOWN_ACTION | {"InvalidInput"}:
            raise NotDone(
                f"{NAME}: not done: this endpoint does not answer GetHealthCheckStatus.\n"
                "    -> Look at the health checks yourself: until their first probes are counted, an inverted check "
                "counts as unhealthy."
            ) from fault
        raise
    for check in checks:
        if not check.healthy:
            run.note(NAME, f"{check.logical_id} is unhealthy: the records are made all the same, and lead around it")
    return End.DONE
