"""The web ACL: who passes, who does not, and what is written down about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from bicoastal.blueprint.checks import INTERVAL_SECONDS, SWITCH_PATH
from bicoastal.blueprint.service.firewall import ADDRESS_WINDOW_S
from bicoastal.cfn.deployment import Stack
from tests.support.deployed import of_type, plain, service
from tests.support.specs import spec


def rules(stack: Stack) -> list[Any]:
    (acl,) = of_type(stack, "AWS::WAFv2::WebACL").values()
    return sorted(acl.items("Rules"), key=lambda rule: int(rule["Priority"]))


@dataclass(frozen=True)
class Request:
    """What the rules of ours look at."""

    path: str
    query: str = ""
    method: str = "GET"


def matches(statement: Any, request: Request) -> bool:
    """Whether a statement of ours matches, by WAF's rules; a text is compared as it is, or it could match more."""
    if "AndStatement" in statement:
        return all(matches(part, request) for part in statement["AndStatement"]["Statements"])
    ((kind, body),) = statement.items()
    assert [item["Type"] for item in body["TextTransformations"]] == ["NONE"]
    (field,) = body["FieldToMatch"]
    value = {"UriPath": request.path, "QueryString": request.query, "Method": request.method}[field]
    if kind == "ByteMatchStatement":
        assert body["PositionalConstraint"] == "EXACTLY"
        return bool(value == body["SearchString"])
    assert (kind, body["ComparisonOperator"]) == ("SizeConstraintStatement", "EQ")
    return bool(len(value) == body["Size"])


def asked_of(stack: Stack, request: Request) -> list[str]:
    """The rules that see a request, in order: none after the one that lets it pass."""
    seen = []
    for rule in rules(stack):
        seen.append(rule["Name"])
        if rule.get("Action") == {"Allow": {}}:
            if matches(rule["Statement"], request):
                return seen
            seen.pop()
    return seen


EVERYTHING = ["OneAddress", "IpReputation", "CommonRules", "KnownBadInputs"]


@pytest.mark.parametrize("health", ["/healthz", "/", "/up~1/x.y"])
def test_health_checkers_are_not_judged_by_managed_rules(health: str) -> None:
    stack = service(spec(app={"command": "run", "health_path": health}))
    assert asked_of(stack, Request(SWITCH_PATH)) == ["Switch"]
    assert asked_of(stack, Request(health)) == ["OneAddress", "HealthPath"]


@pytest.mark.parametrize(
    "request_",
    [
        Request("/orders"),
        Request("/healthz/../orders"),
        Request("/healthz", query="x=${jndi:ldap://}"),
        Request("/healthz", method="POST"),
        Request(f"{SWITCH_PATH}/"),
        Request("/%68ealthz"),
    ],
)
def test_everybody_else_is(request_: Request) -> None:
    assert asked_of(service(spec()), request_) == EVERYTHING


def test_checkers_stay_far_below_the_limit_of_one_address() -> None:
    least = spec(instances={"min": 2, "max": 2})
    (limited,) = [rule for rule in rules(service(least)) if "RateBasedStatement" in rule["Statement"]]
    endpoint_switch_and_two_more = 4
    sent = endpoint_switch_and_two_more * ADDRESS_WINDOW_S // INTERVAL_SECONDS
    assert int(limited["Statement"]["RateBasedStatement"]["Limit"]) >= 5 * sent


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
