"""A connection between two ends, evaluated as AWS's network does: both directions, and every place that can stop it.

A packet leaves by the rules of its interface's groups, the ACL and the route table of its subnet, crosses what the
route leads to, and comes in by the other side's ACL and groups. Groups know connections, so that answers pass them;
routes and ACLs do not, so that the answers' way is evaluated too. AWS's resolver, time and metadata, which no group or
ACL stops, are not asked about here.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.reach.acls import passes_acl
from bicoastal.reach.groups import Peer, lets_in, lets_out
from bicoastal.reach.model import (
    ANY_HOST,
    INTERNET,
    Block,
    End,
    Interface,
    Internet,
    Leads,
    Network,
    Ports,
    Region,
    Route,
    Side,
    Subnet,
)
from bicoastal.reach.routes import attached, route_to
from bicoastal.reach.trace import Trace
from bicoastal.reach.verdict import Barrier, Verdict


def connection(network: Network, source: End, destination: End, port: int, protocol: str = "tcp") -> Verdict:
    """Whether `source` can open a connection to a port of `destination`. Raises KeyError for a subnet not in it."""
    if isinstance(source, Internet):
        if isinstance(destination, Internet):
            return Verdict()
        return from_internet(network, destination, port, protocol, stranger=source)
    if isinstance(destination, Internet):
        return to_internet(network, source, port, protocol, stranger=destination)
    return _Between(network, source, destination, port, protocol).verdict()


def from_internet(
    network: Network, destination: Interface, port: int, protocol: str = "tcp", *, stranger: Internet = INTERNET
) -> Verdict:
    """Whether somebody on the internet can: the public address, the gateway, the route back to it, and the rules."""
    trace = Trace()
    region, subnet = network.regions[destination.region], network.subnet(destination)
    if not destination.public:
        trace.stop(Barrier.PUBLIC_ADDRESS, destination.name, f"{destination.name} has no public address")
    asks, answers = Ports(protocol, port, port), Ports(protocol, *stranger.answers_to)
    passes_acl(trace, region, subnet, stranger.block, asks, egress=False)
    lets_in(trace, region, destination, Peer(stranger.name, stranger.block), asks)
    _by_gateway(trace, region, subnet, stranger, Barrier.RETURN_ROUTE)
    passes_acl(trace, region, subnet, stranger.block, answers, egress=True, answer=True)
    return trace.verdict()


def to_internet(
    network: Network,
    source: Interface,
    port: int,
    protocol: str = "tcp",
    *,
    stranger: Internet = INTERNET,
    prefix_lists: frozenset[str] = frozenset(),
) -> Verdict:
    """Whether it can get out, by NAT or by a public address of its own. `prefix_lists` hold the stranger's address."""
    trace = Trace()
    region, subnet = network.regions[source.region], network.subnet(source)
    asks, answers = Ports(protocol, port, port), Ports(protocol, *source.answers_to)
    lets_out(trace, region, source, Peer(stranger.name, stranger.block, prefix_lists=prefix_lists), asks)
    route = _route(trace, region, subnet, stranger.block, to=stranger.name)
    passes_acl(trace, region, subnet, stranger.block, asks, egress=True)
    if route is not None and route.leads is Leads.NAT:
        _through_nat(trace, network, route.target, source, stranger=stranger, asks=asks)
    elif route is not None:
        _by_gateway(trace, region, subnet, stranger, Barrier.ROUTE)
        if route.leads is Leads.INTERNET and not source.public:
            text = f"{source.name} has no public address, and its way out is internet gateway {route.target}"
            trace.stop(Barrier.PUBLIC_ADDRESS, source.name, text)
    passes_acl(trace, region, subnet, stranger.block, answers, egress=False, answer=True)
    return trace.verdict()


def way_to_internet(region: Region, subnet: Subnet) -> Leads | None:
    """What a subnet's routes make of it: public (`INTERNET`), private with a way out (`NAT`), or isolated (None)."""
    route = route_to(region, subnet, INTERNET.block)
    if route is None or not route.active:
        return None
    if route.leads is Leads.INTERNET and route.target in attached(region, subnet.vpc):
        return Leads.INTERNET
    if route.leads is Leads.NAT:
        gateway = region.nat_gateways.get(route.target)
        home = region.subnets.get(gateway.subnet) if gateway else None
        works = gateway is not None and gateway.public and gateway.state == "available"
        if works and home is not None and way_to_internet(region, home) is Leads.INTERNET:
            return Leads.NAT
    return None


