"""A trail's log group: who did what, without secrets; and the alarms of the real access template on it."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.aws.session import Session
from bicoastal.twin.ground import Ground
from tests.support.deployed import deployed, of_type
from tests.support.specs import spec
from tests.twin.metrics.conftest import HOME, Machines, allow

Json = Any
GROUP = "/trail"


@pytest.fixture(scope="module")
def customer(twin: Ground) -> Session:
    """The account's root, as a customer: what controllers call is in no trail."""
    endpoint = twin.api.endpoint
    return Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key)


@pytest.fixture(scope="module")
def trail(twin: Ground) -> str:
    """A trail by CloudFormation, as templates make it; gives its log group."""
    resources = {
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": GROUP, "RetentionInDays": 30}},
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "cloudtrail.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            },
        },
        "Policy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "cloudtrail.amazonaws.com"},
                            "Action": ["s3:GetBucketAcl", "s3:PutObject"],
                            "Resource": [{"Fn::GetAtt": "Bucket.Arn"}, {"Fn::Sub": "${Bucket.Arn}/*"}],
                        }
                    ],
                },
            },
        },
        "Trail": {
            "Type": "AWS::CloudTrail::Trail",
            "DependsOn": "Policy",
            "Properties": {
                "IsLogging": True,
                "S3BucketName": {"Ref": "Bucket"},
                "CloudWatchLogsLogGroupArn": {"Fn::GetAtt": "Log.Arn"},
                "CloudWatchLogsRoleArn": {"Fn::GetAtt": "Role.Arn"},
            },
        },
    }
    stacks = twin.api.client("cloudformation", HOME)
    stacks.create_stack(
        StackName="trail", TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_IAM"]
    )
    stacks.get_waiter("stack_create_complete").wait(StackName="trail", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return GROUP


def recorded(twin: Ground, action: str) -> list[Json]:
    found = twin.api.client("logs", HOME).filter_log_events(logGroupName=GROUP)["events"]
    return [event for event in (json.loads(one["message"]) for one in found) if event["eventName"] == action]


@pytest.mark.usefixtures("trail")
def test_calls_that_change_something_are_recorded_and_no_others(twin: Ground, customer: Session) -> None:
    topics = customer.client("sns", HOME)
    topics.create_topic(Name="news")
    topics.list_topics()
    customer.client("logs", HOME).create_log_group(logGroupName="/by-customer")
    twin.api.client("logs", HOME).create_log_group(logGroupName="/by-a-controller")
    (event,) = recorded(twin, "CreateTopic")
    assert (event["eventSource"], event["userIdentity"]["type"]) == ("sns.amazonaws.com", "Root")
    assert event["requestParameters"]["name"] == "news"
    assert recorded(twin, "ListTopics") == []
    assert [one["requestParameters"] for one in recorded(twin, "CreateLogGroup")] == [{"logGroupName": "/by-customer"}]


@pytest.mark.usefixtures("trail")
def test_secrets_are_hidden(twin: Ground, customer: Session) -> None:
    customer.client("secretsmanager", HOME).create_secret(Name="s", SecretString="hush")
    (event,) = recorded(twin, "CreateSecret")
    assert event["requestParameters"]["secretString"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert "hush" not in json.dumps(event)


@pytest.mark.usefixtures("trail")
def test_who_was_refused_is_recorded_with_the_reason(twin: Ground, machines: Machines) -> None:
    machine = machines(twin, "i-thief", allow("sns:ListTopics"))
    with pytest.raises(ClientError):
        machine.session().client("sns", HOME).delete_topic(TopicArn=f"arn:aws:sns:{HOME}:{twin.api.endpoint.account}:x")
    (event,) = recorded(twin, "DeleteTopic")
    assert event["errorCode"].startswith("AccessDenied") or event["errorCode"] == "AuthorizationError"
    assert event["userIdentity"]["arn"].endswith("role-i-thief/i-thief")


@pytest.mark.usefixtures("trail")
def test_the_access_templates_filters_count_what_they_are_for(twin: Ground, customer: Session) -> None:
    logs = twin.api.client("logs", HOME)
    access = deployed(spec()).stacks[f"access/{HOME}"]
    for name, resource in of_type(access, "AWS::Logs::MetricFilter").items():
        logs.put_metric_filter(
            logGroupName=GROUP, filterName=name, filterPattern=str(resource.get("FilterPattern")),
            metricTransformations=[{"metricNamespace": "Access", "metricName": name, "metricValue": "1"}],
        )  # fmt: skip
    with contextlib.suppress(ClientError):
        customer.client("ssm", HOME).start_session(Target="i-1")
    with contextlib.suppress(ClientError):
        customer.client("cloudtrail", HOME).stop_logging(Name="another")
    points = twin.api.report("cloudwatch.data", HOME, after=0)["points"]
    counted = {point[2] for point in points if point[1] == "Access"}
    assert counted == set(of_type(access, "AWS::Logs::MetricFilter"))
