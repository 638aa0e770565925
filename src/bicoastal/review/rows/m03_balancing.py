"""M3: a balancer in each region; the standby's users go home only when the standby's balancer is at capacity."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.review.case import Case
from bicoastal.review.model.network import ANYWHERE, Kind
from bicoastal.review.model.resolution import Situation, load_limit
from bicoastal.review.model.service import Balancer, Fleet, exported, forwards
from bicoastal.review.verdict import Judgement, number, same, where

TITLE = "Load balancing in each region, spill-over only at capacity"


def judge(case: Case) -> Judgement:
    """Each region's balancer works from the internet to the instances, and overflow follows capacity."""
    judgement = Judgement()
    for region in case.regions:
        balancer = case.balancer(region)
        if balancer is None:
            judgement.lacks(f"{region} has no Application Load Balancer.")
            continue
        _entrance(case, judgement, balancer)
        _listeners(case, judgement, balancer)
        fleet = case.fleet(region)
        if fleet is not None:
            _targets(case, judgement, balancer, fleet)
        _attributes(judgement, balancer)
        _firewall(case, judgement, balancer)
    if case.standby:
        _spill_over(case, judgement)
    return judgement


def _entrance(case: Case, judgement: Judgement, balancer: Balancer) -> None:
    """The internet reaches the balancer in every zone that the fleet stands in."""
    item = balancer.resource
    network = case.network(item.region)
    judgement.expect(item, ("Scheme",), ("internet-facing", None), "it is internal: no user reaches it")
    zones = set()
    open_ended = isinstance(item.get("Subnets"), Unknown)
    for value in item.items("Subnets") or item.items("SubnetMappings"):
        subnet = network.subnet(value.get("SubnetId") if isinstance(value, dict) else value)
        if subnet is None:
            open_ended = True
            judgement.unsure(f"{where(item)}: one of its subnets is not among these templates.")
        elif subnet.kind is not Kind.PUBLIC:
            judgement.lacks(
                f"{where(item)} stands in {subnet.resource.logical_id}, which has no route to the internet."
            )
        else:
            zones.add(subnet.zone)
    if len(zones) < case.demand.of(item.region).zones and open_ended:
        judgement.unsure(f"{where(item)}: in how many Availability Zones it stands is not in these templates.")
    elif len(zones) < case.demand.of(item.region).zones:
        judgement.lacks(f"{where(item)} stands in {len(zones)} public Availability Zone(s).")
    else:
        judgement.found(item, f"an internet-facing balancer in {len(zones)} Availability Zones")
    if not balancer.groups:
        judgement.unsure(f"{where(item)}: its security groups are not among these templates.")
        return
    for port in (443, 80):
        if any(network.opened(group, port, to=[ANYWHERE], ingress=True) for group in balancer.groups):
            continue
        rules = [rule for group in balancer.groups for rule in network.rules(group, ingress=True)]
        if any(rule.protocol in ("-1", "tcp") and rule.first <= port <= rule.last for rule in rules):
            judgement.unsure(f"{where(item)}: whether users come from where its port {port} is open to.")
        else:
            judgement.lacks(f"{where(item)}: its security groups let no user in on port {port}.")


def _listeners(case: Case, judgement: Judgement, balancer: Balancer) -> None:
    secure = [one for one in balancer.listeners if one.get("Protocol") == "HTTPS" and same(one.get("Port"), 443)]
    plain = [one for one in balancer.listeners if one.get("Protocol") == "HTTP"]
    if not secure:
        judgement.lacks(f"{where(balancer.resource)} has no HTTPS listener on port 443.")
    for one in secure:
        certificate = case.deployment.resource(one.get("Certificates", 0, "CertificateArn"))
        if certificate is None and one.get("Certificates", 0, "CertificateArn") is None:
            judgement.lacks(f"{where(one)} has no certificate.")
        elif certificate is not None:
            _certificate(case, judgement, one, certificate)
    redirected = any(
        one.get("DefaultActions", index, "RedirectConfig", "Protocol") == "HTTPS"
        for one in plain
        for index, _ in enumerate(one.items("DefaultActions"))
    )
    if not redirected:
        judgement.lacks(f"{where(balancer.resource)} does not redirect HTTP to HTTPS.")


