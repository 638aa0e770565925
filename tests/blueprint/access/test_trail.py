"""The trail: of its own region, locked, and read by somebody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.deployed import deployed, of_type, plain
from tests.support.specs import spec

Json = Any
STACKS = deployed(spec()).stacks
HOME, STANDBY = STACKS["access/us-east-1"], STACKS["access/us-west-2"]


def test_each_region_has_a_trail_of_its_own_and_one_records_global_events() -> None:
    for stack, records in ((HOME, True), (STANDBY, False)):
        trail = stack.resources["Trail"]
        assert trail.get("IsMultiRegionTrail") is False
        assert trail.get("IncludeGlobalServiceEvents") is records
        assert trail.get("EnableLogFileValidation") is True
        assert trail.get("IsLogging") is True
        assert plain(trail.get("KMSKeyId")) == f"${{foundation/{stack.region}/LogsKey.Arn}}"


def test_only_this_trail_writes_into_the_bucket_and_nobody_without_tls() -> None:
    statements = {
        item["Sid"]: item for item in plain(HOME.resources["TrailBucketPolicy"].get("PolicyDocument", "Statement"))
    }
    assert statements["TrailWrites"]["Condition"]["StringEquals"]["aws:SourceArn"].endswith(
        "trail/orders-production-trail"
    )
    assert statements["TrailWrites"]["Action"] == ["s3:PutObject"]
    assert statements["TlsOnly"]["Effect"] == "Deny"
    assert statements["TlsOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_cloudtrail_takes_its_role_without_naming_a_source() -> None:
    """Its guide: the role for CloudWatch Logs supports neither aws:SourceArn nor aws:SourceAccount."""
    (statement,) = plain(HOME.resources["TrailDeliveryRole"].get("AssumeRolePolicyDocument", "Statement"))
    assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    assert "Condition" not in statement


def test_the_bucket_is_locked_versioned_and_kept() -> None:
    bucket = HOME.resources["TrailBucket"]
    assert plain(bucket.get("ObjectLockConfiguration", "Rule", "DefaultRetention")) == {
        "Mode": "GOVERNANCE",
        "Days": 365,
    }
    assert bucket.get("VersioningConfiguration", "Status") == "Enabled"
    assert bucket.attribute("UpdateReplacePolicy") == "Retain"


WATCHED = ("EmergencyAccess", "RootUse", "TrailChange")


@pytest.mark.parametrize("name", WATCHED)
def test_what_is_rare_is_counted_alarmed_and_told(name: str) -> None:
    count, alarm, rule = (HOME.resources[f"{name}{kind}"] for kind in ("Count", "Alarm", "Rule"))
    transformation = plain(count.get("MetricTransformations", 0))
    assert (alarm.get("Namespace"), alarm.get("MetricName")) == (
        transformation["MetricNamespace"],
        transformation["MetricName"],
    )
    assert plain(count.get("LogGroupName")) == "${access/us-east-1/TrailLog}"
    topic = ["${foundation/us-east-1/AlertTopic}"]
    assert plain(alarm.get("AlarmActions")) == topic
    assert [target["Arn"] for target in plain(rule.get("Targets"))] == topic


def event(name: str, source: str = "aws.ssm", kind: str = "AWS API Call via CloudTrail", **detail: Json) -> Json:
    return {"source": source, "detail-type": kind, "detail": {"eventName": name, **detail}}


@pytest.mark.parametrize(
    ("rule", "happened", "told"),
    [
        ("EmergencyAccess", event("StartSession"), True),
        (
            "EmergencyAccess",
            event("StartAutomationExecution", requestParameters={"documentName": "orders-production-open-access"}),
            True,
        ),
        (
            "EmergencyAccess",
            event("StartAutomationExecution", requestParameters={"documentName": "orders-production-bootstrap"}),
            False,
        ),
        ("EmergencyAccess", event("GetAutomationExecution"), False),
        (
            "RootUse",
            event("CreateUser", "aws.iam", userIdentity={"type": "Root"}),
            True,
        ),
        ("RootUse", event("CreateUser", "aws.iam", userIdentity={"type": "IAMUser"}), False),
        (
            "RootUse",
            event("Decrypt", "aws.kms", userIdentity={"type": "Root", "invokedBy": "rds.amazonaws.com"}),
            False,
        ),
        ("TrailChange", event("StopLogging", "aws.cloudtrail", eventSource="cloudtrail.amazonaws.com"), True),
        ("TrailChange", event("LookupEvents", "aws.cloudtrail", eventSource="cloudtrail.amazonaws.com"), False),
    ],
)
def test_the_rules_match_what_they_should(rule: str, happened: Json, told: bool) -> None:
    assert matches(plain(HOME.resources[f"{rule}Rule"].get("EventPattern")), happened) is told


@pytest.mark.parametrize(
    ("status", "told"), [("Failed", True), ("TimedOut", True), ("Cancelled", True), ("Success", False)]
)
def test_an_instance_that_may_still_be_open_is_told(status: str, told: bool) -> None:
    kind = "EC2 Automation Execution Status-change Notification"
    detail = {"Definition": "orders-production-open-access", "Status": status}
    happened = {"source": "aws.ssm", "detail-type": kind, "detail": detail}
    assert matches(plain(HOME.resources["EmergencyAccessNotClosedRule"].get("EventPattern")), happened) is told


def test_messages_are_json_text_that_names_only_fields_it_has() -> None:
    for rule in of_type(HOME, "AWS::Events::Rule").values():
        transformer = plain(rule.get("Targets", 0, "InputTransformer"))
        text = json.loads(transformer["InputTemplate"])
        for field in transformer["InputPathsMap"]:
            assert f"<{field}>" in text


def matches(pattern: Json, value: Json) -> bool:
    """EventBridge's matching, for the operators in use: lists of values, suffix, exists, $or."""
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(matches(choice, value) for choice in wanted):
                return False
        elif isinstance(wanted, dict):
            if not isinstance(value.get(key), dict) or not matches(wanted, value[key]):
                return False
        elif not any(_one(item, value, key) for item in wanted):
            return False
    return True


def _one(item: Json, value: Json, key: str) -> bool:
    if not isinstance(item, dict):
        return key in value and value[key] == item
    ((operator, operand),) = item.items()
    if operator == "exists":
        return (key in value) is operand
    if operator == "suffix":
        return str(value.get(key, "")).endswith(operand)
    raise NotImplementedError(operator)