@dataclass(frozen=True)
class _Between:
    """A connection of two interfaces."""

    network: Network
    source: Interface
    destination: Interface
    port: int
    protocol: str

    def verdict(self) -> Verdict:
        """In the order of the packet's way, then of its answer's."""
        trace, source, destination = Trace(), self.source, self.destination
        here, there = self.network.subnet(source), self.network.subnet(destination)
        near, far = self.network.regions[source.region], self.network.regions[destination.region]
        from_, to = _block(source, here), _block(destination, there)
        asks, answers = Ports(self.protocol, self.port, self.port), Ports(self.protocol, *source.answers_to)
        # Groups of another region are never seen; those of a peered VPC in the same one are.
        seen = near.name == far.name
        # ACLs stand at the borders of subnets: within one nothing meets them.
        bordered = (near.name, here.id) != (far.name, there.id)

        lets_out(trace, near, source, Peer(destination.name, to, destination.groups, seen), asks)
        self._crosses(trace, near, here, to, Side(far.name, there.vpc))
        if bordered:
            passes_acl(trace, near, here, to, asks, egress=True)
            passes_acl(trace, far, there, from_, asks, egress=False)
        lets_in(trace, far, destination, Peer(source.name, from_, source.groups, seen), asks)
        self._crosses(trace, far, there, from_, Side(near.name, here.vpc), back=True)
        if bordered:
            passes_acl(trace, far, there, from_, answers, egress=True, answer=True)
            passes_acl(trace, near, here, to, answers, egress=False, answer=True)
        return trace.verdict()

    def _crosses(
        self, trace: Trace, region: Region, subnet: Subnet, block: Block, there: Side, *, back: bool = False
    ) -> None:
        """Whether the subnet's routes lead there: within the VPC, or by a peering connection of the two."""
        barrier = Barrier.RETURN_ROUTE if back else Barrier.ROUTE
        route = _route(trace, region, subnet, block, to=str(block), barrier=barrier)
        here = Side(region.name, subnet.vpc)
        if route is None:
            return
        wanted = Leads.LOCAL if here == there else Leads.PEERING
        if route.leads is not wanted:
            said = f"{_table(subnet)} leads {block} to {route.leads} {route.target}, not to {there.vpc}"
            trace.stop(barrier, subnet.table, said)
        elif wanted is Leads.PEERING:
            trace.passed(subnet.table)
            self._peering(trace, route.target, here, there)

    def _peering(self, trace: Trace, id_: str, here: Side, there: Side) -> None:
        peering = self.network.peerings.get(id_)
        if peering is None:
            trace.stop(Barrier.PEERING, id_, f"peering connection {id_} does not exist")
        elif peering.status != "active":
            trace.stop(Barrier.PEERING, id_, f"peering connection {id_} is {peering.status}")
        elif set(peering.sides) != {here, there}:
            ends = " and ".join(sorted((here.vpc, there.vpc)))
            trace.stop(Barrier.PEERING, id_, f"peering connection {id_} does not join {ends}")
        else:
            trace.passed(id_)


def _block(interface: Interface, subnet: Subnet) -> Block:
    return interface.address or subnet.block


def _table(subnet: Subnet) -> str:
    return f"route table {subnet.table} of {subnet.id}"


def _route(
    trace: Trace, region: Region, subnet: Subnet, block: Block, *, to: str, barrier: Barrier = Barrier.ROUTE
) -> Route | None:
    """The route to a block; None where there is no use in going on, which has been said then."""
    route = route_to(region, subnet, block)
    if route is None:
        back = "back " if barrier is Barrier.RETURN_ROUTE else ""
        trace.stop(barrier, subnet.table, f"{_table(subnet)} has no route {back}to {to}")
    elif not route.active:
        said = f"{_table(subnet)} leads {to} into a black hole: {route.leads} {route.target} is gone"
        trace.stop(barrier, subnet.table, said)
        return None
    return route


def _by_gateway(trace: Trace, region: Region, subnet: Subnet, stranger: Internet, barrier: Barrier) -> None:
    """Whether the subnet's route to somebody on the internet is its VPC's internet gateway."""
    route = _route(trace, region, subnet, stranger.block, to=stranger.name, barrier=barrier)
    if route is None:
        return
    if route.leads is not Leads.INTERNET:
        said = f"leads {stranger.name} to {route.leads} {route.target}, not to an internet gateway"
        trace.stop(barrier, subnet.table, f"{_table(subnet)} {said}")
    elif route.target not in attached(region, subnet.vpc):
        said = f"internet gateway {route.target} is not attached to {subnet.vpc}"
        trace.stop(Barrier.INTERNET_GATEWAY, route.target, said)
    else:
        trace.passed(subnet.table, route.target)


def _through_nat(
    trace: Trace, network: Network, id_: str, source: Interface, *, stranger: Internet, asks: Ports
) -> None:
    """A NAT gateway has no groups: its state, its subnet's way out, and that subnet's ACL."""
    region, subnet = network.regions[source.region], network.subnet(source)
    gateway = region.nat_gateways.get(id_)
    home = region.subnets.get(gateway.subnet) if gateway else None
    if gateway is None or home is None:
        trace.stop(Barrier.NAT, id_, f"NAT gateway {id_} does not exist")
        return
    if gateway.state != "available":
        trace.stop(Barrier.NAT, id_, f"NAT gateway {id_} is {gateway.state}")
    if not gateway.public:
        trace.stop(Barrier.NAT, id_, f"NAT gateway {id_} is private: it leads to no internet")
    trace.passed(subnet.table, id_)
    if home.id != subnet.id:
        inside, answers = _block(source, subnet), Ports(asks.protocol, *source.answers_to)
        passes_acl(trace, region, home, inside, asks, egress=False)
        passes_acl(trace, region, home, inside, answers, egress=True, answer=True)
    passes_acl(trace, region, home, stranger.block, asks, egress=True)
    _by_gateway(trace, region, home, stranger, Barrier.ROUTE)
    passes_acl(trace, region, home, stranger.block, Ports(asks.protocol, *ANY_HOST), egress=False, answer=True)
