"""A part of M7: logs leave their region only where that was asked for, and then all of them, by a path that works."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.review.case import Case
from bicoastal.review.verdict import Judgement, where, yes

GROUP = "AWS::Logs::LogGroup"
FILTER = "AWS::Logs::SubscriptionFilter"
STREAM = "AWS::KinesisFirehose::DeliveryStream"
_DESTINATION = "ExtendedS3DestinationConfiguration"


def judge_aggregation(case: Case, judgement: Judgement) -> None:
    """Every group subscribed, delivered into a bucket, and from the standby's bucket to home's; or nothing of it."""
    if not case.demand.aggregate_logs:
        _stays(case, judgement)
        return
    for region in case.regions:
        streams = case.deployment.of_type(STREAM, region=region)
        if not streams:
            judgement.lacks(f"{region}: logs are not collected, though that was asked for.")
            continue
        _subscribed(case, judgement, region)
        for stream in streams:
            _delivered(case, judgement, stream)
    _at_home(case, judgement)


def _stays(case: Case, judgement: Judgement) -> None:
    for item in case.deployment.of_type(FILTER):
        target = case.deployment.resource(item.get("DestinationArn"))
        if target is None or target.region != item.region:
            judgement.lacks(f"{where(item)} sends logs out of {item.region}, which was not asked for.")


def _subscribed(case: Case, judgement: Judgement, region: str) -> None:
    own = {id(item) for stream in case.deployment.of_type(STREAM, region=region) for item in _groups(case, stream)}
    filters = case.deployment.of_type(FILTER, region=region)
    fed = {id(case.deployment.resource(item.get("LogGroupName"))) for item in filters}
    for group in case.deployment.of_type(GROUP, region=region):
        # What the collection says of itself is not collected: it would never end.
        if id(group) not in fed and id(group) not in own:
            judgement.lacks(f"{where(group)} is not collected, though that was asked for.")
    for item in filters:
        role = case.deployment.resource(item.get("RoleArn"))
        if role is None or not case.identities.may(role, "firehose:PutRecordBatch"):
            judgement.lacks(f"{where(item)} has no role that may hand logs over.")


def _groups(case: Case, stream: Resource) -> list[Resource]:
    value = stream.get(_DESTINATION, "CloudWatchLoggingOptions", "LogGroupName")
    found = case.deployment.resource(value) if value is not None else None
    return [found] if found is not None else []


def _delivered(case: Case, judgement: Judgement, stream: Resource) -> None:
    """A role that may write, a bucket that is declared, and words where it fails."""
    bucket = case.deployment.resource(stream.get(_DESTINATION, "BucketARN"))
    role = case.deployment.resource(stream.get(_DESTINATION, "RoleARN"))
    if bucket is None:
        judgement.lacks(f"{where(stream)} delivers into no bucket of this deployment.")
    if role is None or not case.identities.may(role, "s3:PutObject"):
        judgement.lacks(f"{where(stream)} has no role that may write to the bucket.")
    said = stream.get(_DESTINATION, "CloudWatchLoggingOptions")
    said = said if isinstance(said, dict) else {}
    if not yes(said.get("Enabled")) or not _groups(case, stream) or said.get("LogStreamName") is None:
        judgement.lacks(f"{where(stream)} says nowhere why a delivery failed.")
    if not case.telling(stream.region).on("AWS/Firehose", "DeliveryToS3.DataFreshness"):
        judgement.lacks(f"{stream.region}: nobody is told when collected logs are late.")
    judgement.found(stream, "logs are collected")


def _at_home(case: Case, judgement: Judgement) -> None:
    """The standby's logs reach the home region."""
    home, standby = case.regions[0], case.standby
    for item in case.deployment.of_type("AWS::S3::Bucket", region=standby):
        for index, _ in enumerate(item.items("ReplicationConfiguration", "Rules")):
            value = item.get("ReplicationConfiguration", "Rules", index, "Destination", "Bucket")
            target = case.deployment.resource(value)
            role = case.deployment.resource(item.get("ReplicationConfiguration", "Role"))
            if target is None or target.region != home:
                continue
            if role is None or not case.identities.may(role, "s3:ReplicateObject"):
                judgement.lacks(f"{where(item)} has no role that may copy logs to {home}.")
            judgement.found(item, f"logs of {standby} are copied to {home}", "ReplicationConfiguration")
            return
    judgement.lacks(f"The logs of {standby} are not copied to {home}, though that was asked for.")
