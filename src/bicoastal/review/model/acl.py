"""Network ACLs as AWS evaluates them: by number, first match, stateless, denied at the end."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.review.model.network import Subnet, contains
from bicoastal.review.verdict import number, same, yes

_ANSWERS = (32768, 60999)
"""The ends of the range of ports that Linux clients are answered on."""


def list_of(deployment: Deployment, subnet: Subnet) -> Resource | None:
    """The network ACL of a subnet; None for the VPC's default one, which lets everything through."""
    for item in deployment.referring(subnet.resource, "AWS::EC2::SubnetNetworkAclAssociation"):
        found = deployment.resource(item.get("NetworkAclId"))
        if found is not None:
            return found
    return None


def blocked(deployment: Deployment, guard: Resource, peer: str, port: int) -> Iterator[str]:
    """What keeps a peer from connecting to a port behind the ACL: the way in, or the answer's way out."""
    if not _allowed(deployment, guard, peer, port, egress=False):
        yield f"lets no connection on port {port} in"
    if not all(_allowed(deployment, guard, peer, answer, egress=True) for answer in _ANSWERS):
        yield "lets no answer out"


def unasked(deployment: Deployment, guard: Resource, peer: str, port: int) -> Iterator[str]:
    """What keeps a host behind the ACL from asking a peer: the way out, or the answer's way in."""
    if not _allowed(deployment, guard, peer, port, egress=True):
        yield f"lets no connection to port {port} out"
    if not all(_allowed(deployment, guard, peer, answer, egress=False) for answer in _ANSWERS):
        yield "lets no answer in"


def _allowed(deployment: Deployment, guard: Resource, peer: str, port: int, *, egress: bool) -> bool:
    entries = [
        item
        for item in deployment.referring(guard, "AWS::EC2::NetworkAclEntry")
        if yes(item.get("Egress")) is egress and number(item.get("RuleNumber")) is not None
    ]
    for item in sorted(entries, key=lambda entry: number(entry.get("RuleNumber")) or 0):
        protocol = item.get("Protocol")
        first, last = number(item.get("PortRange", "From")), number(item.get("PortRange", "To"))
        covers_port = same(protocol, -1) or (
            same(protocol, 6) and first is not None and last is not None and first <= port <= last
        )
        if covers_port and contains(item.get("CidrBlock"), peer):
            return bool(item.get("RuleAction") == "allow")
    return False
