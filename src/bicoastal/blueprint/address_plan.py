"""How a VPC's addresses are divided: the same plan in every region, for any VPC from /16 to /22.

    0/8 .. 3/8   application subnets A, B, C and one to spare: an eighth each
    4/8          public subnets A, B, C and one to spare: a quarter of the eighth each
    5/8          data subnets, likewise
    6/8, 7/8     free

Each tier is one block that holds nothing else, so that a route, a rule or a peer can name the tier. The fourth place
stays free: a third zone later, or a fourth, moves no subnet. In a /22 an application subnet has 123 usable
addresses, a public or data subnet 27 (a load balancer wants 8 free ones).
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import Value, cidr, select

_PUBLIC_EIGHTH = 4
_DATA_EIGHTH = 5
_PLACES = 4


@dataclass(frozen=True)
class AddressPlan:
    """The blocks of the region's own VPC, as template values."""

    vpc: Value
    half_bits: Value
    eighth_bits: Value
    small_bits: Value

    @property
    def application_block(self) -> Value:
        """All application subnets, and nothing else."""
        return select(0, cidr(self.vpc, 2, self.half_bits))

    @property
    def data_block(self) -> Value:
        """All data subnets, and nothing else."""
        return self._eighth(_DATA_EIGHTH)

    def application_subnet(self, index: int) -> Value:
        """The block of the application subnet in a zone."""
        return self._eighth(index)

    def public_subnet(self, index: int) -> Value:
        """The block of the public subnet in a zone."""
        return select(index, cidr(self._eighth(_PUBLIC_EIGHTH), _PLACES, self.small_bits))

    def data_subnet(self, index: int) -> Value:
        """The block of the data subnet in a zone."""
        return select(index, cidr(self.data_block, _PLACES, self.small_bits))

    def _eighth(self, index: int) -> Value:
        return select(index, cidr(self.vpc, 8, self.eighth_bits))


def declare_address_plan(stack: Stack) -> AddressPlan:
    """The plan over this stack's parameters. Sizes are parameters too: the regions' VPCs may differ in size."""
    blocks = {name: region.cidr for name, region in stack.spec.regions.items()}

    def bits(name: str, more: int, what: str) -> Value:
        values = {region: str(32 - block.prefixlen - more) for region, block in blocks.items()}
        return stack.setting(name, values, f"Host bits of {what}", type_="Number", MinValue=4, MaxValue=16)

    return AddressPlan(
        vpc=stack.setting(
            "VpcCidr",
            {region: str(block) for region, block in blocks.items()},
            "Addresses of the VPC, /16 to /22; the three sizes below follow from it",
            AllowedPattern=r"^[0-9.]+/(1[6-9]|2[0-2])$",
        ),
        half_bits=bits("HalfBits", 1, "half of the VPC: the application tier"),
        eighth_bits=bits("EighthBits", 3, "an eighth of the VPC: an application subnet, or another tier"),
        small_bits=bits("SmallSubnetBits", 5, "a public or data subnet"),
    )
