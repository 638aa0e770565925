"""The networks of one or more regions, as far as they decide whether a packet arrives.

Ids are those of resources, or whatever names them in a template: only their equality matters. Nothing here knows from
where the state came, and nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

Block = IPv4Network | IPv6Network

STRANGER = ip_network("240.0.0.1/32")
"""Stands for anybody on the internet: of the reserved block, so that only rules for everybody hold it."""
THE_INTERNET = "the internet"
EVERY_PORT = (0, 65535)
ANY_HOST = (1024, 65535)
"""Ports from which NAT gateways, load balancers and clients that nobody knows connect: so far answers must get."""
LINUX = (32768, 60999)
"""The same of an instance with Linux."""


def spelled(block: Block) -> str:
    """A block, for what is said of it."""
    return THE_INTERNET if block == STRANGER else str(block)


class Leads(StrEnum):
    """What kind of target a route has."""

    LOCAL = "local"
    INTERNET = "internet gateway"
    NAT = "NAT gateway"
    PEERING = "peering connection"
    ENDPOINT = "gateway endpoint"
    OTHER = "target that is not followed"


@dataclass(frozen=True)
class Route:
    """One line of a route table; its destination is a block, or a prefix list."""

    leads: Leads
    target: str
    """Id of the gateway, connection or endpoint."""
    block: Block | None = None
    prefix_list: str = ""
    active: bool = True
    """False: AWS itself calls it a black hole. A target that is gone makes one of it in any case."""


@dataclass(frozen=True)
class RouteTable:
    """A route table."""

    id: str
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True)
class Ports:
    """What a rule speaks of, or a packet has: `tcp`, `udp`, `icmp`, a protocol's number, `-1` for each; and ports."""

    protocol: str
    first: int = EVERY_PORT[0]
    last: int = EVERY_PORT[1]

    def covers(self, asked: Ports) -> bool:
        """Whether all of what is asked is in it."""
        return self.protocol in ("-1", asked.protocol) and self.first <= asked.first and asked.last <= self.last

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol}/{ports}"


@dataclass(frozen=True)
class AclEntry:
    """An entry of a network ACL. Those of one direction are tried by number; the first that holds a packet decides."""

    number: int
    egress: bool
    allow: bool
    ports: Ports
    block: Block


@dataclass(frozen=True)
class Acl:
    """A network ACL. It knows no connections: answers need entries of their own."""

    id: str
    entries: tuple[AclEntry, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A rule of a security group, for one kind of peer: a block, another group, or a prefix list."""

    egress: bool
    ports: Ports
    block: Block | None = None
    group: str = ""
    prefix_list: str = ""


@dataclass(frozen=True)
class Group:
    """A security group. It knows connections: their answers pass."""

    id: str
    vpc: str
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Vpc:
    """A VPC."""

    id: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Subnet:
    """A subnet, with the route table and the ACL that hold for it, be they its own or its VPC's."""

    id: str
    vpc: str
    zone: str
    block: Block
    table: str
    acl: str


@dataclass(frozen=True)
class Side:
    """A VPC that takes part in a peering connection."""

    region: str
    vpc: str


@dataclass(frozen=True)
class Peering:
    """A peering connection."""

    id: str
    status: str
    """`active`, or what keeps it from being that: `pending-acceptance`, `deleted`, ..."""
    sides: tuple[Side, Side]


@dataclass(frozen=True)
class NatGateway:
    """A NAT gateway."""

    id: str
    subnet: str
    state: str
    """`available`, or what keeps it from being that."""
    public: bool


@dataclass(frozen=True)
class Endpoint:
    """A VPC endpoint, of the kind that is an interface or of the kind that is a route."""

    id: str
    vpc: str
    service: str
    """`com.amazonaws.us-east-1.s3`."""
    interface: bool
    state: str
    private_names: bool = False
    """Interfaces: the service's public name leads to it everywhere in the VPC."""
    subnets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class PrefixList:
    """A named list of blocks; AWS's own bear the names of services."""

    id: str
    name: str
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True)
class Region:
    """The networks of one region; everything by its id."""

    name: str
    vpcs: Mapping[str, Vpc] = field(default_factory=dict)
    subnets: Mapping[str, Subnet] = field(default_factory=dict)
    tables: Mapping[str, RouteTable] = field(default_factory=dict)
    acls: Mapping[str, Acl] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    nat_gateways: Mapping[str, NatGateway] = field(default_factory=dict)
    internet_gateways: Mapping[str, str] = field(default_factory=dict)
    """To the VPC that it is attached to; empty where it is to none."""
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    prefix_lists: Mapping[str, PrefixList] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """Everything together."""

    regions: Mapping[str, Region] = field(default_factory=dict)
    peerings: Mapping[str, Peering] = field(default_factory=dict)

    def subnet(self, interface: Interface) -> Subnet:
        """Where an interface is. Raises KeyError when the network does not have it."""
        return self.regions[interface.region].subnets[interface.subnet]


@dataclass(frozen=True)
class Interface:
    """An end of a connection that has a place in a VPC: an instance's, a database's, a load balancer's in a zone."""

    name: str
    """For what is said of it: `i-0123`, `orders-db-g1`."""
    region: str
    subnet: str
    groups: tuple[str, ...]
    address: Block | None = None
    """Its private address as a block of one; None: any one of its subnet, which rules then have to hold wholly."""
    public: bool = False
    """Whether it has a public address as well."""
    answers_to: tuple[int, int] = ANY_HOST
    """The ports from which it connects."""


@dataclass(frozen=True)
class Internet:
    """Somebody on the internet: anybody, unless their block is given."""

    name: str = THE_INTERNET
    block: Block = STRANGER
    answers_to: tuple[int, int] = ANY_HOST


INTERNET = Internet()
End = Interface | Internet
