"""Answers a question as Route 53 does, from records and health. Pure: it knows no socket, no clock and no dice.

A record is healthy when its check is and, with EvaluateTargetHealth, when at least one record of the name that it leads
to is, or the balancer is. Unhealthy records are left out of their set; when all are unhealthy, all count as healthy.
Weights are not drawn here: the answer is every possible one with its share, so that whoever asks draws, and a test sees
all of them. TTLs are those of the template. Geolocation, geoproximity and CIDR routing are not evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from bicoastal.twin.names.records import AWS_SUFFIX, ELB_SUFFIX, Record, World, Zone, balancer_key, full_name

BALANCER_TTL_S = 60
"""Of an alias to a load balancer, and of its own name."""
_DEEPEST = 16
_MULTIVALUE = 8
_ALL = Fraction(1)


@dataclass(frozen=True)
class Line:
    """One resource record of an answer."""

    name: str
    type: str
    ttl: int
    value: str


@dataclass(frozen=True)
class Answer:
    """What one user is told."""

    code: str
    """NOERROR, NXDOMAIN, REFUSED or SERVFAIL."""
    lines: tuple[Line, ...] = ()
    authority: Line | None = None
    """The zone's SOA, where there is nothing to say: its TTL is how long a resolver may remember that."""


Outcomes = tuple[tuple[Fraction, Answer], ...]
"""Possible answers with their shares, which sum to 1."""


class Unanswerable(Exception):  # noqa: N818 - Route 53 could answer it, we cannot: SERVFAIL, never a wrong answer
    """A routing policy that is not evaluated, or aliases in a circle."""


def outcomes(world: World, name: str, kind: str, near: Sequence[str]) -> Outcomes:
    """Every answer to a question; `near` lists regions, the one with the least latency first."""
    try:
        return _merged(_Question(world, kind, near).ask(full_name(name)))
    except Unanswerable:
        return ((_ALL, Answer("SERVFAIL")),)


def is_healthy(world: World, zone: Zone, record: Record, depth: int = 0) -> bool:
    """Whether the record would be used while another one of its set is healthy. Raises Unanswerable."""
    _check_depth(record.name, depth)
    if record.check and not world.checks.get(record.check, True):
        return False
    alias = record.alias
    if alias is None or not alias.evaluate:
        return True
    if alias.zone != zone.id:
        balancer = world.balancers.get(alias.name)
        return balancer is not None and balancer.healthy
    targets = (zone.find(alias.name) or {}).get(record.type, ())
    return any(is_healthy(world, zone, target, depth + 1) for target in targets)


@dataclass(frozen=True)
class _Question:
    """What is asked, but for the name: that changes on the way through aliases."""

    world: World
    kind: str
    near: Sequence[str]

    def ask(self, name: str, depth: int = 0) -> Outcomes:
        _check_depth(name, depth)
        zone = self.world.zone_of(name)
        if zone is not None:
            return self._in_zone(zone, name, depth)
        if name.endswith(ELB_SUFFIX) and balancer_key(name) in self.world.balancers:
            return ((_ALL, _of_balancer(self.world, name, self.kind)),)
        # Names of AWS are ours to deny; others' are nobody's here, and nothing is forwarded to the internet.
        return ((_ALL, Answer("NXDOMAIN" if name.endswith(AWS_SUFFIX) else "REFUSED")),)

    def _in_zone(self, zone: Zone, name: str, depth: int) -> Outcomes:
        found = zone.find(name)
        if found is None:
            return ((_ALL, Answer("NXDOMAIN", authority=_start_of_authority(zone))),)
        if self.kind in found:
            return self._of_set(zone, name, found[self.kind], depth)
        if "CNAME" in found:
            aliases = self._of_set(zone, name, found["CNAME"], depth)
            return tuple(each for share, answer in aliases for each in self._followed(share, answer, depth))
        return ((_ALL, Answer("NOERROR", authority=_start_of_authority(zone))),)

    def _followed(self, share: Fraction, answer: Answer, depth: int) -> list[tuple[Fraction, Answer]]:
        """A CNAME, and what the name that it gives answers."""
        if not answer.lines:
            return [(share, answer)]
        targets = self.ask(full_name(answer.lines[-1].value), depth + 1)
        return [
            # Another zone's refusal is none of this one's: the resolver goes on elsewhere.
            (share * part, answer if end.code == "REFUSED" else replace(end, lines=(*answer.lines, *end.lines)))
            for part, end in targets
        ]

    def _of_set(self, zone: Zone, name: str, records: Sequence[Record], depth: int) -> Outcomes:
        usable = [record for record in records if is_healthy(self.world, zone, record, depth)] or list(records)
        if usable[0].multivalue:
            return _several(name, usable)
        found: list[tuple[Fraction, Answer]] = []
        for share, record in _chosen(usable, self.near):
            found += [(share * part, answer) for part, answer in self._of_record(zone, name, record, depth)]
        return tuple(found)

    def _of_record(self, zone: Zone, name: str, record: Record, depth: int) -> Outcomes:
        alias = record.alias
        if alias is None:
            lines = tuple(Line(name, record.type, record.ttl, value) for value in record.values)
            return ((_ALL, Answer("NOERROR", lines)),)
        if alias.zone != zone.id:
            answer = _of_balancer(self.world, alias.name, record.type)
            renamed = tuple(replace(line, name=name) for line in answer.lines)
            return ((_ALL, replace(answer, lines=renamed, authority=None if renamed else _start_of_authority(zone))),)
        _check_depth(alias.name, depth + 1)
        targets = (zone.find(alias.name) or {}).get(record.type)
        if not targets:
            return ((_ALL, Answer("NOERROR", authority=_start_of_authority(zone))),)
        # An alias is answered under its own name, as if it were what it leads to.
        return self._of_set(zone, name, targets, depth + 1)


