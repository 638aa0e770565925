"""A month's bill: its sums, what dominates it, what is unknown, and that the documents quote the same prices."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from bicoastal.costs.estimate import BY_USE, FREE, RECKONED, Estimate, estimate
from bicoastal.costs.prices import prices
from tests.support.reviewed import sample
from tests.support.templates import deployment_of

ROOT = Path(__file__).resolve().parents[2]


@cache
def bill() -> Estimate:
    return estimate(sample().deployment())


def test_every_price_has_a_unit_a_page_of_awss_and_the_table_a_date() -> None:
    table = prices()
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", table.date)
    for key, price in table.by_key.items():
        assert price.usd > 0, key
        assert price.per in ("hour", "month", "GB-month"), key
        assert price.source.startswith("https://aws.amazon.com/"), key
        assert price.source.endswith("pricing/") or "/pricing/" in price.source, key
        assert ("from memory" in price.seen) is not price.confirmed, key
        assert not price.confirmed or re.search(r"20\d\d", price.seen), key


def test_what_dominates_the_bill_was_seen_somewhere() -> None:
    memory = sum(cost.most for cost in bill().costs if not cost.confirmed)
    assert memory <= 0.01 * bill().most


def test_the_page_of_the_spec_quotes_the_same_prices() -> None:
    text = (ROOT / "docs" / "spec.md").read_text().replace("\n", " ")
    table = prices().by_key
    for words, key in (
        ("NAT gateway", "nat-gateway"),
        ("public IPv4 address", "public-address"),
    ):
        found = re.search(rf"{words} \$([0-9.]+) an hour", text)
        assert found is not None
        assert float(found[1]) == table[key].usd
    found = re.search(r"interface endpoint \$([0-9.]+) an hour", text)
    assert found is not None
    assert float(found[1]) == table["interface-endpoint"].usd


def test_the_samples_bill_is_the_sum_of_its_rows_and_the_network_dominates_it() -> None:
    found = bill()
    assert sum(least for least, _ in found.by_row().values()) == pytest.approx(found.least)
    assert sum(most for _, _, most in found.by_kind()) == pytest.approx(found.most)
    assert next(iter(found.by_row())) == "M6"
    kinds = {what: most for what, _, most in found.by_kind()}
    assert kinds["NAT gateways"] == pytest.approx(197.10)
    assert kinds["interface endpoints"] == pytest.approx(219.00)
    assert found.most - found.least == pytest.approx(2 * 4 * (0.0104 * 730 + 16 * 0.08)), "two fleets of 2 to 6"
    assert found.unknown == ()


def test_every_type_of_the_sample_is_priced_free_or_by_use() -> None:
    for item in sample().deployment().resources:
        assert item.type in RECKONED or item.type in BY_USE or item.type.startswith(FREE), item.type


def test_what_has_no_price_is_said_and_not_guessed() -> None:
    found = estimate(
        deployment_of(
            "  A: {Type: AWS::Redshift::Cluster}",
            "  B: {Type: AWS::EC2::Instance, Properties: {InstanceType: x9.large}}",
            "  C: {Type: AWS::RDS::DBInstance, Properties: {Engine: oracle-ee, DBInstanceClass: db.t3.micro}}",
            "  D: {Type: AWS::EC2::Instance, Properties: {InstanceType: !Ref Nobody}}",
        )
    )
    assert (found.costs, found.least) == ((), 0)
    assert [one.why for one in found.unknown] == [
        "the table has no price of its type",
        "the table has no price for x9.large",
        "the table has prices of PostgreSQL, not of oracle-ee",
        "its instance type is not known",
    ]


def test_a_region_outside_the_table_is_unknown() -> None:
    found = estimate(deployment_of("  A: {Type: AWS::EC2::NatGateway}", region="eu-west-1"))
    assert found.costs == ()
    assert found.unknown[0].why.endswith("in eu-west-1")


def test_a_multi_az_database_is_two() -> None:
    one, two = (
        estimate(
            deployment_of(
                "  A: {Type: AWS::RDS::DBInstance, Properties: {Engine: postgres, DBInstanceClass: db.t4g.medium,"
                f" AllocatedStorage: 20, StorageType: gp3, MultiAZ: {multi}}}}}"
            )
        ).least
        for multi in ("false", "true")
    )
    assert two == pytest.approx(2 * one)
