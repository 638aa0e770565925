"""Security groups: what any rule of any group of an interface admits is admitted, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.reach.model import Block, Interface, Ports, Region, Rule, spelled
from bicoastal.reach.routes import holds
from bicoastal.reach.trace import Trace
from bicoastal.reach.verdict import Barrier


@dataclass(frozen=True)
class Peer:
    """The other end, as rules speak of it."""

    name: str
    block: Block
    groups: tuple[str, ...] = ()
    seen: bool = False
    """Whether a rule that names its groups means it: it does not across regions, nor for who comes by the internet."""
    prefix_lists: frozenset[str] = frozenset()
    """Those that its address is in, whatever they hold."""

    def __str__(self) -> str:
        where = spelled(self.block)
        return where if where == self.name else f"{self.name} ({', '.join([*self.groups, where])})"


def lets_out(trace: Trace, region: Region, source: Interface, peer: Peer, asked: Ports) -> None:
    """Whether a group of the source has a rule that lets the port out to the peer."""
    _let(trace, region, source, peer, asked, egress=True)


def lets_in(trace: Trace, region: Region, destination: Interface, peer: Peer, asked: Ports) -> None:
    """Whether a group of the destination has a rule that lets the port in from the peer."""
    _let(trace, region, destination, peer, asked, egress=False)


def _let(trace: Trace, region: Region, interface: Interface, peer: Peer, asked: Ports, *, egress: bool) -> None:
    unseen = None
    for id_ in interface.groups:
        group = region.groups.get(id_)
        for rule in group.rules if group else ():
            if rule.egress is not egress or not rule.ports.covers(asked):
                continue
            if _means(region, rule, peer):
                trace.passed(id_)
                return
            if rule.group and rule.group in peer.groups:
                unseen = id_
    barrier = Barrier.EGRESS if egress else Barrier.INGRESS
    direction, towards = ("outbound", "to") if egress else ("inbound", "from")
    if not interface.groups:
        trace.stop(barrier, interface.name, f"{interface.name} has no security group")
        return
    named = "security group" if len(interface.groups) == 1 else "security groups"
    text = (
        f"{named} {', '.join(interface.groups)} of {interface.name}: no {direction} rule for {asked} {towards} {peer}"
    )
    if unseen:
        text += f"; the one that names its group in {unseen} holds within a region only"
    trace.stop(barrier, unseen or interface.groups[0], text)


def _means(region: Region, rule: Rule, peer: Peer) -> bool:
    if rule.group:
        return peer.seen and rule.group in peer.groups
    if rule.prefix_list:
        named = region.prefix_lists.get(rule.prefix_list)
        blocks = named.blocks if named else ()
        return rule.prefix_list in peer.prefix_lists or any(holds(block, peer.block) for block in blocks)
    return rule.block is not None and holds(rule.block, peer.block)
