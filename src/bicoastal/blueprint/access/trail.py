"""Who did what, per region, kept where nobody can quietly change it; and an alarm on what should be rare.

One trail in each region, not one for both: a multi-region trail would copy the other region's events across (M2).
Events of IAM and STS's global endpoint, and most root sign-ins, happen in us-east-1: the trail of the home region
records them if home is us-east-1, and no trail of this deployment does otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint.access.roles import add_role, arn
from bicoastal.blueprint.access.trail_alarms import add_trail_alarms
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow, deny, policy, trust
from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.blueprint.telemetry import trail_log
from bicoastal.cfn.intrinsics import Commented, Value, equals, if_, sub

KEEP_DAYS = 365
"""Days that the bucket keeps events, locked: an intrusion is often found months later."""


@dataclass(frozen=True)
class Trail:
    """The trail of a region, and where its events are."""

    trail: Resource
    bucket: Resource
    log_group: Resource


def add_trail(stack: Stack, foundation: Foundation) -> Trail:
    """The trail, its bucket and log group, and the alarms that read it."""
    spec = stack.spec
    bucket = _bucket(stack, foundation)
    bucket_policy = _bucket_policy(stack, bucket)
    group = add_log_group(stack, foundation, "TrailLog", trail_log(spec))
    role = _delivery_role(stack, foundation)
    flag = stack.setting(
        "RecordsGlobalEvents",
        {spec.home: "true", spec.standby: "false"},
        "Whether this region's trail records the events of global services; one does, or each would be recorded twice.",
        AllowedValues=["true", "false"],
    )
    records = stack.condition("TrailRecordsGlobalEvents", equals(flag, "true"))
    trail = stack.add(
        "Trail",
        "AWS::CloudTrail::Trail",
        {
            "TrailName": _trail_name(stack),
            "IsLogging": True,
            "IsMultiRegionTrail": Commented(
                False, "Events stay in their region (M2); the other region has its own trail."
            ),
            "IncludeGlobalServiceEvents": if_(records, True, False),
            "EnableLogFileValidation": True,
            "S3BucketName": bucket.ref,
            "KMSKeyId": stack.input(foundation.logs_key_arn),
            "CloudWatchLogsLogGroupArn": group.att("Arn"),
            "CloudWatchLogsRoleArn": role.att("Arn"),
            "EventSelectors": [{"IncludeManagementEvents": True, "ReadWriteType": "All"}],
        },
        depends_on=[bucket_policy],
        data_class=DataClass.OPERATIONAL,
        accept={
            "CKV_AWS_67": "One trail per region: a multi-region trail would copy events across regions.",
            "CKV_AWS_252": "What needs a person is sent by the event rules below; a message per log file is noise.",
        },
    )
    add_trail_alarms(stack, foundation, group)
    return Trail(trail, bucket, group)


def add_log_group(stack: Stack, foundation: Foundation, logical_id: str, name: str) -> Resource:
    """A log group with the spec's retention and this region's key."""
    return stack.add(
        logical_id,
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": name,
            "RetentionInDays": stack.spec.logs.retention_days,
            "KmsKeyId": stack.input(foundation.logs_key_arn),
        },
        data_class=DataClass.OPERATIONAL,
    )


def _trail_name(stack: Stack) -> str:
    return f"{stack.spec.prefix}-trail"


def _bucket(stack: Stack, foundation: Foundation) -> Resource:
    return stack.add(
        "TrailBucket",
        "AWS::S3::Bucket",
        {
            "BucketName": sub(f"{stack.spec.prefix}-trail-${{AWS::AccountId}}-${{AWS::Region}}"),
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {
                        "BucketKeyEnabled": True,
                        "ServerSideEncryptionByDefault": {
                            "SSEAlgorithm": "aws:kms",
                            "KMSMasterKeyID": stack.input(foundation.logs_key_arn),
                        },
                    }
                ]
            },
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "expire",
                        "Status": "Enabled",
                        "ExpirationInDays": KEEP_DAYS,
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
                    }
                ]
            },
            "ObjectLockEnabled": True,
            "ObjectLockConfiguration": {
                "ObjectLockEnabled": "Enabled",
                "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": KEEP_DAYS}},
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "VersioningConfiguration": {"Status": "Enabled"},
        },
        data_class=DataClass.OPERATIONAL,
        retain=True,
        comment="Locked: deleting these also takes s3:BypassGovernanceRetention.",
        accept={
            "CKV_AWS_18": "Every read decrypts with LogsKey, and the trail records that: access logs would add nothing."
        },
    )


def _bucket_policy(stack: Stack, bucket: Resource) -> Resource:
    own_trail = {"StringEquals": {"aws:SourceArn": arn("cloudtrail", f"trail/{_trail_name(stack)}")}}
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    everything: list[Value] = [bucket.att("Arn"), sub("${Bucket}/*", {"Bucket": bucket.att("Arn")})]
    check = allow("TrailFindsBucket", ["s3:GetBucketAcl"], everything[:1], own_trail)
    write = allow(
        "TrailWrites",
        ["s3:PutObject"],
        [sub("${Bucket}/AWSLogs/${AWS::AccountId}/*", {"Bucket": bucket.att("Arn")})],
        own_trail,
    )
    secure = deny("TlsOnly", ["s3:*"], everything, {"Bool": {"aws:SecureTransport": "false"}})
    return stack.add(
        "TrailBucketPolicy",
        "AWS::S3::BucketPolicy",
        {
            "Bucket": bucket.ref,
            "PolicyDocument": policy(
                [check | {"Principal": cloudtrail}, write | {"Principal": cloudtrail}, secure | {"Principal": "*"}]
            ),
        },
        retain=True,
    )


def _delivery_role(stack: Stack, foundation: Foundation) -> Resource:
    """Trusted without a condition: CloudTrail names no source here, and a trail with such a role is refused."""
    streams = arn(
        "logs", f"log-group:{trail_log(stack.spec)}:log-stream:${{AWS::AccountId}}_CloudTrail_${{AWS::Region}}*"
    )
    return add_role(
        stack,
        foundation,
        "TrailDeliveryRole",
        name="trail-delivery",
        description="CloudTrail writes this region's events to their log group.",
        trusted=trust({"Service": "cloudtrail.amazonaws.com"}),
        statements=[allow("WriteTrailLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [streams])],
    )
