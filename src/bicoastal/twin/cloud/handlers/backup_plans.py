"""Backup plans and restore testing plans, when they are due: what their selections match is backed up, or restored.

When that is, the backups controller says; it reads no clock here.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import backup, backup_jobs
from bicoastal.twin.cloud.handlers import backup_records as records
from bicoastal.twin.cloud.handlers.backup_records import Record
from bicoastal.twin.cloud.registry import ServiceError, Unchanged

Json = Any
_DEFAULT_SCHEDULE, _DEFAULT_START_MINUTES = "cron(0 5 ? * * *)", 480
_HOUR_S = 3_600.0


def work() -> list[Record]:
    """Schedules of the region: plans' rules and restore testing plans, with when each was last due."""
    found = []
    for id_, plan in emulator.store("backup", "_plans").items():
        for rule in plan["BackupPlan"].get("Rules") or ():
            name = f"{id_}/{rule['RuleName']}"
            found.append(
                _schedule(
                    name,
                    rule.get("ScheduleExpression") or _DEFAULT_SCHEDULE,
                    rule.get("ScheduleExpressionTimezone") or "Etc/UTC",
                    float(plan["CreationDate"]),
                    60.0 * int(rule.get("StartWindowMinutes") or _DEFAULT_START_MINUTES),
                )
            )
    for name, plan in backup.PLANS.items():
        window_s = _HOUR_S * int(plan.get("StartWindowHours") or 24)
        zone = plan.get("ScheduleExpressionTimezone") or "Etc/UTC"
        made = float(plan["CreationTime"])
        found.append(_schedule(f"test/{name}", plan["ScheduleExpression"], zone, made, window_s))
    return found


def _schedule(name: str, expression: str, zone: str, made: float, window_s: float) -> Record:
    return {
        "name": name,
        "expression": expression,
        "zone": zone,
        "made": made,
        "window_s": window_s,
        "last": records.FIRED.get(name),
    }


def due(data: Mapping[str, Json]) -> Json:
    """A schedule's time has come; too late for its start window, nothing is begun."""
    name = str(data["schedule"])
    if records.FIRED.get(name) == data["at"]:
        return Unchanged(0)  # the controller had looked before that was told
    records.FIRED[name] = data["at"]
    if data.get("late"):
        return 0
    kind, _, rest = name.partition("/")
    return _test(rest) if kind == "test" else _back_up(kind, rest)


def _back_up(plan_id: str, rule_name: str) -> int:
    plan: Record = emulator.store("backup", "_plans").get(plan_id) or {"BackupPlan": {}}
    begun = 0
    for rule in plan["BackupPlan"].get("Rules") or ():
        if rule["RuleName"] != rule_name:
            continue
        plan["LastExecutionDate"] = int(time.time())
        for selection in emulator.store("backup", "_selections").values():
            if selection["BackupPlanId"] == plan_id:
                for arn in matching(selection):
                    begun += _begin(plan, rule, selection, arn)
    return begun


def _begin(plan: Record, rule: Record, selection: Record, arn: str) -> int:
    request = {
        "BackupVaultName": rule.get("TargetBackupVaultName") or rule.get("TargetBackupVault"),
        "ResourceArn": arn,
        "IamRoleArn": selection["IamRoleArn"],
        "Lifecycle": rule.get("Lifecycle"),
        "RecoveryPointTags": rule.get("RecoveryPointTags"),
        "StartWindowMinutes": rule.get("StartWindowMinutes"),
    }
    created_by = {
        "BackupPlanId": plan["BackupPlanId"],
        "BackupPlanArn": plan["BackupPlanArn"],
        "BackupPlanVersion": plan["VersionId"],
        "BackupRuleId": rule.get("RuleId", rule["RuleName"]),
    }
    try:
        backup_jobs.start_backup(request, CreatedBy=created_by, copies=list(rule.get("CopyActions") or ()))
    except ServiceError:
        return 0  # a vault or a role that is gone: AWS Backup makes no job either
    return 1


