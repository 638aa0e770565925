"""M6: public and private subnets in each region, joined by peering with routes on both sides."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.review.case import Case
from bicoastal.review.demand import RegionDemand
from bicoastal.review.model import acl
from bicoastal.review.model.network import ANYWHERE, Kind, Subnet, contains, groups_of
from bicoastal.review.verdict import Judgement, same, where, yes

TITLE = "VPCs with public and private subnets, peered by private addresses"
PEERING = "AWS::EC2::VPCPeeringConnection"


_PURPOSE = {
    "public": "that lead to the internet",
    "application": "in which a fleet stands",
    "database": "in which a database stands",
}


def judge(case: Case) -> Judgement:
    """Each region's network by its effective routes, and what joins the two."""
    judgement = Judgement()
    for region in case.demand.regions:
        if not case.network(region.name).vpcs:
            if _elsewhere(case, region.name):
                judgement.unsure(f"{region.name}: the VPC is not among these templates.")
            else:
                judgement.lacks(f"{region.name} has no VPC.")
            continue
        _vpc(case, judgement, region)
        _subnets(case, judgement, region)
        _way_out(case, judgement, region.name)
        _database_path(case, judgement, region.name)
        _lists(case, judgement, region.name)
        _endpoints(case, judgement, region.name)
    if case.standby:
        _peering(case, judgement)
    for region in case.demand.regions:
        _flow_logs(case, judgement, region.name)
    return judgement


def _elsewhere(case: Case, region: str) -> bool:
    """Whether something here stands in a VPC that is not here."""
    within = ("AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::ElasticLoadBalancingV2::TargetGroup")
    return any(item.get("VpcId") is not None for item in case.deployment.of_type(*within, region=region))


def _vpc(case: Case, judgement: Judgement, region: RegionDemand) -> None:
    for vpc in case.network(region.name).vpcs:
        if region.cidr:
            judgement.expect(vpc, ("CidrBlock",), region.cidr, f"its addresses are not {region.cidr}")
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            if name == "EnableDnsHostnames" and not yes(vpc.get(name)):
                judgement.lacks(f"{where(vpc)}: {name} is off: private names of endpoints do not resolve.")
        judgement.found(vpc, f"a VPC of {vpc.get('CidrBlock')}")


def _flow_logs(case: Case, judgement: Judgement, region: str) -> None:
    for vpc in case.network(region).vpcs:
        logs = [
            item
            for item in case.deployment.of_type("AWS::EC2::FlowLog", region=region)
            if case.deployment.resource(item.get("ResourceId")) is vpc
        ]
        if not logs:
            judgement.lacks(f"{where(vpc)} has no flow logs: nobody can tell who talked to whom.")


def _subnets(case: Case, judgement: Judgement, region: RegionDemand) -> None:
    """Each tier stands in as many zones as were asked for, behind the routes that its purpose wants."""
    network = case.network(region.name)
    for subnet in network.subnets:
        if subnet.table is None:
            judgement.lacks(f"{where(subnet.resource)} has no route table of its own: the VPC's main one decides.")
    tiers = (
        ("public", network.of_kind(Kind.PUBLIC)),
        ("application", _used(case, region.name, "fleet")),
        ("database", _used(case, region.name, "database")),
    )
    for tier, subnets in tiers:
        zones = {subnet.zone for subnet in subnets}
        if not zones:
            judgement.lacks(f"{region.name} has no subnets {_PURPOSE[tier]}.")
        elif len(zones) < region.zones:
            judgement.lacks(
                f"{region.name} has {tier} subnets in {len(zones)} Availability Zone(s), not in {region.zones}."
            )
        else:
            judgement.found(subnets[0].resource, f"{tier} subnets in {len(zones)} Availability Zones")
        for subnet in subnets:
            if tier != "public" and subnet.kind is Kind.PUBLIC:
                judgement.lacks(f"{where(subnet.resource)} is for the {tier} and open to the internet.")
            if tier == "database" and any(route.destination == ANYWHERE for route in subnet.routes):
                judgement.lacks(f"{where(subnet.resource)} holds the database and has a route to the internet.")
    for subnet in network.of_kind(Kind.PUBLIC):
        if yes(subnet.resource.get("MapPublicIpOnLaunch")):
            judgement.lacks(f"{where(subnet.resource)} gives public addresses to whatever starts there.")


def _used(case: Case, region: str, what: str) -> list[Subnet]:
    network = case.network(region)
    values = []
    if what == "fleet":
        fleet = case.fleet(region)
        values = fleet.resource.items("VPCZoneIdentifier") if fleet else []
    else:
        for database in case.databases(region):
            group = case.deployment.resource(database.get("DBSubnetGroupName"))
            values += group.items("SubnetIds") if group else []
    found = {id(subnet.resource): subnet for value in values if (subnet := network.subnet(value)) is not None}
    return list(found.values())


