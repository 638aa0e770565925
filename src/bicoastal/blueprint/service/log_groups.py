"""The log groups that instances write to, declared so that they have a retention and a key from their first line on."""

from __future__ import annotations

from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.blueprint.telemetry import application_log, kit_log, system_log
from bicoastal.cfn.intrinsics import Value


def log_groups(stack: Stack, *, logs_key: Value) -> tuple[Resource, ...]:
    """Application, kit and system log of the fleet."""
    spec = stack.spec
    return tuple(
        stack.add(
            logical_id,
            "AWS::Logs::LogGroup",
            {"LogGroupName": name, "RetentionInDays": spec.logs.retention_days, "KmsKeyId": logs_key},
            data_class=DataClass.OPERATIONAL,
        )
        for logical_id, name in (
            ("ApplicationLog", application_log(spec)),
            ("KitLog", kit_log(spec)),
            ("SystemLog", system_log(spec)),
        )
    )