def _certificate(case: Case, judgement: Judgement, listener: Resource, certificate: Resource) -> None:
    if certificate.region != listener.region:
        judgement.lacks(f"{where(listener)} uses a certificate of {certificate.region}.")
    names = [certificate.get("DomainName"), *certificate.items("SubjectAlternativeNames")]
    spelled = [case.deployment.spelled(name).lower() for name in names if name is not None]
    for asked in (case.public_name, *_own_names(case, listener)):
        if asked and not any(covers(name, asked) for name in spelled):
            judgement.lacks(f"{where(certificate)} does not hold the name {asked}.")
    for index, _ in enumerate(certificate.items("DomainValidationOptions")):
        if certificate.get("DomainValidationOptions", index, "HostedZoneId") is None:
            judgement.lacks(f"{where(certificate)} waits for a validation by hand: no hosted zone is named for it.")
    if certificate.get("ValidationMethod") != "DNS" or not certificate.items("DomainValidationOptions"):
        judgement.lacks(f"{where(certificate)} is not validated by DNS: it will not renew by itself.")
    judgement.found(listener, "HTTPS with a certificate of its region")


def _own_names(case: Case, listener: Resource) -> list[str]:
    """Names under which the listener's balancer is asked, whatever its health."""
    balancer = case.deployment.resource(listener.get("LoadBalancerArn"))
    return [record.name for record in case.names.records if record.balancer is balancer and not record.guarded]


def covers(pattern: str, name: str) -> bool:
    """Whether a certificate's name, possibly a wildcard of one label, holds for a host name."""
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def _targets(case: Case, judgement: Judgement, balancer: Balancer, fleet: Fleet) -> None:
    """Requests end at instances that exist, on a port and path that they serve."""
    joined = {id(target) for target in fleet.targets}
    for target in balancer.targets:
        stopgap = any(exported(case.deployment, one) for one in balancer.listeners)
        if id(target) not in joined and not stopgap and not _joined_otherwise(case, target):
            judgement.lacks(f"{where(target)} gets requests, and no fleet joins it: it has no targets.")
    for listener in balancer.listeners:
        if listener.get("Protocol") != "HTTPS":
            continue
        weights = [number(weight) for value, weight in forwards(listener, "DefaultActions") if value is not None]
        if not any(weights):
            judgement.lacks(f"{where(listener)} forwards to no target group.")
    serving = [target for target in fleet.targets if not case.demand.port or same(target.get("Port"), case.demand.port)]
    if not serving:
        port = f" on the application's port {case.demand.port}" if case.demand.port else ""
        judgement.lacks(f"{where(fleet.resource)} joins no target group{port}.")
    for target in fleet.targets:
        _health(case, judgement, target, fleet)
        _reachable(case, judgement, balancer, target, fleet)
    for target in serving:
        if case.demand.health_path:
            judgement.expect(
                target,
                ("HealthCheckPath",),
                case.demand.health_path,
                f"its health check does not ask {case.demand.health_path}, which the application serves",
            )
        judgement.found(
            target, f"targets on port {target.get('Port')}, health asked at {target.get('HealthCheckPath')}"
        )
    if fleet.resource.get("HealthCheckType") not in ("ELB", "EC2,ELB", "ELB,EC2"):
        judgement.lacks(f"{where(fleet.resource)} keeps instances that the balancer finds unhealthy.")


def _joined_otherwise(case: Case, target: Resource) -> bool:
    """Whether it names its targets, or something that is no fleet (a service of containers) joins it."""
    if target.get("Targets") is not None or target.get("TargetType") == "lambda":
        return True
    if exported(case.deployment, target):
        return True
    aside = ("AWS::ElasticLoadBalancingV2::", "AWS::CloudWatch::", "AWS::AutoScaling::")
    return any(not one.type.startswith(aside) for one in case.deployment.referring(target))


