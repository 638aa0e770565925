"""Where the database's logs go, and the role that lets RDS write the operating system's metrics.

Log groups are declared before the instance: RDS creates a missing one by itself, with no retention and no key. One is
not ours to declare: `RDSOSMetrics`, which enhanced monitoring writes to, is one for the whole account and region,
shared with every other database there. RDS creates it with 30 days of retention, by the role below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.grants import allow, policy, trust
from bicoastal.blueprint.stack import DataClass, Output, Resource, Stack
from bicoastal.cfn.intrinsics import ACCOUNT, Value, sub

EXPORTED_LOGS: Final = ("postgresql", "upgrade")
OPERATING_SYSTEM_LOG: Final = "RDSOSMetrics"


@dataclass(frozen=True)
class LogGroups:
    """The groups of each instance, by its suffix in the identifier (empty for the instance itself)."""

    groups: Mapping[str, tuple[Resource, ...]]

    def of(self, suffix: str = "") -> tuple[Resource, ...]:
        """The groups that must stand before the instance does."""
        return self.groups[suffix]


def replica_suffixes(stack: Stack) -> tuple[str, ...]:
    """Ends of the identifiers of the read replicas inside the region: `-r1`, `-r2`."""
    return tuple(f"-r{number}" for number in range(1, stack.spec.database.read_replicas + 1))


def add_log_groups(stack: Stack, logs_key_arn: Output) -> LogGroups:
    """A group for each log of each instance, named as RDS names it."""
    key = stack.input(logs_key_arn)
    return LogGroups(
        {
            suffix: tuple(_log_group(stack, key, suffix, log) for log in EXPORTED_LOGS)
            for suffix in ("", *replica_suffixes(stack))
        }
    )


def _log_group(stack: Stack, key: Value, suffix: str, log: str) -> Resource:
    return stack.add(
        f"{log.capitalize()}Log{suffix.removeprefix('-').upper()}",
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": sub(f"/aws/rds/instance/{stack.spec.prefix}-db-g${{DatabaseGeneration}}{suffix}/{log}"),
            "RetentionInDays": stack.spec.logs.retention_days,
            "KmsKeyId": key,
        },
        comment=""
        if suffix or log != EXPORTED_LOGS[0]
        else "Declared before the instance: RDS would create it with no "
        "retention and no key. Kept when a new generation takes over: it says what happened to the old one.",
        data_class=DataClass.OPERATIONAL,
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Retain",
    )


def add_monitoring_role(stack: Stack, boundary_arn: Output) -> Resource:
    """The role by which RDS writes metrics of the operating system (enhanced monitoring)."""
    group = f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{OPERATING_SYSTEM_LOG}"
    statements: list[Value] = [
        allow("CreateItsLogGroup", ("logs:CreateLogGroup", "logs:PutRetentionPolicy"), [sub(f"{group}*")]),
        allow(
            "WriteMetrics",
            ("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams", "logs:GetLogEvents"),
            [sub(f"{group}:log-stream:*")],
        ),
    ]
    prefix = stack.spec.prefix
    ours = sub(f"arn:${{AWS::Partition}}:rds:${{AWS::Region}}:${{AWS::AccountId}}:db:{prefix}-db-g*")
    return stack.add(
        "MonitoringRole",
        "AWS::IAM::Role",
        {
            "RoleName": sub(f"{prefix}-database-monitoring-${{AWS::Region}}"),
            "Description": "RDS writes metrics of the database's operating system",
            "AssumeRolePolicyDocument": trust(
                {"Service": "monitoring.rds.amazonaws.com"},
                {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": ours}},
            ),
            "PermissionsBoundary": stack.input(boundary_arn),
            "Policies": [{"PolicyName": "write-metrics", "PolicyDocument": policy(statements)}],
        },
    )
