"""The region's two buckets: what is shipped to the instances, and who asked for what.

Neither is replicated: `deploy` uploads a version to both regions, so that each region starts instances without the
other. Neither has an Object Lock: versions keep what is overwritten or deleted, and a lock would outlast `destroy`.
Backups, which need one, are in a vault of their own.
"""

from __future__ import annotations

from typing import Any, Final

from bicoastal.blueprint.grants import allow, deny, policy
from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.cfn.intrinsics import ACCOUNT, Commented, Value, sub
from bicoastal.spec.model import Spec

ARTIFACT_LOGS_PREFIX: Final = "artifact-bucket/"
"""Where the artifact bucket's own access log is put in the access-log bucket."""
JOURNAL_PREFIX: Final = "journal/"
"""Where operations write down what they did, in the artifact bucket of the region that they ran in."""
_JOURNAL_DAYS: Final = 400
_OLD_VERSION_DAYS: Final = 90


def artifact_bucket_name(spec: Spec) -> Value:
    """At most 63 characters, for the longest name, environment and region: hence the short words."""
    return sub(f"{spec.prefix}-files-${{AWS::AccountId}}-${{AWS::Region}}")


def access_log_bucket_name(spec: Spec) -> Value:
    """The same, of the access logs."""
    return sub(f"{spec.prefix}-elb-${{AWS::AccountId}}-${{AWS::Region}}")


def add_artifact_bucket(stack: Stack, data_key: Resource, access_logs: Resource) -> Resource:
    """Application and kit versions, templates, and the journal of operations."""
    bucket = _add_bucket(
        stack,
        "ArtifactBucket",
        {
            "BucketName": artifact_bucket_name(stack.spec),
            "BucketEncryption": _encryption(
                {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": data_key.att("Arn")}, BucketKeyEnabled=True
            ),
            "LoggingConfiguration": {"DestinationBucketName": access_logs.ref, "LogFilePrefix": ARTIFACT_LOGS_PREFIX},
            "LifecycleConfiguration": {
                "Rules": [
                    _abort_uploads(),
                    *(
                        _forget_old(prefix, _OLD_VERSION_DAYS)
                        for prefix in ("applications/", "kits/", "ca/", "templates/", "bootstrap/")
                    ),
                    Commented(
                        _forget_old(JOURNAL_PREFIX, _JOURNAL_DAYS),
                        "The journal itself never expires: it says what a failover did, months later.",
                    ),
                ]
            },
        },
        depends_on=(f"{access_logs.logical_id}Policy",),
    )
    _add_policy(stack, bucket, [])
    return bucket


def add_access_log_bucket(stack: Stack) -> Resource:
    """The balancer's access logs and the artifact bucket's, for as long as other logs are kept."""
    days = stack.spec.logs.retention_days
    bucket = _add_bucket(
        stack,
        "AccessLogBucket",
        {
            "BucketName": access_log_bucket_name(stack.spec),
            "BucketEncryption": Commented(
                _encryption({"SSEAlgorithm": "AES256"}),
                "Load balancers write their logs under S3's own key only; under a key of ours, delivery fails.",
            ),
            "LifecycleConfiguration": {
                "Rules": [
                    _abort_uploads(),
                    {
                        "Id": "keep-as-long-as-other-logs",
                        "Status": "Enabled",
                        "ExpirationInDays": days,
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                    },
                ]
            },
        },
        accept={"CKV_AWS_18": "It takes the access logs: logging its own writes into itself would never end."},
    )
    balancers = sub("arn:${AWS::Partition}:elasticloadbalancing:${AWS::Region}:${AWS::AccountId}:loadbalancer/*")
    _add_policy(
        stack,
        bucket,
        [
            _deliver(
                "LoadBalancerLogs",
                "logdelivery.elasticloadbalancing.amazonaws.com",
                sub("${Bucket.Arn}/AWSLogs/${AWS::AccountId}/*".replace("Bucket", bucket.logical_id)),
                {"ArnLike": {"aws:SourceArn": balancers}},
            ),
            _deliver(
                "ArtifactBucketLogs",
                "logging.s3.amazonaws.com",
                sub(f"${{{bucket.logical_id}.Arn}}/{ARTIFACT_LOGS_PREFIX}*"),
                {
                    "StringEquals": {"aws:SourceAccount": ACCOUNT},
                    "ArnLike": {"aws:SourceArn": _bucket_arn(artifact_bucket_name(stack.spec))},
                },
            ),
        ],
    )
    return bucket


def _add_bucket(
    stack: Stack,
    logical_id: str,
    properties: dict[str, Value],
    *,
    accept: dict[str, str] | None = None,
    depends_on: tuple[str, ...] = (),
) -> Resource:
    return stack.add(
        logical_id,
        "AWS::S3::Bucket",
        {
            **properties,
            "VersioningConfiguration": {"Status": "Enabled"},
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        },
        data_class=DataClass.OPERATIONAL,
        accept=accept,
        depends_on=depends_on,
        retain=True,
    )


def _add_policy(stack: Stack, bucket: Resource, statements: list[Value]) -> None:
    everything = [bucket.att("Arn"), sub(f"${{{bucket.logical_id}.Arn}}/*")]
    tls = deny("OnlyOverTls", ["s3:*"], everything, {"Bool": {"aws:SecureTransport": "false"}})
    stack.add(
        f"{bucket.logical_id}Policy",
        "AWS::S3::BucketPolicy",
        {"Bucket": bucket.ref, "PolicyDocument": policy([{**tls, "Principal": "*"}, *statements])},
    )


def _deliver(sid: str, service: str, target: Value, condition: dict[str, dict[str, Value]]) -> dict[str, Value]:
    return {**allow(sid, ["s3:PutObject"], [target], condition), "Principal": {"Service": service}}


def _bucket_arn(name: Value) -> Value:
    """Of a bucket by its name: a reference would be a circle, as each of the two buckets mentions the other."""
    return sub(f"arn:${{AWS::Partition}}:s3:::{name['Fn::Sub']}")


def _encryption(default: dict[str, Value], **more: Value) -> dict[str, Any]:
    return {"ServerSideEncryptionConfiguration": [{**more, "ServerSideEncryptionByDefault": default}]}


def _abort_uploads() -> dict[str, Value]:
    return {
        "Id": "abort-incomplete-uploads",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    }


def _forget_old(prefix: str, days: int) -> dict[str, Value]:
    """What was overwritten or deleted under a prefix goes after `days`; what is current stays."""
    return {
        "Id": f"forget-old-versions-of-{prefix.strip('/')}",
        "Status": "Enabled",
        "Prefix": prefix,
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }
