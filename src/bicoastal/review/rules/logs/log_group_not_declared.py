"""A log group that its writer creates by itself has no retention: it keeps, and bills, for ever."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.writers import agents, declared, programs, retained
from bicoastal.review.rule import Hit, Rule, Seen

GROUP = "AWS::Logs::LogGroup"
RULE = Rule(
    "log-group-not-declared",
    Severity.WARNING,
    "Logs go to a group that no template declares",
    "Whoever writes first creates it, without retention and without a key: it keeps everything for ever, and it stays"
    " when the stack is gone.",
    "Declare the log group with this name and a RetentionInDays, in the same region.",
    (
        "AWS::AutoScaling::AutoScalingGroup",
        "AWS::EC2::FlowLog",
        "AWS::Lambda::Function",
        "AWS::RDS::DBInstance",
    ),
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
)


def look(case: Case) -> Iterator[Seen]:
    """Every writer whose group's name is known."""
    for region in case.deployment.regions:
        kept = retained(case, region)
        for writer, name, what in (*declared(case, region), *programs(case, region), *agents(case, region)):
            if writer.type not in (*RULE.types, "AWS::EC2::LaunchTemplate") or name is None:
                continue
            spelled = case.deployment.spelled(name)
            if isinstance(name, Unknown) or "${?}" in spelled or spelled in kept:
                continue
            if not _there(case, name, region) and not _elsewhere(spelled):
                yield Hit(
                    writer, f"{writer.logical_id} writes {what} to {spelled}, which nothing in {region} declares."
                )


def _there(case: Case, name: Value, region: str) -> Resource | None:
    target = case.deployment.resource(name)
    if target is not None and target.type in ("AWS::S3::Bucket", "AWS::KinesisFirehose::DeliveryStream"):
        return target
    if target is not None and target.type == GROUP and target.region == region:
        return target
    return case.deployment.named(name, GROUP, region)


def _elsewhere(spelled: str) -> bool:
    """A literal ARN, or a bucket: declared by others, or no log group at all."""
    return spelled.startswith("arn:") and "${" not in spelled.replace("${AWS::AccountId}", "")
