"""The loss of one Availability Zone of the home region: the one in which the database's primary stands.

Its instances and its database node are gone, and EC2 has no capacity there. The twin's load balancer is one process and
has no node in a zone: what a lost node of AWS's costs (a client's stale address, until its TTL is over) is not seen.

Bars, each divided by the pace:
- reads: until the balancer has left the lost instances, by the target group's health check in the templates (interval,
  threshold, timeout), and one attempt that hangs meanwhile;
- writes: what AWS publishes for a Multi-AZ failover, and one such attempt;
- capacity: what the group gives a new server until it must be well (`HealthCheckGracePeriod` in the templates).
"""

from __future__ import annotations

import time

from bicoastal.core.errors import SystemFault
from bicoastal.drill import deeds, in_region, looks
from bicoastal.drill.evidence import Evidence
from bicoastal.drill.experiment import Deed, Experiment, Judged, Promise, Run
from bicoastal.drill.promises import NOTHING_LOST
from bicoastal.drill.steady import STEADY, STEADY_AGAIN

CAPACITY_S = 240.0


def _lose(run: Run) -> None:
    zone = in_region.note_database(run).zone
    fleet = looks.fleet(run, run.home)
    run.notes |= {
        "zone": zone,
        "lost_instances": sum(there == zone for there in fleet.zones.values()),
        "desired": fleet.desired,
    }
    run.fault = run.stage.twin.faults.lose_zone(run.home, zone)


def _elsewhere(run: Run) -> int:
    """Servers in service and healthy, outside of the lost zone."""
    fleet = looks.fleet(run, run.home)
    run.notes["zones_after"] = sorted(fleet.zones.values())
    return sum(zone != run.notes["zone"] for zone in fleet.zones.values())


def _capacity(run: Run) -> None:
    if run.fault is None:
        raise SystemFault("no zone was lost")
    with run.phase("capacity is restored"):
        run.wait("the fleet is back at its desired number", lambda: _elsewhere(run) >= run.notes["desired"], CAPACITY_S)
    run.notes["capacity_s"] = round(time.time() - run.fault.began, 2)


def _recover(run: Run) -> None:
    if "zone" in run.notes:
        run.returned = run.stage.twin.faults.recover_zone(run.home, run.notes["zone"])


def judge_capacity(run: Run, _: Evidence) -> Judged:
    """Whether as many servers as before serve outside of the lost zone, in time."""
    seconds = run.notes.get("capacity_s")
    if seconds is None:
        return False, "the fleet was not back at its desired number"
    if not run.notes["lost_instances"]:
        return False, f"no server stood in {run.notes['zone']}: nothing was lost"
    bar = _grace_s(run)
    if bar is None:
        return False, "the templates do not say how long a server may take"
    said = f"{run.notes['desired']} servers in {', '.join(run.notes['zones_after'])} after {seconds:.1f} s"
    return seconds <= bar / run.stage.pace.factor, f"{said}, at most {bar / run.stage.pace.factor:.1f} s"


def _grace_s(run: Run) -> float | None:
    deployment = looks.deployment(run)
    groups = [] if deployment is None else deployment.of_type("AWS::AutoScaling::AutoScalingGroup", region=run.home)
    known = [group.get("HealthCheckGracePeriod") for group in groups]
    return max((float(value) for value in known if isinstance(value, int | float | str)), default=None)


EXPERIMENTS = (
    Experiment(
        "az-loss",
        "an Availability Zone of the home region is gone, with the database's primary",
        given=STEADY,
        when=(
            Deed("the zone of the primary is lost: its servers, its database node, its capacity", _lose),
            Deed("users are served by what is left", deeds.served),
            in_region.STANDBY_AGAIN,
            Deed("the fleet is back at its desired number in the other zones", _capacity),
            in_region.COUNT,
        ),
        afterwards=(
            Deed("the zone is there again", _recover),
            STEADY_AGAIN,
        ),
        then=(
            in_region.READS_WITHIN,
            in_region.WRITES_WITHIN,
            NOTHING_LOST,
            in_region.SAME_ENDPOINT,
            Promise(
                "as many servers as before serve in the other zones, within what a new one may take", judge_capacity
            ),
            in_region.STANDBY_ELSEWHERE,
        ),
        traceless=True,
        measured=True,
    ),
)
