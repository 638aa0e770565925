"""The page of the spec says every field as the model has it, and what it shows can be run."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from bench.spec_reference import PAGE, page
from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.spec.checks import RESERVED_TAGS
from bicoastal.spec.load import loads
from bicoastal.spec.model import Egress
from bicoastal.spec.schema import schema
from bicoastal.spec.starter import STARTER

TEXT = PAGE.read_text(encoding="utf-8")
HOURS = 730


def test_the_tables_are_current() -> None:
    assert page(TEXT) == TEXT, "run: .venv/bin/python -m bench.spec_reference"


def test_every_field_is_on_the_page() -> None:
    made = schema()
    for group in (made, *made["$defs"].values()):
        for key in group.get("properties", {}):
            assert f"| `{key}` |" in TEXT, key


def test_the_smallest_spec_on_the_page_is_complete_and_the_default_regions_are_the_default() -> None:
    smallest, regions = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    spec = loads(smallest)
    assert loads(smallest + regions) == spec
    assert STARTER.splitlines()[0] in TEXT


def test_reserved_tags_are_named() -> None:
    assert all(f"`{tag}`" in TEXT.replace("`Name`", "`name`") for tag in RESERVED_TAGS)


@pytest.mark.parametrize("egress", list(Egress))
def test_every_choice_of_egress_has_its_price(egress: Egress) -> None:
    assert re.search(rf"^\| `{egress}` \|.*\$[0-9.]+", TEXT, re.MULTILINE)


def test_the_prices_add_up() -> None:
    regions: dict[str, Any] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1])["regions"]
    zones = 3 * len(regions)
    gateway, address, endpoint = (
        float(re.search(rf"{what} \$([0-9.]+) an hour", TEXT.replace("\n", " ")).group(1))  # type: ignore[union-attr]
        for what in ("NAT gateway", "public IPv4 address", "interface endpoint")
    )
    for egress in Egress:
        row = next(row for row in TEXT.splitlines() if row.startswith(f"| `{egress}` |"))
        network = next(
            stack for stack in compose(loads(STARTER + f"egress: {egress}\n")).stacks if stack.kind == "network"
        )
        gateways = 2 * list(network.resource_types.values()).count("AWS::EC2::NatGateway")
        endpoints = zones * sum(
            resource["Properties"].get("VpcEndpointType") == "Interface"
            for resource in strip_comments(network.document)["Resources"].values()
            if resource["Type"] == "AWS::EC2::VPCEndpoint"
        )
        assert f"{endpoints} endpoint zones: ${endpoints * endpoint * HOURS:.2f}" in row
        if gateways:
            assert f"{gateways} gateways: ${gateways * gateway * HOURS:.2f}, " in row
            assert f"their addresses: ${gateways * address * HOURS:.2f};" in row
