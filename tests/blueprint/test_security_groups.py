"""Who may open a connection to whom: the whole graph, not samples of it."""

from __future__ import annotations

import pytest

from bicoastal.cfn.deployment import Deployment
from tests.support.deployed import deployed
from tests.support.private_network import HOME, STANDBY, Rule, private_network, rules
from tests.support.specs import spec

NOWHERE = "127.0.0.1/32"


@pytest.fixture(scope="module")
def without_flows() -> Deployment:
    return private_network(residency={"flows": []}, app={"command": "run", "port": 9000})


def test_the_rules_of_a_region_are_these_and_no_others(without_flows: Deployment) -> None:
    for region in (HOME, STANDBY):
        assert rules(without_flows, region) == {
            Rule("BalancerGroup", "ingress", "0.0.0.0/0", "80"),
            Rule("BalancerGroup", "ingress", "0.0.0.0/0", "443"),
            Rule("BalancerGroup", "egress", "FleetGroup", "9000"),
            Rule("BalancerGroup", "egress", "FleetGroup", "8099"),
            Rule("BalancerGroup", "egress", NOWHERE, "all"),
            Rule("FleetGroup", "ingress", "BalancerGroup", "9000"),
            Rule("FleetGroup", "ingress", "BalancerGroup", "8099"),
            Rule("FleetGroup", "egress", "0.0.0.0/0", "443"),
            Rule("FleetGroup", "egress", "DatabaseGroup", "5432"),
            Rule("DatabaseGroup", "ingress", "FleetGroup", "5432"),
            Rule("DatabaseGroup", "egress", NOWHERE, "all"),
            Rule("EndpointGroup", "ingress", "FleetGroup", "443"),
            Rule("EndpointGroup", "egress", NOWHERE, "all"),
        }


def test_writes_add_one_rule_on_each_side_by_the_tiers_block(without_flows: Deployment) -> None:
    deployment = private_network(residency={"flows": ["writes"]}, app={"command": "run", "port": 9000})
    for region, other in ((HOME, STANDBY), (STANDBY, HOME)):
        theirs = deployment.stacks[f"network/{other}"]
        assert rules(deployment, region) - rules(without_flows, region) == {
            Rule("FleetGroup", "egress", str(theirs.output("DataBlock")), "5432"),
            Rule("DatabaseGroup", "ingress", str(theirs.output("ApplicationBlock")), "5432"),
        }


def test_every_target_group_is_reached_by_its_balancer() -> None:
    """The ports stand in two concerns: a port that only one of them knows is an application that never gets healthy."""
    deployment = deployed(spec())
    for region in (HOME, STANDBY):
        ports = {
            str(group.get("Port"))
            for group in deployment.of_type("AWS::ElasticLoadBalancingV2::TargetGroup", region=region)
        }
        let_in = {rule.port for rule in rules(deployment, region) if rule.group == "FleetGroup"}
        assert ports
        assert ports <= let_in
