"""What to do next about one group: a pure function of what was observed.

Each round does what is possible now and leaves the rest to the next one, which comes with the change that this one
makes. First what is certain (who has ended, who runs now), then who is to be replaced, and only when nothing of that
was new: who goes and who comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.fleets.balance import subnet_for, uneven, victims, zones_for
from bicoastal.twin.fleets.fleet import ENDED, GONE, Bounds, Decision, Fleet, Later, Member, Refresh
from bicoastal.twin.pace import Pace

Json = Any
Action = Mapping[str, Json]

STUCK_S = 3600.0
"""An instance refresh that replaces nothing for this long has failed (EC2 Auto Scaling User Guide)."""
_RETRY_FIRST_S, _RETRY_LONGEST_S = 10.0, 300.0
_BALANCER_MARGIN_S = 5.0
"""Our own patience with a balancer that does not say that a target has drained."""
_REBALANCE_EXTRA = 110.0


def decide(fleet: Fleet, pace: Pace) -> Decision:
    """The group's next actions, each a document as the control plane takes it."""
    later = Later()
    certain = [*_ended(fleet, pace, later), *_running(fleet)]
    marks = [*_unhealthy(fleet, pace, later), *_to_replace(fleet), *_refreshed(fleet, pace, later)]
    if certain or marks:
        return Decision((*certain, *marks), later.at)
    actions = [*_retired(fleet, pace, later), *_launched(fleet, pace, later)] or _rebalanced(fleet)
    return Decision(tuple(actions), later.at)


def _ended(fleet: Fleet, pace: Pace, later: Later) -> list[Action]:
    """Members that are no capacity any more: ended when drained, forgotten when they are gone."""
    actions: list[Action] = []
    for member in fleet.members:
        if member.counts:
            continue
        if member.ec2 in ("terminated", GONE):
            actions.append({"do": "forget", "id": member.id})
        elif member.state == "Terminating" and member.ec2 != "shutting-down" and _drained(fleet, member, pace, later):
            actions.append({"do": "terminate", "id": member.id})
    return actions


def _drained(fleet: Fleet, member: Member, pace: Pace, later: Later) -> bool:
    if member.ec2 in ENDED:
        return True
    if fleet.drains_by_balancer:
        limit = member.drained_from + pace.seconds(fleet.drain_s) + _BALANCER_MARGIN_S
        return member.target != "draining" or later.passed(fleet.now, limit)
    return not member.drained_from or later.passed(fleet.now, member.drained_from + pace.seconds(fleet.drain_s))


def _running(fleet: Fleet) -> list[Action]:
    return [
        {"do": "serve", "id": member.id}
        for member in fleet.members
        if member.state == "Pending" and member.ec2 == "running"
    ]


def _unhealthy(fleet: Fleet, pace: Pace, later: Later) -> list[Action]:
    """Members that a health check finds unhealthy."""
    if not fleet.runs("HealthCheck"):
        return []
    found: list[Action] = []
    for member in fleet.alive:
        if not member.healthy:
            continue
        if member.ec2 in ENDED:
            found.append({"do": "unhealthy", "id": member.id, "by": "ec2"})
        elif member.reachable is False:
            found.append({"do": "unhealthy", "id": member.id, "by": "impaired"})
        elif (
            fleet.uses_balancer_health
            and member.target == "unhealthy"
            and member.served
            and later.passed(fleet.now, member.served + pace.seconds(fleet.grace_s))
        ):
            found.append({"do": "unhealthy", "id": member.id, "by": "balancer"})
    return found


def _to_replace(fleet: Fleet) -> list[Action]:
    """Unhealthy members are to be replaced; those that were set healthy again are not."""
    if not fleet.runs("ReplaceUnhealthy"):
        return []
    leave: list[Action] = [
        {"do": "leave", "id": member.id, "why": "unhealthy"}
        for member in fleet.alive
        if not member.healthy and member.leaving != "unhealthy"
    ]
    return leave + [
        {"do": "stay", "id": member.id} for member in fleet.alive if member.healthy and member.leaving == "unhealthy"
    ]


def _refreshed(fleet: Fleet, pace: Pace, later: Later) -> list[Action]:
    """An instance refresh: what it replaces is marked once; from then on it is watched to its end."""
    refresh = fleet.refresh
    if refresh is None or not fleet.runs("InstanceRefresh"):
        return []
    if refresh.total < 0:
        old = [member for member in fleet.staying if _is_obsolete(fleet, refresh, member)]
        marks: list[Action] = [{"do": "leave", "id": member.id, "why": "refresh"} for member in old]
        return [*marks, {"do": "refresh", "status": "InProgress", "total": len(old), "left": len(old), "percent": 0}]
    leaving = [member for member in fleet.alive if member.leaving == "refresh"]
    fresh = [member for member in fleet.staying if member.launched >= refresh.started]
    ready = [member for member in fresh if _ready(fleet, member, pace, refresh.warmup_s, later)]
    left = max(refresh.total - len(ready), 0)
    if not leaving and len(ready) == len(fresh) and len(fleet.staying) >= fleet.desired:
        return [{"do": "refresh", "status": "Successful", "left": 0, "percent": 100}]
    percent = (refresh.total - left) * 100 // refresh.total if refresh.total else 0
    if left < refresh.left:
        return [{"do": "refresh", "status": "InProgress", "left": left, "percent": percent}]
    if later.passed(fleet.now, refresh.progressed + pace.seconds(STUCK_S)):
        return [{"do": "refresh", "status": "Failed", "left": refresh.left, "percent": refresh.percent}]
    return []


