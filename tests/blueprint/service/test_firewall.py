"""The web ACL: who passes, who does not, and what is written down about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bicoastal.blueprint.checks import SWITCH_PATH
from bicoastal.cfn.deployment import Stack
from tests.support.deployed import of_type, plain, service
from tests.support.specs import spec


def rules(stack: Stack) -> list[Any]:
    (acl,) = of_type(stack, "AWS::WAFv2::WebACL").values()
    return sorted(acl.items("Rules"), key=lambda rule: int(rule["Priority"]))


def exact_paths(statement: Any) -> set[str]:
    """The paths that a statement matches whole, without any decoding that could widen them."""
    if "OrStatement" in statement:
        return set().union(*map(exact_paths, statement["OrStatement"]["Statements"]))
    match = statement["ByteMatchStatement"]
    assert match["FieldToMatch"] == {"UriPath": {}}
    assert match["PositionalConstraint"] == "EXACTLY"
    assert [item["Type"] for item in match["TextTransformations"]] == ["NONE"]
    return {match["SearchString"]}


@pytest.mark.parametrize("health", ["/healthz", "/", "/up~1/x.y"])
def test_health_checkers_pass_before_anything_else_is_asked(health: str) -> None:
    first = rules(service(spec(app={"command": "run", "health_path": health})))[0]
    assert first["Action"] == {"Allow": {}}
    assert exact_paths(first["Statement"]) == {SWITCH_PATH, health}


def test_awss_common_rules_bad_inputs_and_reputation_stand_and_block() -> None:
    managed = {
        rule["Statement"]["ManagedRuleGroupStatement"]["Name"]: rule
        for rule in rules(service(spec()))
        if "ManagedRuleGroupStatement" in rule["Statement"]
    }
    assert set(managed) == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    }
    assert all(rule["OverrideAction"] == {"None": {}} for rule in managed.values())
    counted = {
        override["Name"]
        for rule in managed.values()
        for override in rule["Statement"]["ManagedRuleGroupStatement"].get("RuleActionOverrides", [])
    }
    assert counted == {"SizeRestrictions_BODY"}, "uploads are no attack; everything else blocks"


@pytest.mark.parametrize(("region", "requests", "expected"), [("us-east-1", 600, 9000), ("us-west-2", 20, 1000)])
def test_one_address_gets_no_more_than_half_of_what_a_regions_fleet_is_for(
    region: str, requests: int, expected: int
) -> None:
    regions = {
        "us-east-1": {"role": "home", "cidr": "10.1.0.0/16", "scaling": {"requests_per_minute": 600}},
        "us-west-2": {"role": "standby", "cidr": "10.2.0.0/16", "scaling": {"requests_per_minute": 20}},
    }
    assert regions[region]["scaling"] == {"requests_per_minute": requests}
    (limited,) = [
        rule for rule in rules(service(spec(regions=regions), region)) if "RateBasedStatement" in rule["Statement"]
    ]
    assert int(limited["Statement"]["RateBasedStatement"]["Limit"]) == expected
    assert limited["Action"] == {"Block": {"CustomResponse": {"ResponseCode": 429}}}


def test_priorities_and_metric_names_are_unique() -> None:
    listed = rules(service(spec()))
    assert len({rule["Priority"] for rule in listed}) == len(listed)
    assert len({rule["VisibilityConfig"]["MetricName"] for rule in listed}) == len(listed)


def test_the_acl_is_on_the_balancer() -> None:
    stack = service(spec())
    (link,) = of_type(stack, "AWS::WAFv2::WebACLAssociation").values()
    assert link.get("ResourceArn") == stack.resources["Balancer"].reference
    assert link.get("WebACLArn").resource == "WebAcl"


def test_what_is_blocked_is_logged_without_credentials_to_a_declared_group() -> None:
    stack = service(spec(logs={"retention_days": 14}))
    (logging,) = of_type(stack, "AWS::WAFv2::LoggingConfiguration").values()
    redacted = {item["SingleHeader"]["Name"] for item in logging.items("RedactedFields")}
    assert redacted == {"authorization", "cookie"}
    assert not any(rule["VisibilityConfig"]["SampledRequestsEnabled"] for rule in rules(stack)), (
        "samples are not redacted"
    )
    (destination,) = logging.items("LogDestinationConfigs")
    group = stack.resources["WebAclLog"]
    assert plain(destination).endswith("log-group:${service/us-east-1/WebAclLog}"), "WAF refuses the `:*` of the Arn"
    assert group.get("LogGroupName").startswith("aws-waf-logs-")
    assert group.get("RetentionInDays") == 14
    assert "LogsKey" in plain(group.get("KmsKeyId"))


def test_the_delivery_may_write_there_and_nowhere_else() -> None:
    stack = service(spec())
    (policy,) = of_type(stack, "AWS::Logs::ResourcePolicy").values()
    (statement,) = json.loads(plain(policy.get("PolicyDocument")))["Statement"]
    assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert statement["Resource"] == "${service/us-east-1/WebAclLog.Arn}"
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"]
    assert policy.logical_id in stack.resources["WebAclLogging"].body["DependsOn"]
