"""Network ACLs: numbered entries, the first that holds a packet decides, and what none holds is denied."""

from __future__ import annotations

from bicoastal.reach.model import AclEntry, Block, Ports, Region, Subnet, spelled
from bicoastal.reach.routes import holds
from bicoastal.reach.trace import Trace
from bicoastal.reach.verdict import Barrier

Range = tuple[int, int]


def passes_acl(
    trace: Trace, region: Region, subnet: Subnet, peer: Block, ports: Ports, *, egress: bool, answer: bool = False
) -> None:
    """Whether packets to these ports may cross the subnet's border to or from a peer.

    A range has to pass wholly: nobody knows which port of it is taken.
    """
    acl = region.acls.get(subnet.acl)
    if acl is None:
        return
    entries = sorted((entry for entry in acl.entries if entry.egress is egress), key=lambda entry: entry.number)
    refused = _refused(entries, peer, ports)
    if refused is None:
        trace.passed(acl.id)
        return
    way = f"out to {spelled(peer)}" if egress else f"in from {spelled(peer)}"
    kind = "answers " if answer else ""
    said = f"network ACL {acl.id} of {subnet.id} does not let {kind}{ports} {way}: {refused}"
    trace.stop(Barrier.RETURN_ACL if answer else Barrier.ACL, acl.id, said)


def _refused(entries: list[AclEntry], peer: Block, ports: Ports) -> str | None:
    """What denies it; None for what is allowed."""
    left: list[Range] = [(ports.first, ports.last)]
    for entry in entries:
        if entry.ports.protocol not in ("-1", ports.protocol) or not holds(entry.block, peer):
            continue
        outside = [part for piece in left for part in _without(piece, (entry.ports.first, entry.ports.last))]
        if outside == left:
            continue
        if not entry.allow:
            return f"entry {entry.number} denies it"
        left = outside
        if not left:
            return None
    return "no entry allows it"


def _without(piece: Range, taken: Range) -> list[Range]:
    """A range without another one: nothing, a part, or two."""
    if taken[1] < piece[0] or taken[0] > piece[1]:
        return [piece]
    parts = [(piece[0], taken[0] - 1), (taken[1] + 1, piece[1])]
    return [part for part in parts if part[0] <= part[1]]
