"""A copy of every log group of both regions in one bucket of the home region; only when `logs.aggregate` is on (M7).

CloudWatch centralizes logs across regions for organizations only. Here each group is subscribed to its own region's
Firehose stream, which fills the region's bucket; the standby's bucket is a relay that S3 replicates to home's. Every
hop is a managed service's, and nothing is written across regions but by S3's replication (M2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow, deny, policy, trust
from bicoastal.blueprint.stack import DataClass, Output, Resource, Stack, Where
from bicoastal.cfn.intrinsics import NO_VALUE, Commented, Value, equals, if_, not_, ref, strip_comments, sub
from bicoastal.spec.model import Spec

RELAY_DAYS = 7
"""Days that the standby's bucket keeps what it has handed on: ample for S3 to replicate, and to mend it if not."""
_GROUP = "/{prefix}/log-aggregation"


@dataclass(frozen=True)
class Aggregation:
    """The stack of both regions."""

    stack: Stack


def aggregation(spec: Spec, foundation: Foundation, stacks: Sequence[Stack]) -> Aggregation | None:
    """Subscribe every log group that `stacks` declare, adding an output for each to its stack; None when it is off.

    Call it last: a group of a stack that comes later would be missed. Raises ValueError for a group that exists on a
    condition.
    """
    if not spec.logs.aggregate:
        return None
    groups = [group for stack in stacks for group in _log_groups(stack)]
    stack = Stack(spec, "aggregation", f"Copies of the logs of both regions of {spec.prefix}, in {spec.home}.")
    stack.condition("Relays", not_(equals(ref("AWS::Region"), spec.home)))
    stack.condition("Collects", equals(ref("AWS::Region"), spec.home))
    key = stack.input(foundation.logs_key_arn)
    boundary = stack.input(foundation.boundary_arn)
    bucket = _bucket(stack, foundation, key, boundary)
    stream = _stream(stack, bucket, key, boundary)
    _subscriptions(stack, groups, stream, boundary)
    _alarm(stack, stream, stack.input(foundation.alert_topic_arn))
    return Aggregation(stack)


def _log_groups(stack: Stack) -> list[Output]:
    found = []
    for logical_id, resource in strip_comments(stack.document.get("Resources", {})).items():
        if resource["Type"] != "AWS::Logs::LogGroup":
            continue
        if "Condition" in resource:
            raise ValueError(
                f"{stack.kind}: log group {logical_id} has a condition; its subscription would need the same"
            )
        name = f"{logical_id}GroupName"
        found.append(stack.output(name, ref(logical_id), f"Log group {logical_id}, for its copy in {stack.spec.home}."))
    return found


def _bucket(stack: Stack, foundation: Foundation, key: Value, boundary: Value) -> Resource:
    spec = stack.spec
    home_bucket = _home_bucket(stack)
    role = _replication_role(stack, foundation, key, boundary)
    bucket = stack.add(
        "LogBucket",
        "AWS::S3::Bucket",
        {
            "BucketName": _bucket_name(spec),
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {
                        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                        "BucketKeyEnabled": True,
                    }
                ]
            },
            "VersioningConfiguration": Commented({"Status": "Enabled"}, "Replication asks for it, on both sides."),
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "LifecycleConfiguration": {"Rules": [_expiry(spec)]},
            "ReplicationConfiguration": if_("Relays", _replication(stack, foundation, role, home_bucket), NO_VALUE),
        },
        comment="In the home region the archive, in the standby a relay to it.",
        data_class=DataClass.OPERATIONAL,
        retain=True,
        accept={"CKV_AWS_18": "A log of who reads the logs would need a bucket of its own, and that one another."},
    )
    stack.add(
        "LogBucketPolicy",
        "AWS::S3::BucketPolicy",
        {"Bucket": bucket.ref, "PolicyDocument": policy([_tls_only(bucket)])},
    )
    output = stack.output("LogBucketArn", bucket.att("Arn"), "Bucket of the region's logs.")
    stack.sources[spec.standby]["HomeLogBucketArn"] = stack.wire(output, Where.HOME, spec.standby)
    return bucket


