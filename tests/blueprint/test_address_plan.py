"""The address plan as CloudFormation computes it: any size of VPC, no overlap, and blocks that hold one tier only."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.private_network import HOME, STANDBY, private_network, subnets, two_regions

TIERS = ("Public", "Application", "Data")


@given(st.integers(16, 22), st.integers(16, 22), st.sampled_from([(2, 2), (3, 3), (2, 3), (3, 2)]))
def test_subnets_of_any_vpc_are_inside_it_and_apart(home: int, standby: int, zones: tuple[int, int]) -> None:
    cidrs = {HOME: f"10.64.0.0/{home}", STANDBY: f"172.16.0.0/{standby}"}
    deployment = private_network(regions=two_regions(cidrs[HOME], cidrs[STANDBY], zones))
    for region, count in zip(cidrs, zones, strict=True):
        vpc = IPv4Network(cidrs[region])
        blocks = [block for tier in TIERS for block in subnets(deployment, region, tier).values()]
        assert len(blocks) == 3 * count
        assert all(block.subnet_of(vpc) for block in blocks)
        assert not [pair for pair in _pairs(blocks) if pair[0].overlaps(pair[1])]


@given(st.integers(16, 22))
def test_a_tiers_block_holds_its_subnets_and_no_others(prefix: int) -> None:
    deployment = private_network(regions=two_regions(f"10.64.0.0/{prefix}"))
    outputs = deployment.stacks[f"network/{HOME}"]
    for tier, output in (("Application", "ApplicationBlock"), ("Data", "DataBlock")):
        block = IPv4Network(str(outputs.output(output)))
        for other in TIERS:
            inside = [subnet.subnet_of(block) for subnet in subnets(deployment, HOME, other).values()]
            assert all(inside) if other == tier else not any(inside)


@pytest.mark.parametrize(("prefix", "application", "small"), [(16, 19, 21), (20, 23, 25), (22, 25, 27)])
def test_the_sizes_that_the_plan_promises(prefix: int, application: int, small: int) -> None:
    deployment = private_network(regions=two_regions(f"10.64.0.0/{prefix}"))
    assert {block.prefixlen for block in subnets(deployment, HOME, "Application").values()} == {application}
    assert {block.prefixlen for tier in ("Public", "Data") for block in subnets(deployment, HOME, tier).values()} == {
        small
    }


def test_a_third_zone_moves_no_subnet() -> None:
    with_two, with_three = (private_network(regions=two_regions(zones=(count, 3))) for count in (2, 3))
    for tier in TIERS:
        before, after = subnets(with_two, HOME, tier), subnets(with_three, HOME, tier)
        assert before.items() < after.items()


def _pairs(blocks: list[IPv4Network]) -> list[tuple[IPv4Network, IPv4Network]]:
    return [(first, second) for index, first in enumerate(blocks) for second in blocks[index + 1 :]]