def _is_obsolete(fleet: Fleet, refresh: Refresh, member: Member) -> bool:
    if refresh.skip_matching:
        return (member.template, member.version) != (fleet.template, fleet.version)
    return member.launched < refresh.started


def _ready(fleet: Fleet, member: Member, pace: Pace, warmup_s: float, later: Later) -> bool:
    """In service, warm, and found well by its balancer where the group asks that.

    It may still boot: its grace period keeps it from being replaced, and a refresh waits for it all the same ("has
    insufficient data to evaluate its health with Elastic Load Balancing").
    """
    return (
        member.state == "InService"
        and member.healthy
        and (not fleet.uses_balancer_health or member.target in ("", "healthy"))
        and member.ec2 == "running"
        and later.passed(fleet.now, member.served + pace.seconds(warmup_s))
    )


def _retired(fleet: Fleet, pace: Pace, later: Later) -> list[Action]:
    """Who goes now: what is replaced, as far as enough are left in service, and what is above the desired capacity."""
    if not fleet.runs("Terminate"):
        return []
    leaving = [member for member in fleet.alive if member.leaving]
    warmup_s = fleet.refresh.warmup_s if fleet.refresh else fleet.warmup_s
    # Without somebody to wait for, nobody asks who is ready: it would make timers for nothing.
    serving = [
        member
        for member in (fleet.alive if leaving else ())
        if member.state == "InService"
        and (member.leaving or _ready(fleet, member, pace, warmup_s, later))
        and member.ec2 not in ENDED
    ]
    left = len(serving)
    retired: list[Action] = []
    for member in sorted(leaving, key=lambda one: (one.leaving != "unhealthy", one.launched, one.id)):
        if member.leaving == "unhealthy" and not fleet.runs("ReplaceUnhealthy"):
            continue
        if member not in serving:
            retired.append({"do": "retire", "id": member.id, "why": member.leaving})
        elif left > _bounds(fleet, member.leaving).least:
            retired.append({"do": "retire", "id": member.id, "why": member.leaving})
            left -= 1
    surplus = len(fleet.staying) - fleet.desired
    return retired + [
        {"do": "retire", "id": member.id, "why": "capacity", "from": len(fleet.alive), "to": fleet.desired}
        for member in victims(fleet, fleet.staying, surplus)
    ]


def _launched(fleet: Fleet, pace: Pace, later: Later) -> list[Action]:
    """Who comes now: what is missing, as far as there are not too many while some are replaced."""
    leaving = [member for member in fleet.alive if member.leaving]
    needed = fleet.desired - len(fleet.staying)
    if needed <= 0 or not fleet.runs("Launch"):
        return []
    most = max([fleet.desired, *(_bounds(fleet, member.leaving).most for member in leaving)])
    count = min(needed, most - len(fleet.alive))
    if count <= 0 or not later.passed(fleet.now, _retry_at(fleet, pace)):
        return []
    if fleet.failures:
        count = 1
    why = leaving[0].leaving if leaving else "capacity"
    sizes = {"from": len(fleet.alive), "to": len(fleet.alive) + count}
    return [
        {"do": "launch", "zone": zone, "subnet": subnet_for(fleet, zone, index), "why": why, **sizes}
        for index, zone in enumerate(zones_for(fleet, fleet.staying, count))
    ]


def _retry_at(fleet: Fleet, pace: Pace) -> float:
    if not fleet.failures:
        return 0.0
    return fleet.failed_at + pace.seconds(min(_RETRY_FIRST_S * 2 ** min(fleet.failures - 1, 8), _RETRY_LONGEST_S))


def _rebalanced(fleet: Fleet) -> list[Action]:
    """One member at a time moves to another zone, when nothing else is going on."""
    quiet = (
        fleet.refresh is None
        and not fleet.failures
        and len(fleet.members) == len(fleet.staying) == fleet.desired
        and all(member.state == "InService" for member in fleet.members)
        and all(fleet.runs(process) for process in ("AZRebalance", "Launch", "Terminate"))
    )
    member = uneven(fleet, fleet.staying) if quiet else None
    return [{"do": "leave", "id": member.id, "why": "rebalance"}] if member else []


def _bounds(fleet: Fleet, why: str) -> Bounds:
    """Without a maintenance policy: an unhealthy instance goes first, a refresh keeps 90 %, a move launches first."""
    if why == "refresh" and fleet.refresh and fleet.refresh.least_percent is not None:
        return Bounds.of(fleet.desired, fleet.refresh.least_percent, fleet.refresh.most_percent or 100)
    if fleet.maintenance:
        return Bounds.of(fleet.desired, *fleet.maintenance)
    percentages = {"refresh": (90.0, 100.0), "rebalance": (100.0, _REBALANCE_EXTRA)}
    return Bounds.of(fleet.desired, *percentages.get(why, (0.0, 100.0)))
