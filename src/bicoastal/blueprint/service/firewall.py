"""The web ACL in front of the balancer: AWS's managed rules, a limit for each address, and logs without credentials.

Health checkers pass before the managed rules: a false match on them would take the region out of DNS. The switch passes
before everything, because it costs nothing; the health path stands behind the limit, because it reaches the fleet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bicoastal.blueprint.checks import SWITCH_PATH
from bicoastal.blueprint.service.balancer import Balancer
from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, sub
from bicoastal.spec.model import Spec

ADDRESS_WINDOW_S: Final = 300
_MANAGED_RULES: Final = (
    ("IpReputation", "AWSManagedRulesAmazonIpReputationList", ()),
    ("CommonRules", "AWSManagedRulesCommonRuleSet", ("SizeRestrictions_BODY",)),
    ("KnownBadInputs", "AWSManagedRulesKnownBadInputsRuleSet", ()),
)
"""Name here, AWS's name, and the rules of the group that only count."""
_COUNT_COMMENT: Final = (
    "SizeRestrictions_BODY blocks every body over 8 KB, so every upload and most long forms. It counts here; an "
    "application that takes neither may let it block."
)
_AS_IT_IS: Final = [{"Priority": 0, "Type": "NONE"}]
_REDACTED_HEADERS: Final = ("authorization", "cookie")


def firewall(stack: Stack, balancer: Balancer, *, logs_key: Value) -> Resource:
    """The web ACL on the balancer, logging to a group of this stack."""
    acl = stack.add(
        "WebAcl",
        "AWS::WAFv2::WebACL",
        {
            "Name": f"{stack.spec.prefix}-web",
            "Description": f"In front of the balancer of {stack.spec.prefix}",
            "Scope": "REGIONAL",
            "DefaultAction": {"Allow": {}},
            "VisibilityConfig": _visibility(acl_metric(stack.spec)),
            "Rules": _rules(stack),
        },
    )
    stack.add(
        "WebAclAssociation",
        "AWS::WAFv2::WebACLAssociation",
        {"ResourceArn": balancer.resource.ref, "WebACLArn": acl.att("Arn")},
    )
    _logging(stack, acl, logs_key)
    return acl


def acl_metric(spec: Spec) -> str:
    """The web ACL in its metrics, where each rule has its own name."""
    return f"{spec.prefix}-web"


