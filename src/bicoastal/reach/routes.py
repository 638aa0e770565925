"""Which route a packet takes: the most specific one of its subnet's table, and the VPC's own blocks before others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bicoastal.reach.model import Block, Leads, Region, Route, Subnet


def holds(block: Block, inner: Block) -> bool:
    """Whether a block of addresses holds another one wholly."""
    return block.version == inner.version and inner.subnet_of(block)  # type: ignore[arg-type]


def route_to(region: Region, subnet: Subnet, block: Block) -> Route | None:
    """The route of a subnet to a block, be it a black hole: no less specific one is used instead. None: it has none."""
    found = None
    for route in _routes(region, subnet):
        if route.block is None or not holds(route.block, block):
            continue
        if found is None or found.block is None or route.block.prefixlen > found.block.prefixlen:
            found = route
    return found


def attached(region: Region, vpc: str) -> tuple[str, ...]:
    """The internet gateways of a VPC: one, or none."""
    return tuple(id_ for id_, at in region.internet_gateways.items() if vpc and at == vpc)


def _routes(region: Region, subnet: Subnet) -> Iterator[Route]:
    """The VPC's own first: of two equally specific routes the local one is taken, and templates do not write it."""
    vpc = region.vpcs.get(subnet.vpc)
    for block in vpc.blocks if vpc else ():
        yield Route(Leads.LOCAL, "local", block)
    table = region.tables.get(subnet.table)
    for route in table.routes if table else ():
        if route.block is None and route.leads is not Leads.ENDPOINT:
            named = region.prefix_lists.get(route.prefix_list)
            yield from (replace(route, block=block) for block in (named.blocks if named else ()))
        else:
            yield route
