"""What is said of a connection: everything that stops it, each with the resource that does, or what it passes.

All obstacles are given, not the first alone: who takes one away wants to know what is next, and a fault is seen by the
obstacle that it adds or removes, even where another one stands in its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Barrier(StrEnum):
    """The kinds of what can stop a packet."""

    EGRESS = "security group, outbound"
    INGRESS = "security group, inbound"
    ROUTE = "route"
    RETURN_ROUTE = "route of the answers"
    ACL = "network ACL"
    RETURN_ACL = "network ACL, of the answers"
    PEERING = "peering connection"
    NAT = "NAT gateway"
    INTERNET_GATEWAY = "internet gateway"
    PUBLIC_ADDRESS = "public address"
    ENDPOINT = "VPC endpoint"
    UNKNOWN = "not known"


@dataclass(frozen=True)
class Obstacle:
    """One thing that stops a connection."""

    barrier: Barrier
    resource: str
    """The id of what stops it: `sg-1`, `rtb-1`, `acl-1`."""
    text: str
    """In a sentence that begins with the resource."""


@dataclass(frozen=True)
class Verdict:
    """Whether a connection can be."""

    obstacles: tuple[Obstacle, ...] = ()
    """In the order in which a packet and its answer meet them."""
    passes: tuple[str, ...] = ()
    """What lets it through where nothing stops it: ids of groups, tables, gateways, in the same order."""

    @property
    def allowed(self) -> bool:
        """Whether nothing stops it."""
        return not self.obstacles

    @property
    def why(self) -> str:
        """What stops it first; or what it passes."""
        if self.obstacles:
            return self.obstacles[0].text
        return "passes " + ", ".join(dict.fromkeys(self.passes)) if self.passes else "nothing stands between"

    def met(self, barrier: Barrier) -> Obstacle | None:
        """The first obstacle of a kind."""
        return next((item for item in self.obstacles if item.barrier is barrier), None)