def matching(selection: Mapping[str, Json]) -> Iterator[str]:
    """ARNs of the region's DB instances that a selection means; none where nothing matches."""
    for instance in emulator.store("rds", "_instances").values():
        arn = str(instance["DBInstanceArn"])
        tags = {tag["Key"]: str(tag.get("Value", "")) for tag in emulator.store("rds", "_tags").get(arn) or ()}
        if _is_selected(selection, arn, tags):
            yield arn


def _is_selected(selection: Mapping[str, Json], arn: str, tags: Mapping[str, str]) -> bool:
    patterns = selection.get("Resources") or ()
    listed, conditions = selection.get("ListOfTags") or (), selection.get("Conditions") or {}
    if any(fnmatchcase(arn, pattern) for pattern in selection.get("NotResources") or ()):
        return False
    if patterns and not any(fnmatchcase(arn, pattern) for pattern in patterns):
        return False
    if not patterns and not listed and not any(conditions.values()):
        return bool(selection.get("NotResources"))
    if listed and not any(tags.get(item["ConditionKey"]) == item["ConditionValue"] for item in listed):
        return False
    return all(_holds(kind, item, tags) for kind, items in conditions.items() for item in items or ())


def _holds(kind: str, item: Mapping[str, str], tags: Mapping[str, str]) -> bool:
    value = tags.get(item["ConditionKey"].removeprefix("aws:ResourceTag/"))
    wanted = item["ConditionValue"]
    match kind:
        case "StringEquals":
            return value == wanted
        case "StringNotEquals":
            return value != wanted
        case "StringLike":
            return value is not None and fnmatchcase(value, wanted)
        case "StringNotLike":
            return value is None or not fnmatchcase(value, wanted)
        case _:
            return False


def _test(name: str) -> int:
    """Restore what the plan's selections name, each the latest recovery point of its window."""
    plan = backup.PLANS.get(name)
    if plan is None:
        return 0
    begun = 0
    for (owner, _), selection in backup.SELECTIONS.items():
        if owner == name:
            for point in _to_be_tested(plan, selection):
                begun += _try(plan, selection, point)
    plan["LastExecutionTime"] = time.time()
    return begun


def _to_be_tested(plan: Record, selection: Record) -> list[Record]:
    """The latest of each resource; RANDOM is taken as the latest as well."""
    chosen: dict[str, Record] = {}
    vaults = plan["RecoveryPointSelection"].get("IncludeVaults") or ()
    wanted = selection.get("ProtectedResourceArns") or ["*"]
    for point in records.POINTS.values():
        if any(fnmatchcase(point["BackupVaultArn"], pattern) for pattern in vaults) and any(
            fnmatchcase(point["ResourceArn"], pattern) for pattern in wanted
        ):
            known = chosen.get(point["ResourceArn"])
            if known is None or known["CreationDate"] < point["CreationDate"]:
                chosen[point["ResourceArn"]] = point
    return list(chosen.values())


def _try(plan: Record, selection: Record, point: Record) -> int:
    overrides = selection.get("RestoreMetadataOverrides") or {}
    inferred = {
        "db" + name[2:] if name.startswith("DB") else name[:1].lower() + name[1:]: value
        for name, value in point["_Metadata"].items()
    }
    identifier = f"awsbackup-restore-test-{secrets.token_hex(4)}"
    metadata = {**inferred, **overrides, "dbInstanceIdentifier": identifier}
    request = {
        "RecoveryPointArn": point["RecoveryPointArn"],
        "Metadata": {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()},
        "IamRoleArn": selection["IamRoleArn"],
    }
    try:
        backup_jobs.start_restore(
            request,
            CreatedBy={"RestoreTestingPlanArn": plan["RestoreTestingPlanArn"]},
            _DeleteAfter=_HOUR_S * int(selection.get("ValidationWindowHours") or 0) or 1.0,
        )
    except ServiceError:
        return 0
    return 1


REPORTS = {"backup.due": due}