def _bucket_name(spec: Spec) -> Value:
    return sub(f"{spec.prefix}-logs-${{AWS::AccountId}}-${{AWS::Region}}")


def _home_bucket(stack: Stack) -> Value:
    """The archive's ARN, in the standby: the home stack's own output, so that it is there first."""
    regions = dict.fromkeys(stack.regions, "none")
    return stack.setting("HomeLogBucketArn", regions, "The archive in the home region, in the stack that relays to it.")


def _expiry(spec: Spec) -> Value:
    days = if_("Collects", spec.logs.retention_days, RELAY_DAYS)
    return {
        "Id": "expire",
        "Status": "Enabled",
        "ExpirationInDays": days,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }


def _tls_only(bucket: Resource) -> Value:
    everything = [bucket.att("Arn"), sub("${LogBucket.Arn}/*")]
    statement = deny("OnlyEncryptedConnections", ["s3:*"], everything, {"Bool": {"aws:SecureTransport": "false"}})
    return {**statement, "Principal": "*"}


def _replication(stack: Stack, foundation: Foundation, role: Resource, home_bucket: Value) -> Value:
    replica_key = stack.input(foundation.logs_key_arn, Where.HOME)
    return {
        "Role": role.att("Arn"),
        "Rules": [
            {
                "Id": "to-home",
                "Status": "Enabled",
                "Priority": 1,
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
                "Destination": {
                    "Bucket": home_bucket,
                    "EncryptionConfiguration": {"ReplicaKmsKeyID": replica_key},
                },
            }
        ],
    }