def _way_out(case: Case, judgement: Judgement, region: str) -> None:
    """Every application subnet has the same way out, NAT or none: half of a fleet without one boots half."""
    subnets = _used(case, region, "fleet")
    ways = {subnet.kind for subnet in subnets}
    if len(ways) > 1:
        without = [subnet.resource.logical_id for subnet in subnets if subnet.kind is Kind.ISOLATED]
        judgement.lacks(f"{region}: {', '.join(without)} has no way out, other application subnets have one.")
    gateways = case.deployment.of_type("AWS::EC2::NatGateway", region=region)
    used = {
        id(route.target)
        for subnet in case.network(region).subnets
        for route in subnet.routes
        if route.kind == "nat" and route.target is not None
    }
    for gateway in gateways:
        if id(gateway) not in used:
            judgement.lacks(f"{where(gateway)} costs money and no subnet's route leads to it.")


def _database_path(case: Case, judgement: Judgement, region: str) -> None:
    """The fleet reaches its database, and nobody on the internet does."""
    fleet = case.fleet(region)
    network = case.network(region)
    for database in case.databases(region):
        groups = list(groups_of(case.deployment, database.items("VPCSecurityGroups")))
        if fleet is not None:
            rule, reason = network.reaches(list(fleet.groups), groups, 5432)
            if rule is None:
                judgement.lacks(f"{where(fleet.resource)} cannot reach {database.logical_id}: {reason}.")
            else:
                judgement.found(rule.resource, "the fleet reaches the database", *rule.path)
        for group in groups:
            for rule in network.rules(group, ingress=True):
                if rule.peer in (ANYWHERE, "::/0"):
                    judgement.lacks(f"{where(rule.resource)} opens the database to every address.")
    for vpc in network.vpcs:
        locked = [
            item
            for item in case.deployment.of_type("AWS::EC2::SecurityGroupIngress", region=region)
            if case.deployment.spelled(item.get("GroupId") or "") == f"{str(vpc.reference)[:-1]}.DefaultSecurityGroup}}"
        ]
        for item in locked:
            if item.get("CidrIp") != "127.0.0.1/32":
                judgement.lacks(f"{where(item)} opens the VPC's default security group.")


def _lists(case: Case, judgement: Judgement, region: str) -> None:
    """Network ACLs, where there are any, let the fleet through, and guard a whole tier or none of it."""
    data = _used(case, region, "database")
    guarded = [acl.list_of(case.deployment, subnet) for subnet in data]
    if any(guarded) and not all(guarded):
        open_ones = [subnet.resource.logical_id for subnet, one in zip(data, guarded, strict=True) if one is None]
        judgement.lacks(
            f"{region}: {', '.join(open_ones)} is left out of the network ACL that guards the other database subnets."
        )
    for subnet, guard in zip(data, guarded, strict=True):
        if guard is None:
            continue
        sources = [*_used(case, region, "fleet")]
        if case.demand.writes_cross:
            sources += _used(case, case.demand.other(region).name, "fleet")
        for source in sources:
            for reason in acl.blocked(case.deployment, guard, str(source.cidr), 5432):
                judgement.lacks(
                    f"{where(guard)} {reason} between {source.resource.logical_id} and {subnet.resource.logical_id}."
                )
        for sibling in data:
            # Databases ask each other: replicas of the region stream from their source.
            block = str(sibling.cidr)
            for reason in (
                *acl.blocked(case.deployment, guard, block, 5432),
                *acl.unasked(case.deployment, guard, block, 5432),
            ):
                judgement.lacks(f"{where(guard)} {reason} between database subnets.")
        if not list(acl.blocked(case.deployment, guard, "8.8.8.8/32", 5432)):
            judgement.lacks(f"{where(guard)} lets every address ask the database.")


_CARRY_DATA = {
    "logs": "logs:PutLogEvents",
    "monitoring": "cloudwatch:PutMetricData",
    "secretsmanager": "secretsmanager:GetSecretValue",
    "ssm": "ssm:UpdateInstanceInformation",
    "ssmmessages": "ssmmessages:OpenDataChannel",
}
"""Interface endpoints for what carries data, by service, with an action that shows that instances call it."""
_WITHOUT_EGRESS = {
    "cloudformation": "cloudformation:SignalResource",
    "ec2": "ec2:DescribeTags",
}
"""Those that instances need besides, where there is no way out."""