def _chosen(usable: Sequence[Record], near: Sequence[str]) -> list[tuple[Fraction, Record]]:
    """The records that a routing policy may answer, with their shares."""
    first = usable[0]
    if first.elsewhere:
        raise Unanswerable(f"{first.name}: routing by {first.elsewhere} is not evaluated")
    if first.weight is not None:
        # Those of weight 0 are the last resort, and then as good as one another.
        weighty = [record for record in usable if record.weight]
        total = sum(record.weight or 0 for record in weighty)
        if not total:
            return [(Fraction(1, len(usable)), record) for record in usable]
        return [(Fraction(record.weight or 0, total), record) for record in weighty]
    if first.region:
        return [(_ALL, min(usable, key=lambda record: _distance(record.region, near)))]
    if first.failover:
        return [(_ALL, min(usable, key=lambda record: record.failover))]
    return [(_ALL, first)]


def _distance(region: str, near: Sequence[str]) -> tuple[int, str]:
    return (near.index(region) if region in near else len(near), region)


def _several(name: str, usable: Sequence[Record]) -> Outcomes:
    """Multivalue: all of up to eight; of more, eight neighbours, each equally often."""
    lines = [Line(name, record.type, record.ttl, value) for record in usable for value in record.values]
    if len(lines) <= _MULTIVALUE:
        return ((_ALL, Answer("NOERROR", tuple(lines))),)
    share = Fraction(1, len(lines))
    return tuple(
        (share, Answer("NOERROR", tuple((lines[start:] + lines[:start])[:_MULTIVALUE]))) for start in range(len(lines))
    )


def _of_balancer(world: World, name: str, kind: str) -> Answer:
    """One address; real ones have one in each zone."""
    balancer = world.balancers.get(balancer_key(name))
    if balancer is None or kind != "A":
        return Answer("NOERROR")
    return Answer("NOERROR", (Line(name, "A", BALANCER_TTL_S, balancer.address),))


def _start_of_authority(zone: Zone) -> Line | None:
    for record in zone.sets.get(zone.name, {}).get("SOA", ()):
        minimum = int(record.values[0].split()[-1])
        return Line(zone.name, "SOA", min(record.ttl, minimum), record.values[0])
    return None


def _merged(found: Sequence[tuple[Fraction, Answer]]) -> Outcomes:
    merged: dict[Answer, Fraction] = {}
    for share, answer in found:
        merged[answer] = merged.get(answer, Fraction(0)) + share
    return tuple((share, answer) for answer, share in merged.items())


def _check_depth(name: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise Unanswerable(f"{name}: more than {_DEEPEST} names lead to one another")