def _health(case: Case, judgement: Judgement, target: Resource, fleet: Fleet) -> None:
    """The path and port of a health check are served by something that the user data starts."""
    path = str(target.get("HealthCheckPath", default="/"))
    port = str(target.get("Port"))
    if fleet.machine is None or fleet.machine.unreadable:
        why = fleet.machine.unreadable if fleet.machine else "there is no launch template"
        judgement.unsure(f"{where(target)}: whether instances serve {path} cannot be told: {why}.")
        return
    if port not in fleet.machine.everything and fleet.machine.units:
        judgement.lacks(f"{where(target)} sends requests to port {port}, which nothing in the user data serves.")
    elif port not in fleet.machine.everything:
        judgement.unsure(f"{where(target)}: whether what the user data, a script, starts serves port {port}.")
    asked = case.demand.health_path
    if asked and path != asked and path not in fleet.machine.everything and "/.well-known/" not in path:
        judgement.lacks(f"{where(target)} asks {path}, which nothing serves.")


def _reachable(case: Case, judgement: Judgement, balancer: Balancer, target: Resource, fleet: Fleet) -> None:
    port = number(target.get("Port"))
    if port is None:
        judgement.unsure(f"{where(target)}: its port cannot be told.")
        return
    if not balancer.groups or not fleet.groups:
        judgement.unsure(
            f"{where(balancer.resource)}: whether it reaches {target.logical_id} cannot be told: security groups are"
            " not among these templates."
        )
        return
    rule, reason = case.network(target.region).reaches(list(balancer.groups), list(fleet.groups), port)
    if rule is None:
        judgement.lacks(f"{where(balancer.resource)} cannot reach {target.logical_id}: {reason}.")


def _attributes(judgement: Judgement, balancer: Balancer) -> None:
    keep_alive = number(balancer.attribute("client_keep_alive.seconds")) or 3600
    if keep_alive > 180:
        judgement.lacks(
            f"{where(balancer.resource)} keeps connections for {keep_alive:.0f} s: clients stay on what DNS has left."
        )


def _firewall(case: Case, judgement: Judgement, balancer: Balancer) -> None:
    """A web ACL with managed rules stands in front, and what it blocked can be looked up."""
    for association in case.deployment.referring(balancer.resource, "AWS::WAFv2::WebACLAssociation"):
        acl = case.deployment.resource(association.get("WebACLArn"))
        if acl is None:
            continue
        managed = any(
            acl.get("Rules", index, "Statement", "ManagedRuleGroupStatement")
            for index, _ in enumerate(acl.items("Rules"))
        )
        logged = case.deployment.referring(acl, "AWS::WAFv2::LoggingConfiguration")
        if not managed:
            judgement.lacks(f"{where(acl)} uses none of AWS's managed rules.")
        if not any(one.items("LogDestinationConfigs") for one in logged):
            judgement.lacks(f"{where(acl)} logs nothing: what it blocked cannot be looked up.")
        judgement.found(association, "a web application firewall in front")
        return
    judgement.lacks(f"{where(balancer.resource)} has no web application firewall.")


