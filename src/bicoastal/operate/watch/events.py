"""What has happened between two looks, in sentences: for a time line, and for who cannot see the picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bicoastal.operate.standing import Standing
from bicoastal.operate.watch.checks import Check
from bicoastal.operate.watch.coast import Alarm, Coast, Database, Host

Kind = Literal["bad", "good", "note"]


@dataclass(frozen=True)
class Event:
    """Something that was seen to have changed."""

    kind: Kind
    text: str
    region: str = ""
    """Empty: of both, or of none."""


def of_coast(before: Coast | None, now: Coast, prefix: str) -> Iterator[Event]:
    """Between two looks at a region. `prefix` begins all names there, and is left out."""
    if before is None:
        return
    region = now.region
    if before.answered != now.answered:
        yield (
            Event("good", "the AWS API answers again", region)
            if now.answered
            else Event("bad", f"the AWS API does not answer: {now.why}", region)
        )
    if not now.answered or not before.at:
        return
    yield from _balancer(before, now)
    yield from _fleet(before, now)
    yield from _hosts(region, before.hosts, now.hosts)
    yield from _databases(region, before.databases, now.databases, prefix)
    yield from _alarms(region, before.alarms, now.alarms, prefix)


def of_standing(before: Standing | None, now: Standing) -> Iterator[Event]:
    """Who is the primary, and whether it is protected."""
    if before is None:
        return
    if before.primary != now.primary:
        yield (
            Event("note", f"the primary is in {now.primary}", now.primary)
            if now.primary
            else Event("bad", "which region has the primary is not clear")
        )
    if before.protected != now.protected:
        yield (
            Event("good", "protected: either region can be lost")
            if now.protected
            else Event("bad", f"unprotected: {now.why[0] if now.why else 'the reason is not known'}")
        )


def of_checks(before: Sequence[Check] | None, now: Sequence[Check] | None) -> Iterator[Event]:
    """Health checks that have changed their mind."""
    was = {check.name: check for check in before or ()}
    for check in now or ():
        old = was.get(check.name)
        if old is None or old.healthy == check.healthy or None in (old.healthy, check.healthy):
            continue
        yield Event("good" if check.healthy else "bad", f"health check {check.name} is {_word(check)}")


def of_users(before: Mapping[str, str | None] | None, now: Mapping[str, str | None]) -> Iterator[Event]:
    """Where names lead users: coast to region."""
    for coast, region in now.items():
        old = (before or {}).get(coast)
        if old is not None and region is not None and old != region:
            yield Event("good" if coast == region else "note", f"users near {coast} are sent to {region}", coast)


def _word(check: Check) -> str:
    votes = f", {check.votes[0]} of {check.votes[1]} votes" if check.votes else ""
    return f"{'healthy' if check.healthy else 'unhealthy'}{votes}"


def _balancer(before: Coast, now: Coast) -> Iterator[Event]:
    if before.gate and now.gate and before.gate != now.gate:
        kind: Kind = "good" if now.gate == "open" else "note"
        yield Event(kind, f"the read gate is {now.gate}", now.region)
    if before.switch and now.switch and before.switch != now.switch:
        yield Event("note", f"the switch says {now.switch}", now.region)


def _fleet(before: Coast, now: Coast) -> Iterator[Event]:
    was, is_ = before.fleet, now.fleet
    if was and is_ and was.desired != is_.desired:
        yield Event("note", f"the fleet shall have {is_.desired} instances, not {was.desired}", now.region)


def _hosts(region: str, before: Sequence[Host], now: Sequence[Host]) -> Iterator[Event]:
    was = {host.id: host for host in before}
    is_ = {host.id: host for host in now}
    for id_, host in is_.items():
        old = was.get(id_)
        if old is None:
            yield Event("note", f"{id_} is launched in {host.zone}", region)
        elif old.target != host.target and host.target is not None:
            kind: Kind = "good" if host.target == "healthy" else "bad" if host.target == "unhealthy" else "note"
            yield Event(kind, f"{id_} is {host.target}{f': {host.why}' if host.why else ''}", region)
        elif (old.lifecycle, old.state) != (host.lifecycle, host.state) and host.state != "running":
            yield Event("note", f"{id_} is {host.state or host.lifecycle}", region)
        if old is not None and bool(old.emergency) != bool(host.emergency):
            yield (
                Event("bad", f"emergency access to {id_} is open", region)
                if host.emergency
                else Event("good", f"emergency access to {id_} has ended", region)
            )
    for id_ in was.keys() - is_.keys():
        yield Event("note", f"{id_} is gone", region)


def _databases(region: str, before: Sequence[Database], now: Sequence[Database], prefix: str) -> Iterator[Event]:
    was = {database.id: database for database in before}
    for database in now:
        name, old = database.id.removeprefix(f"{prefix}-"), was.get(database.id)
        if old is None:
            yield Event("note", f"database {name} is being made", region)
            continue
        if old.status != database.status:
            kind: Kind = "good" if database.status == "available" else "note"
            yield Event(kind, f"database {name} is {database.status}", region)
        if old.source and not database.source:
            yield Event("note", f"database {name} follows nobody any more: it is promoted", region)
        if old.zone and database.zone and old.zone != database.zone:
            yield Event("note", f"database {name} writes in {database.zone} now, not in {old.zone}", region)
        if old.replication != database.replication and database.replication:
            good = database.replication == "replicating"
            yield Event("good" if good else "bad", f"replication of {name}: {database.replication}", region)
    for id_ in was.keys() - {database.id for database in now}:
        yield Event("note", f"database {id_.removeprefix(f'{prefix}-')} is deleted", region)


def _alarms(region: str, before: Sequence[Alarm] | None, now: Sequence[Alarm] | None, prefix: str) -> Iterator[Event]:
    was = {alarm.name: alarm for alarm in before or ()}
    for alarm in now or ():
        old = was.get(alarm.name)
        if old is None or old.state == alarm.state:
            continue
        name = alarm.name.removeprefix(f"{prefix}-")
        if alarm.state == "ALARM":
            yield Event("bad" if alarm.calls_people else "note", f"alarm {name}", region)
        elif old.state == "ALARM":
            yield Event("good" if alarm.calls_people else "note", f"alarm {name} is over", region)