def _endpoints(case: Case, judgement: Judgement, region: str) -> None:
    """Endpoints work: private names, a group that lets the fleet in; none that instances need is missing."""
    fleet = case.fleet(region)
    if fleet is None:
        return
    found = {}
    for item in case.deployment.of_type("AWS::EC2::VPCEndpoint", region=region):
        if item.get("VpcEndpointType") != "Interface":
            continue
        found[str(item.get("ServiceName")).rpartition(".")[2]] = item
        groups = list(groups_of(case.deployment, item.items("SecurityGroupIds")))
        rule, reason = case.network(region).reaches(list(fleet.groups), groups, 443)
        if rule is None:
            judgement.lacks(f"{where(item)} cannot be reached by the fleet: {reason}.")
        if not yes(item.get("PrivateDnsEnabled")):
            judgement.lacks(f"{where(item)} has no private names: clients go past it.")
    egress = any(subnet.kind is Kind.EGRESS for subnet in _used(case, region, "fleet"))
    for service, action in (_CARRY_DATA if egress else {**_CARRY_DATA, **_WITHOUT_EGRESS}).items():
        if service not in found and fleet.role is not None and _calls(case, fleet.role, action):
            judgement.lacks(f"{region}: instances call {service}, and no endpoint keeps that inside the VPC.")


def _calls(case: Case, role: Resource, action: str) -> bool:
    """Whether instances call a service themselves: what is allowed via another service only is called by that one."""
    granted = [item for item in case.identities.statements(role) if item.effect == "Allow" and item.matches(action)]
    themselves = [item for item in granted if "kms:ViaService" not in str(item.conditions)]
    return bool(themselves) and case.identities.may(role, action) is not None


def _peering(case: Case, judgement: Judgement) -> None:
    """One connection between the two VPCs, with routes both ways and no overlap."""
    home, standby = case.regions[0], case.standby
    connection = next(iter(case.deployment.of_type(PEERING)), None)
    if connection is None:
        judgement.lacks("The regions are not joined: there is no VPC peering connection.")
        return
    ends = {id(case.deployment.resource(connection.get(name))) for name in ("VpcId", "PeerVpcId")}
    vpcs = [vpc for region in case.regions for vpc in case.network(region).vpcs]
    if {id(vpc) for vpc in vpcs} != ends:
        judgement.lacks(f"{where(connection)} does not join the VPCs of {home} and {standby}.")
    peer_region = connection.get("PeerRegion")
    if not same(peer_region, case.demand.other(connection.region).name):
        judgement.lacks(f"{where(connection)} looks for its other end in {peer_region}.")
    blocks = [vpc.get("CidrBlock") for vpc in vpcs]
    if len(blocks) == 2 and (contains(blocks[0], blocks[1]) or contains(blocks[1], blocks[0])):
        judgement.lacks(f"The VPCs' addresses overlap ({blocks[0]}, {blocks[1]}): peering routes nothing.")
    if not case.demand.writes_cross:
        return
    for here, there in ((home, standby), (standby, home)):
        _routes(case, judgement, connection, here, there, tier="fleet", other="database")
        _routes(case, judgement, connection, here, there, tier="database", other="fleet")
        _across(case, judgement, here, there)
    judgement.found(connection, "a peering connection between the regions")


def _routes(
    case: Case, judgement: Judgement, connection: Resource, here: str, there: str, *, tier: str, other: str
) -> None:
    """Every subnet of a tier has a route to every subnet of the other region's other tier."""
    for subnet in _used(case, here, tier):
        blocks = [
            route.destination for route in subnet.routes if route.kind == "peering" and route.target is connection
        ]
        for target in _used(case, there, other):
            if not any(contains(block, target.cidr) for block in blocks):
                judgement.lacks(
                    f"{where(subnet.resource)} has no route over the peering to the {other} in {there} ({target.cidr})."
                )
                return


def _across(case: Case, judgement: Judgement, here: str, there: str) -> None:
    """The fleet of one region may reach the database of the other: out of its own groups, into the other's."""
    fleet = case.fleet(here)
    if fleet is None:
        return
    for database in case.databases(there):
        groups = list(groups_of(case.deployment, database.items("VPCSecurityGroups")))
        data = [str(subnet.cidr) for subnet in _used(case, there, "database")]
        for subnet in _used(case, here, "fleet"):
            let_in = any(
                case.network(there).opened(group, 5432, to=[str(subnet.cidr)], ingress=True) for group in groups
            )
            if not let_in:
                judgement.lacks(
                    f"{there} {database.logical_id}: its groups do not let {subnet.resource.logical_id} of {here} in."
                )
        for group in fleet.groups:
            closed = [block for block in data if not case.network(here).opened(group, 5432, to=[block], ingress=False)]
            if case.network(here).rules(group, ingress=False) and closed:
                judgement.lacks(f"{where(group)} does not let port 5432 out to the database in {there} ({closed[0]}).")