def _spill_over(case: Case, judgement: Judgement) -> None:
    """In peace the standby's users stay; at capacity they go home, by and by; and never to a region that is lost."""
    name, home, standby = case.public_name, case.regions[0], case.standby
    if not name or not case.names.named(name):
        judgement.lacks("No DNS record leads users to a balancer: there is nothing to spill over.")
        return
    near_home = case.resolution.shares(name, Situation(), near=home)
    if near_home == {home: 1.0} and case.resolution.shares(name, Situation(), near=standby) == {home: 1.0}:
        # Failover routing: everybody is at home already, and nobody can spill.
        judgement.found(case.names.named(name)[0].resource, "everybody goes home: there is no overflow to route")
        return
    limit = max(_limits(case, standby), default=0.0)
    busy, most = {standby: limit * 1.01 + 1}, frozenset({standby})
    expectations = (
        (Situation(), {standby: 1.0}, f"while {standby} has room, its users stay"),
        (Situation(load=busy), {standby: 1.0}, f"while the fleet of {standby} can still grow, its users stay"),
        (
            Situation(at_maximum=frozenset({standby})),
            {standby: 1.0},
            f"a fleet of {standby} at its maximum but not busy keeps its users",
        ),
        (Situation(at_maximum=most, load=busy), {home: 1.0}, f"when {standby} is at capacity, its users go to {home}"),
        (
            Situation(lost=frozenset({home}), at_maximum=most, load=busy),
            {standby: 1.0},
            f"a full {standby} keeps its users when {home} is lost",
        ),
    )
    for situation, wanted, text in expectations:
        shares = case.resolution.shares(name, situation, near=standby)
        if shares != wanted:
            got = ", ".join(f"{value:.0%} to {key}" for key, value in sorted(shares.items())) or "nowhere"
            judgement.lacks(f"It does not hold that {text}: they are sent {got}.")
    _by_and_by(case, judgement, name, standby)


def _limits(case: Case, region: str) -> list[float]:
    """Requests per target at which each check on an alarm of a region changes, in order."""
    found = []
    for check in case.names.checks:
        alarm = case.resolution.alarm_of(check)
        if alarm is None or alarm.resource.region != region:
            continue
        limit = load_limit(alarm, case.demand.fleet_max)
        if limit is not None and not list(case.signals.unpublished(alarm)):
            found.append(limit)
    return sorted(found)


def _by_and_by(case: Case, judgement: Judgement, name: str, standby: str) -> None:
    """One step would empty a region at once, and fill it again at once."""
    limits = _limits(case, standby)
    if len(limits) < 4:
        judgement.lacks(f"The users of {standby} do not leave by quarters: {len(limits)} limits decide.")
    for limit in sorted(set(limits)):
        full = Situation(at_maximum=frozenset({standby}), load={standby: limit + 0.5})
        stays = case.resolution.shares(name, full, near=standby).get(standby, 0.0)
        wanted = sum(other > limit + 0.5 for other in limits) / len(limits)
        if abs(stays - wanted) > 0.01:
            judgement.lacks(f"Of the users of {standby}, {stays:.0%} stay at {limit:g} requests, not {wanted:.0%}.")
    for check in case.names.checks:
        alarm = case.resolution.alarm_of(check)
        if check.get("HealthCheckConfig", "Type") != "CLOUDWATCH_METRIC":
            continue
        if alarm is None:
            judgement.lacks(f"{where(check)} watches an alarm that is not in the region that it names.")
            continue
        for text in case.signals.unpublished(alarm):
            judgement.lacks(f"{text}: the health check {check.logical_id} is blind.")
        judgement.expect(
            check,
            ("HealthCheckConfig", "InsufficientDataHealthStatus"),
            "Healthy",
            "it takes missing data for a full region",
        )
        for reason in _illegal(alarm.resource):
            judgement.lacks(f"{where(alarm.resource)} {reason}, which a Route 53 health check does not take.")
        judgement.found(check, f"follows the alarm {alarm.resource.logical_id}")


def _illegal(alarm: Resource) -> list[str]:
    """What AWS documents as not usable for a health check on an alarm."""
    found = []
    if alarm.items("Metrics"):
        found.append("uses metric math")
    if alarm.get("DatapointsToAlarm") is not None and not same(
        alarm.get("DatapointsToAlarm"), number(alarm.get("EvaluationPeriods"))
    ):
        found.append("uses M out of N")
    if alarm.get("ExtendedStatistic") is not None:
        found.append("uses a percentile")
    if (number(alarm.get("Period")) or 60) < 60:
        found.append("has a high resolution")
    return found