def _replication_role(stack: Stack, foundation: Foundation, key: Value, boundary: Value) -> Resource:
    here = sub("arn:${AWS::Partition}:s3:::${Name}", {"Name": _bucket_name(stack.spec)})
    inside = sub("arn:${AWS::Partition}:s3:::${Name}/*", {"Name": _bucket_name(stack.spec)})
    statements = [
        allow("ReadTheRelay", ["s3:GetReplicationConfiguration", "s3:ListBucket"], [here]),
        allow("ReadItsObjects", ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"], [inside]),
        allow("FillTheArchive", ["s3:ReplicateObject", "s3:ReplicateTags"], [sub("${HomeLogBucketArn}/*")]),
        allow("OpenWithThisRegionsKey", ["kms:Decrypt"], [key]),
        allow(
            "CloseWithHomesKey",
            ["kms:Encrypt", "kms:GenerateDataKey"],
            [stack.input(foundation.logs_key_arn, Where.HOME)],
        ),
    ]
    return _role(
        stack, "ReplicationRole", "s3.amazonaws.com", boundary=boundary, statements=statements, condition="Relays"
    )


def _stream(stack: Stack, bucket: Resource, key: Value, boundary: Value) -> Resource:
    spec = stack.spec
    group = stack.add(
        "DeliveryLog",
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": _GROUP.format(prefix=spec.prefix),
            "RetentionInDays": spec.logs.retention_days,
            "KmsKeyId": key,
        },
        comment="Why a delivery failed. Not subscribed itself: a failure would feed on its own report.",
        data_class=DataClass.OPERATIONAL,
    )
    log = stack.add("DeliveryLogStream", "AWS::Logs::LogStream", {"LogGroupName": group.ref, "LogStreamName": "to-s3"})
    statements = [
        allow(
            "FillTheBucket",
            ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            [sub("${LogBucket.Arn}/*")],
        ),
        allow(
            "SeeTheBucket",
            ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
            [bucket.att("Arn")],
        ),
        allow("UseTheKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key]),
        allow("ReportFailures", ["logs:PutLogEvents"], [group.att("Arn")]),
    ]
    role = _role(stack, "DeliveryRole", "firehose.amazonaws.com", boundary=boundary, statements=statements)
    return stack.add(
        "LogStream",
        "AWS::KinesisFirehose::DeliveryStream",
        {
            "DeliveryStreamName": f"{spec.prefix}-logs",
            "DeliveryStreamType": "DirectPut",
            "DeliveryStreamEncryptionConfigurationInput": {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": key},
            "ExtendedS3DestinationConfiguration": {
                "BucketARN": bucket.att("Arn"),
                "RoleARN": role.att("Arn"),
                "Prefix": sub("${AWS::Region}/!{timestamp:yyyy/MM/dd/HH}/"),
                "ErrorOutputPrefix": sub(
                    "${AWS::Region}/failed/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"
                ),
                "BufferingHints": {"IntervalInSeconds": 300, "SizeInMBs": 5},
                "CompressionFormat": Commented("UNCOMPRESSED", "CloudWatch Logs sends gzip already."),
                "EncryptionConfiguration": {"KMSEncryptionConfig": {"AWSKMSKeyARN": key}},
                "CloudWatchLoggingOptions": {
                    "Enabled": True,
                    "LogGroupName": group.ref,
                    "LogStreamName": log.ref,
                },
            },
        },
        data_class=DataClass.OPERATIONAL,
    )


def _subscriptions(stack: Stack, groups: Sequence[Output], stream: Resource, boundary: Value) -> None:
    put = allow("PutIntoTheStream", ["firehose:PutRecord", "firehose:PutRecordBatch"], [stream.att("Arn")])
    role = _role(
        stack,
        "SubscriptionRole",
        "logs.amazonaws.com",
        boundary=boundary,
        statements=[put],
        only_from=sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*"),
    )
    for group in groups:
        words = group.kind.title().replace("-", "")
        stack.add(
            f"{words}{group.name.removesuffix('GroupName')}",
            "AWS::Logs::SubscriptionFilter",
            {
                "LogGroupName": stack.input(group, name=f"{words}{group.name}"),
                "FilterPattern": "",
                "DestinationArn": stream.att("Arn"),
                "RoleArn": role.att("Arn"),
            },
            condition=None if len(group.regions) > 1 else "Collects",
        )


def _alarm(stack: Stack, stream: Resource, topic: Value) -> None:
    stack.add(
        "LogsLate",
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": f"{stack.spec.prefix}-logs-late",
            "AlarmDescription": "Copies of logs have not reached the bucket for 15 minutes. The logs themselves are in "
            "CloudWatch; why the copy fails is in the group of log aggregation.",
            "Namespace": "AWS/Firehose",
            "MetricName": "DeliveryToS3.DataFreshness",
            "Dimensions": [{"Name": "DeliveryStreamName", "Value": stream.ref}],
            "Statistic": "Maximum",
            "Period": 300,
            "EvaluationPeriods": 3,
            "Threshold": 900,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [topic],
            "OKActions": [topic],
        },
    )


def _role(
    stack: Stack,
    logical_id: str,
    service: str,
    *,
    boundary: Value,
    statements: Sequence[Value],
    condition: str | None = None,
    only_from: Value = None,
) -> Resource:
    """A role of a service. Who may hand it over is decided by `iam:PassRole`, in this account alone."""
    what = "log-" + logical_id.removesuffix("Role").lower()
    sources = {"StringLike": {"aws:SourceArn": only_from}} if only_from else None
    return stack.add(
        logical_id,
        "AWS::IAM::Role",
        {
            "RoleName": sub(f"{stack.spec.prefix}-{what}-${{AWS::Region}}"),
            "AssumeRolePolicyDocument": trust({"Service": service}, sources),
            "PermissionsBoundary": boundary,
            "Policies": [{"PolicyName": what, "PolicyDocument": policy(statements)}],
        },
        condition=condition,
    )
