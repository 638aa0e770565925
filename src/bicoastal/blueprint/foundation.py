"""What everything else in a region stands on: keys, buckets, the alert topic, and the boundary of every role.

It needs nothing, so that everything may need it. It holds no data of customers: only what encrypts it, what is shipped
to the instances, and the journal of operations.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from bicoastal.blueprint.buckets import add_access_log_bucket, add_artifact_bucket
from bicoastal.blueprint.grants import allow, deny, policy
from bicoastal.blueprint.keys import BARE_PUBLISHERS, NAMED_PUBLISHERS, add_data_key, add_logs_key
from bicoastal.blueprint.residency import boundary_document
from bicoastal.blueprint.stack import DataClass, Output, Resource, Stack
from bicoastal.cfn.intrinsics import ACCOUNT, Commented, Value, sub
from bicoastal.spec.model import Spec

BOUNDARY_ACCEPTED = "A boundary grants nothing by itself: it is the most that a role's own narrow policy can reach."


@dataclass(frozen=True)
class Foundation:
    """Outputs of the region's own foundation."""

    stack: Stack
    data_key_arn: Output
    """Encrypts the database, secrets, volumes and artifacts of this region."""
    logs_key_arn: Output
    """Encrypts log groups, the alert topic and the trail of this region."""
    artifact_bucket: Output
    artifact_bucket_arn: Output
    access_log_bucket: Output
    """Takes the load balancer's access logs without a prefix: `AWSLogs/<account>/...`."""
    access_log_bucket_arn: Output
    alert_topic_arn: Output
    boundary_arn: Output
    """Permissions boundary of every role of this region."""


def foundation(spec: Spec) -> Foundation:
    """Keys, buckets, topic and boundary, in both regions."""
    stack = Stack(
        spec, "foundation", "Keys, buckets, alert topic, and the permissions boundary of every role.", protected=True
    )
    data_key, logs_key = add_data_key(stack), add_logs_key(stack)
    access_logs = add_access_log_bucket(stack)
    artifacts = add_artifact_bucket(stack, data_key, access_logs)
    topic = _add_alert_topic(stack, logs_key)
    boundary = _add_boundary(stack)
    return Foundation(
        stack=stack,
        data_key_arn=stack.output("DataKeyArn", data_key.att("Arn"), "Key of the region's data"),
        logs_key_arn=stack.output("LogsKeyArn", logs_key.att("Arn"), "Key of the region's logs and alerts"),
        artifact_bucket=stack.output("ArtifactBucket", artifacts.ref, "Bucket of application and kit versions"),
        artifact_bucket_arn=stack.output("ArtifactBucketArn", artifacts.att("Arn"), "The same bucket, for policies"),
        access_log_bucket=stack.output("AccessLogBucket", access_logs.ref, "Bucket of the balancer's access logs"),
        access_log_bucket_arn=stack.output(
            "AccessLogBucketArn", access_logs.att("Arn"), "The access-log bucket, for policies"
        ),
        alert_topic_arn=stack.output("AlertTopicArn", topic.ref, "Topic that every alarm of the region notifies"),
        boundary_arn=stack.output("BoundaryArn", boundary.ref, "Permissions boundary of every role"),
    )


def _add_alert_topic(stack: Stack, logs_key: Resource) -> Resource:
    topic = stack.add(
        "AlertTopic",
        "AWS::SNS::Topic",
        {
            "TopicName": f"{stack.spec.prefix}-alerts",
            "DisplayName": f"{stack.spec.prefix} alerts",
            "KmsMasterKeyId": logs_key.ref,
        },
        data_class=DataClass.OPERATIONAL,
    )
    stack.add(
        "AlertTopicPolicy",
        "AWS::SNS::TopicPolicy",
        {"Topics": [topic.ref], "PolicyDocument": policy(_topic_statements(topic))},
    )
    for address in stack.spec.alerts:
        stack.add(
            _subscription_id(address),
            "AWS::SNS::Subscription",
            {"TopicArn": topic.ref, "Protocol": "email", "Endpoint": address},
        )
    return topic


def _topic_statements(topic: Resource) -> list[Value]:
    this_account = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    named = allow("PublishFromThisAccount", ["sns:Publish"], [topic.ref], this_account)
    bare = allow("PublishWithoutAnAccount", ["sns:Publish"], [topic.ref])
    in_the_clear = deny("OnlyOverTls", ["sns:Publish"], [topic.ref], {"Bool": {"aws:SecureTransport": "false"}})
    return [
        {**named, "Principal": {"Service": list(NAMED_PUBLISHERS)}},
        Commented(
            {**bare, "Principal": {"Service": list(BARE_PUBLISHERS)}},
            "EventBridge and Backup publish without naming the account: a condition on it would lose their alerts.",
        ),
        {**in_the_clear, "Principal": "*"},
    ]


def _subscription_id(address: str) -> str:
    """From the address itself: another address in the list must not make this one confirm again."""
    words = "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", address))
    return f"AlertTo{words[:60]}{hashlib.sha256(address.encode()).hexdigest()[:6].upper()}"


def _add_boundary(stack: Stack) -> Resource:
    unused = ["CKV_AWS_107", "CKV_AWS_108", "CKV_AWS_109", "CKV_AWS_110", "CKV_AWS_111"]
    return stack.add(
        "Boundary",
        "AWS::IAM::ManagedPolicy",
        {
            "ManagedPolicyName": sub(f"{stack.spec.prefix}-boundary-${{AWS::Region}}"),
            "Description": "The most that any role of this deployment may do, and where.",
            "PolicyDocument": boundary_document(stack.spec),
        },
        comment="IAM is global: the region in the name keeps the stacks of the two regions apart.",
        accept=dict.fromkeys(unused, BOUNDARY_ACCEPTED),
    )