def requests_per_address(stack: Stack, region: str) -> int:
    """Requests in five minutes that one address may send: half of what the region's whole fleet is meant for.

    Many people share an address behind a company's or a provider's NAT, so the limit is there to keep one source
    from taking the fleet for itself, and not to find robots.
    """
    spec = stack.spec
    fleet = spec.regions[region].scaling.requests_per_minute * spec.instances.max
    return max(1000, fleet * (ADDRESS_WINDOW_S // 60) // 2)


def _rules(stack: Stack) -> list[Value]:
    limit = stack.setting(
        "RequestsPerAddress",
        {region: str(requests_per_address(stack, region)) for region in stack.regions},
        f"Requests that one address may send in {ADDRESS_WINDOW_S} seconds before it is answered 429.",
        type_="Number",
        MinValue=10,
    )
    rules = [
        {"Name": "Switch", "Statement": _exactly("UriPath", SWITCH_PATH), "Action": {"Allow": {}}},
        {
            "Name": "OneAddress",
            "Statement": {
                "RateBasedStatement": {
                    "AggregateKeyType": "IP",
                    "EvaluationWindowSec": ADDRESS_WINDOW_S,
                    "Limit": limit,
                }
            },
            "Action": {"Block": {"CustomResponse": {"ResponseCode": 429}}},
        },
        {"Name": "HealthPath", "Statement": _plain_get(stack.spec.app.health_path), "Action": {"Allow": {}}},
        *(_managed(name, group, counted) for name, group, counted in _MANAGED_RULES),
    ]
    return [
        {"Priority": priority, **rule, "VisibilityConfig": _visibility(rule["Name"])}
        for priority, rule in enumerate(rules, start=1)
    ]


def _managed(name: str, group: str, counted: Sequence[str]) -> dict[str, Value]:
    statement: dict[str, Value] = {"VendorName": "AWS", "Name": group}
    if counted:
        statement["RuleActionOverrides"] = Commented(
            [{"Name": rule, "ActionToUse": {"Count": {}}} for rule in counted], _COUNT_COMMENT
        )
    return {"Name": name, "Statement": {"ManagedRuleGroupStatement": statement}, "OverrideAction": {"None": {}}}


def _plain_get(path: str) -> Value:
    """A GET of the path without a query: all that a checker sends, and nothing that carries an attack in its URL."""
    no_query = {
        "SizeConstraintStatement": {
            "FieldToMatch": {"QueryString": {}},
            "ComparisonOperator": "EQ",
            "Size": 0,
            "TextTransformations": _AS_IT_IS,
        }
    }
    return {"AndStatement": {"Statements": [_exactly("UriPath", path), _exactly("Method", "GET"), no_query]}}


def _exactly(field: str, text: str) -> Value:
    return {
        "ByteMatchStatement": {
            "FieldToMatch": {field: {}},
            "PositionalConstraint": "EXACTLY",
            "SearchString": text,
            "TextTransformations": _AS_IT_IS,
        }
    }


def _logging(stack: Stack, acl: Resource, logs_key: Value) -> None:
    spec = stack.spec
    group = stack.add(
        "WebAclLog",
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": Commented(f"aws-waf-logs-{spec.prefix}", "WAF writes only to groups of this prefix."),
            "RetentionInDays": spec.logs.retention_days,
            "KmsKeyId": logs_key,
        },
        data_class=DataClass.OPERATIONAL,
    )
    delivery = stack.add(
        "WebAclLogDelivery",
        "AWS::Logs::ResourcePolicy",
        {
            "PolicyName": f"{spec.prefix}-web-acl-logs",
            "PolicyDocument": _delivery_policy(group),
        },
        comment="Declared, because otherwise WAF writes it with the rights of whoever deploys, or fails for want of "
        "them.",
    )
    stack.add(
        "WebAclLogging",
        "AWS::WAFv2::LoggingConfiguration",
        {
            "ResourceArn": acl.att("Arn"),
            "LogDestinationConfigs": [
                Commented(
                    sub(
                        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}",
                        {"Group": group.ref},
                    ),
                    "Without the `:*` that the group's Arn ends with: WAF refuses it.",
                )
            ],
            "RedactedFields": [{"SingleHeader": {"Name": name}} for name in _REDACTED_HEADERS],
            "LoggingFilter": Commented(
                {
                    "DefaultBehavior": "DROP",
                    "Filters": [
                        {
                            "Behavior": "KEEP",
                            "Requirement": "MEETS_ANY",
                            "Conditions": [{"ActionCondition": {"Action": action}} for action in ("BLOCK", "COUNT")],
                        }
                    ],
                },
                "What was blocked or would have been. Every request is in the balancer's access log already.",
            ),
        },
        depends_on=[delivery],
    )


def _delivery_policy(group: Resource) -> Value:
    """CloudFormation takes this policy as text."""
    return sub(
        '{"Version":"2012-10-17","Statement":[{"Sid":"WebAclLogDelivery","Effect":"Allow",'
        '"Principal":{"Service":"delivery.logs.amazonaws.com"},"Action":["logs:CreateLogStream","logs:PutLogEvents"],'
        '"Resource":"${Group}","Condition":{"StringEquals":{"aws:SourceAccount":"${AWS::AccountId}"},'
        '"ArnLike":{"aws:SourceArn":"arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*"}}}]}',
        {"Group": group.att("Arn")},
    )


def _visibility(name: str) -> Mapping[str, Value]:
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
        "SampledRequestsEnabled": Commented(
            False, "Samples keep headers in clear text, beside the redaction of the log."
        ),
    }
