"""Who writes logs, and to which group: AWS services that are told to, programs, and the agents on instances."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Value
from bicoastal.review.case import Case


def declared(case: Case, region: str) -> Iterator[tuple[Resource, Value, str]]:
    """AWS services that are told to log."""
    deployment = case.deployment
    for item in case.databases(region):
        identifier = deployment.name(item)
        if identifier is None:
            continue
        for kind in item.items("EnableCloudwatchLogsExports"):
            yield item, f"/aws/rds/instance/{deployment.spelled(identifier)}/{kind}", f"its {kind} log"
    for item in deployment.of_type("AWS::EC2::FlowLog", region=region):
        yield item, item.get("LogGroupName", default=item.get("LogDestination")), "flow logs"
    for item in deployment.of_type("AWS::WAFv2::LoggingConfiguration", region=region):
        for value in item.items("LogDestinationConfigs") or [None]:
            yield item, value, "the firewall's log"
    for item in deployment.of_type("AWS::CloudTrail::Trail", region=region):
        if item.get("CloudWatchLogsLogGroupArn") is not None:
            yield item, item.get("CloudWatchLogsLogGroupArn"), "the trail"
        if item.get("S3BucketName") is None:
            yield item, None, "the trail"


def programs(case: Case, region: str) -> Iterator[tuple[Resource, Value, str]]:
    """What runs, delivers or opens sessions here, and says what it does."""
    deployment = case.deployment
    for item in deployment.of_type("AWS::KinesisFirehose::DeliveryStream", region=region):
        name = item.get("ExtendedS3DestinationConfiguration", "CloudWatchLoggingOptions", "LogGroupName")
        if name is not None:
            yield item, name, "its failures"
    for item in deployment.of_type("AWS::Lambda::Function", region=region):
        name = item.get("LoggingConfig", "LogGroup")
        function = deployment.spelled(deployment.name(item) or item.reference)
        yield item, name if name is not None else f"/aws/lambda/{function}", "its log"
    for document in deployment.of_type("AWS::SSM::Document", region=region):
        name = document.get("Content", "inputs", "cloudWatchLogGroupName")
        if document.get("DocumentType") == "Session":
            yield document, name, "sessions"


def agents(case: Case, region: str) -> Iterator[tuple[Resource, Value, str]]:
    """What the CloudWatch agents on instances collect."""
    for fleet in case.fleets(region):
        if fleet.machine is None or fleet.template is None:
            continue
        logs = fleet.machine.agent.get("logs")
        collected = logs.get("logs_collected") if isinstance(logs, dict) else None
        for source in (collected or {}).values() if isinstance(collected, dict) else ():
            for entry in source.get("collect_list") or [] if isinstance(source, dict) else []:
                if isinstance(entry, dict) and entry.get("log_group_name"):
                    what = entry.get("file_path") or "the journal"
                    yield fleet.template, entry["log_group_name"], str(what)


def retained(case: Case, region: str) -> set[str]:
    """Names of groups for which the agent that creates them sets a retention itself."""
    found = set()
    for fleet in case.fleets(region):
        logs = fleet.machine.agent.get("logs") if fleet.machine else None
        collected = logs.get("logs_collected") if isinstance(logs, dict) else None
        for source in collected.values() if isinstance(collected, dict) else ():
            for entry in (source.get("collect_list") or []) if isinstance(source, dict) else ():
                if isinstance(entry, dict) and entry.get("retention_in_days"):
                    found.add(str(entry.get("log_group_name")))
    return found
