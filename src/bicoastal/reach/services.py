"""Whether an interface reaches an AWS service: by an endpoint of its VPC, or by the service's public addresses.

An interface endpoint with private names takes the service's name over in its whole VPC: where its groups do not admit,
nothing else is tried, as the name leads nowhere else. A gateway endpoint is a route. Policies of endpoints are IAM's
business and are not evaluated here; nor are endpoints that reach a service of another region, and S3's private names
for resolvers alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bicoastal.reach.acls import passes_acl
from bicoastal.reach.groups import Peer, lets_out
from bicoastal.reach.model import STRANGER, Block, Endpoint, Interface, Internet, Leads, Network, Ports, Region, Route
from bicoastal.reach.paths import connection, to_internet
from bicoastal.reach.trace import Trace
from bicoastal.reach.verdict import Barrier, Verdict

HTTPS = 443


def to_service(network: Network, source: Interface, region: str, service: str, port: int = HTTPS) -> Verdict:
    """Whether it reaches a service of a region, by the name of its endpoints: `s3`, `secretsmanager`, `monitoring`."""
    here, subnet = network.regions[source.region], network.subnet(source)
    if region == source.region:
        own = [item for item in here.endpoints.values() if item.vpc == subnet.vpc and _serves(item, region, service)]
        for endpoint in own:
            if endpoint.interface and endpoint.private_names:
                return _by_interface(network, source, endpoint, port)
        for endpoint in own:
            route = _route_to_endpoint(here, subnet.table, endpoint)
            if route is not None:
                return _by_route(network, source, endpoint, route, port)
    lists = _lists(here, region, service)
    stranger = Internet(f"{service} in {region}", _public_block(here, lists))
    return to_internet(network, source, port, stranger=stranger, prefix_lists=lists)


def _serves(endpoint: Endpoint, region: str, service: str) -> bool:
    return endpoint.state == "available" and endpoint.service.endswith(f".{region}.{service}")


def _by_interface(network: Network, source: Interface, endpoint: Endpoint, port: int) -> Verdict:
    """By the one in any zone: all of them stand behind the name."""
    tried = [
        connection(network, source, Interface(endpoint.id, source.region, subnet, endpoint.groups), port)
        for subnet in endpoint.subnets
        if subnet in network.regions[source.region].subnets
    ]
    if not tried:
        trace = Trace()
        trace.stop(Barrier.ENDPOINT, endpoint.id, f"endpoint {endpoint.id} is in no subnet")
        return trace.verdict()
    found = next((verdict for verdict in tried if verdict.allowed), tried[0])
    return replace(found, passes=(*found.passes, endpoint.id))


def _route_to_endpoint(region: Region, table: str, endpoint: Endpoint) -> Route | None:
    found = region.tables.get(table)
    for route in found.routes if found else ():
        if route.leads is Leads.ENDPOINT and route.target == endpoint.id and route.active:
            return route
    return None


def _by_route(network: Network, source: Interface, endpoint: Endpoint, route: Route, port: int) -> Verdict:
    trace = Trace()
    region, subnet = network.regions[source.region], network.subnet(source)
    lists = frozenset({route.prefix_list, *_lists(region, region.name, endpoint.service.rpartition(".")[2])})
    block, asks = _public_block(region, lists), Ports("tcp", port, port)
    lets_out(trace, region, source, Peer(endpoint.service, block, prefix_lists=lists), asks)
    passes_acl(trace, region, subnet, block, asks, egress=True)
    trace.passed(subnet.table, endpoint.id)
    passes_acl(trace, region, subnet, block, Ports("tcp", *source.answers_to), egress=False, answer=True)
    return trace.verdict()


def _lists(here: Region, region: str, service: str) -> frozenset[str]:
    """The prefix lists of the service's public addresses, as the source's region has them."""

    def named() -> Iterator[str]:
        for id_, item in here.prefix_lists.items():
            if item.name.endswith(f".{region}.{service}"):
                yield id_

    return frozenset(named())


def _public_block(region: Region, lists: frozenset[str]) -> Block:
    """One of the service's public addresses, where a list tells them; else anybody's, as rules for everybody see it."""
    for id_ in sorted(lists & set(region.prefix_lists)):
        for block in region.prefix_lists[id_].blocks:
            if block.version == STRANGER.version:
                return block
    return STRANGER
