"""M9: DNS leaves a lost region by itself, as fast as the health checks allow, and without a call to Route 53's API."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.review.case import Case
from bicoastal.review.model.names import CONFIG, Record
from bicoastal.review.model.resolution import Situation
from bicoastal.review.verdict import Judgement, number, same, where, yes

TITLE = "DNS failover on regional health, without needless delay"
_PROBED = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")


def judge(case: Case) -> Judgement:
    """Records, health checks, and what they answer in each situation."""
    judgement = Judgement()
    name, home, standby = case.public_name, case.regions[0], case.standby
    if not name or not case.names.named(name, "A"):
        judgement.lacks("No DNS record leads users to a balancer.")
        return judgement
    _zone(case, judgement)
    for check in case.names.checks:
        _fast(judgement, check)
        _guards(case, judgement, check)
    _ttl(case, judgement, name)
    _moves(case, judgement, name)
    _guarded(case, judgement)
    _takeover(case, judgement, name, home, standby)
    _plain_names(case, judgement)
    _witness(case, judgement)
    return judgement


def _zone(case: Case, judgement: Judgement) -> None:
    zones = case.deployment.of_type("AWS::Route53::HostedZone")
    for zone in zones:
        judgement.expect(
            zone,
            ("HostedZoneFeatures", "EnableAcceleratedRecovery"),
            True,
            "accelerated recovery is off: no record could be changed for hours if us-east-1 fails",
            "the hosted zone, with accelerated recovery",
        )
    if not zones and not case.demand.zone_given:
        judgement.lacks("There is no hosted zone for the application's name.")
    for record in case.names.records:
        if record.resource.get(*record.path, "HostedZoneId") is None and record.resource.get("HostedZoneName") is None:
            judgement.lacks(f"{where(record.resource)} stands in no hosted zone.")


def _fast(judgement: Judgement, check: Resource) -> None:
    if check.get(CONFIG, "Type") not in _PROBED:
        return
    interval = number(check.get(CONFIG, "RequestInterval")) or 30
    failures = number(check.get(CONFIG, "FailureThreshold")) or 3
    if interval > 10:
        judgement.lacks(f"{where(check)} asks every {interval:.0f} s; 10 s is the fastest.")
    elif failures > 3:
        judgement.lacks(f"{where(check)} waits for {failures:.0f} failures; 3 are enough.")
    else:
        judgement.found(check, f"asks every {interval:.0f} s, {failures:.0f} times")


def _guards(case: Case, judgement: Judgement, check: Resource) -> None:
    """A check that nothing follows is money for nothing; one that knocks nowhere guards nothing."""
    if not case.deployment.referring(check):
        judgement.lacks(f"{where(check)} is followed by no record and no other check.")
    if check.get(CONFIG, "Type") in _PROBED:
        if check.get(CONFIG, "FullyQualifiedDomainName") is None and check.get(CONFIG, "IPAddress") is None:
            judgement.lacks(f"{where(check)} asks nobody.")
        elif case.names.endpoint(check) is None:
            judgement.unsure(f"{where(check)}: what it asks is not among these templates.")
    if check.get(CONFIG, "Type") == "CALCULATED":
        children = case.names.children(check)
        wanted = number(check.get(CONFIG, "HealthThreshold")) or 0
        if not children or wanted > len(children):
            judgement.lacks(f"{where(check)} wants {wanted:.0f} healthy of {len(children)}: it is never healthy.")
        if any(child.get(CONFIG, "Type") == "CALCULATED" for child in children):
            judgement.lacks(f"{where(check)} counts a calculated check, which Route 53 refuses.")


def _ttl(case: Case, judgement: Judgement, name: str) -> None:
    for record in case.names.records:
        if record.ttl is not None and record.ttl > 60 and (record.failover or record.name == name):
            judgement.lacks(f"{where(record.resource)} is kept for {record.ttl:.0f} s by resolvers.")


def _moves(case: Case, judgement: Judgement, name: str) -> None:
    """Each region's loss moves everybody; the other one's does not move anybody who is well."""
    for lost in case.regions:
        survivor = case.demand.other(lost).name
        for near in case.regions:
            shares = case.resolution.shares(name, Situation(lost=frozenset({lost})), near=near)
            if set(shares) != {survivor}:
                judgement.lacks(
                    f"With {lost} lost, users near {near} still get {', '.join(sorted(shares)) or 'nothing'}."
                )
    record = case.names.named(name, "A")[0]
    judgement.found(record.resource, "the loss of either region moves its users to the other", *record.path)


def _guarded(case: Case, judgement: Judgement) -> None:
    """A primary without a health check, and without a target that is evaluated, is never left."""
    for record in case.names.records:
        if record.failover == "PRIMARY" and not record.guarded and not record.evaluates:
            judgement.lacks(f"{where(record.resource)} is PRIMARY without any health check: it is never left.")
        partners = [
            other for other in case.names.named(record.name, record.type) if other.failover and other is not record
        ]
        if record.failover and not partners:
            judgement.lacks(f"{where(record.resource)} is {record.failover} alone: there is nothing to fail over to.")
        if record.failover == "PRIMARY" and record.type != "TXT":
            _elsewhere(case, judgement, record, partners)


def _elsewhere(case: Case, judgement: Judgement, record: Record, partners: list[Record]) -> None:
    """The secondary must lead somewhere that the primary does not."""
    first = {item.region for item in case.names.balancers(record)}
    rest = {item.region for other in partners for item in case.names.balancers(other)}
    if partners and first and not rest - first:
        judgement.lacks(
            f"{where(partners[0].resource)} leads to {', '.join(sorted(rest)) or 'nothing'}, like the primary."
        )


def _takeover(case: Case, judgement: Judgement, name: str, home: str, standby: str) -> None:
    """When the standby has taken over and home comes back, its switch keeps users away from home, with no API call."""
    moved = Situation(taken_over=standby)
    for near in (home, standby):
        shares = case.resolution.shares(name, moved, near=near)
        if set(shares) != {standby}:
            judgement.lacks(
                f"After a takeover by {standby}, users near {near} are sent to {', '.join(sorted(shares))}."
            )
            return
    back = case.resolution.shares(name, Situation(taken_over=home), near=standby)
    if set(back) != {home}:
        judgement.lacks(f"After a takeover by {home}, users near {standby} are sent to {', '.join(sorted(back))}.")
    for check in case.names.checks:
        if not case.resolution.is_switch(check):
            continue
        balancer = case.names.endpoint(check)
        rule = case.resolution.switch_rule(balancer, str(check.get(CONFIG, "ResourcePath"))) if balancer else None
        if rule is None:
            continue
        if not yes(check.get(CONFIG, "Inverted")):
            judgement.lacks(f"{where(check)} is not inverted: a region that is down would count as having taken over.")
        if not same(rule.get("Priority"), 1):
            judgement.lacks(f"{where(rule)} is not the first rule: another one may answer the switch's path.")
        judgement.found(rule, f"the switch of {rule.region}, answered by the balancer itself")


def _plain_names(case: Case, judgement: Judgement) -> None:
    """Each region can be asked by a name of its own, whatever its health: to look at it, and to test it."""
    for region in case.regions:
        own = [
            record
            for record in case.names.records
            if record.balancer is not None and record.balancer.region == region and not record.guarded
        ]
        if not own:
            judgement.lacks(f"{region} has no name of its own that does not depend on its health.")


def _witness(case: Case, judgement: Judgement) -> None:
    """What instances fence themselves by: a TXT pair per region that changes with the other region's switch."""
    home, standby = case.regions
    for region, other in ((home, standby), (standby, home)):
        fleet = case.fleet(region)
        text = fleet.machine.everything if fleet and fleet.machine else ""
        names = {record.name for record in case.names.records if record.type == "TXT" and record.name in text}
        if not names:
            judgement.lacks(f"{region}: instances are told of no DNS name that says who has taken over.")
        for name in names:
            before = case.resolution.shares(name, Situation(), near=region, type_="TXT")
            after = case.resolution.shares(name, Situation(taken_over=other), near=region, type_="TXT")
            lost = case.resolution.shares(name, Situation(lost=frozenset({other})), near=region, type_="TXT")
            if before == after or not after:
                judgement.lacks(f"{name} says the same before and after {other} takes over: nothing fences {region}.")
            elif lost != before:
                judgement.lacks(f"{name} says that {other} has taken over when it is only lost.")
            for record in case.names.named(name, "TXT"):
                if (record.ttl or 0) > 10:
                    judgement.lacks(
                        f"{where(record.resource)} is kept for {record.ttl:.0f} s: fencing would wait for it."
                    )
