"""AWS Backup: selections and restore testing."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.answers import Answer
from bicoastal.twin.cloud.registry import Fixed, Made, ResourceType, ServiceError, Wanted

Json = Any
Record = dict[str, Json]
_CONDITIONS = ("StringEquals", "StringLike", "StringNotEquals", "StringNotLike")


class Selection(Fixed):
    """What a plan backs up."""

    type = "AWS::Backup::BackupSelection"

    def create(self, wanted: Wanted) -> Made:
        """Add it to its plan."""
        given = wanted.get("BackupSelection")
        if not given.get("Resources") and not given.get("ListOfTags") and not given.get("Conditions"):
            raise ServiceError("InvalidParameterValueException", "A selection needs resources, tags or conditions.")
        id_ = "-".join(secrets.token_hex(size) for size in (4, 2, 2, 2, 6))
        emulator.store("backup", "_selections")[id_] = {
            "SelectionId": id_,
            "SelectionName": given["SelectionName"],
            "BackupPlanId": wanted.get("BackupPlanId"),
            "IamRoleArn": given["IamRoleArn"],
            "Resources": given.get("Resources", []),
            "NotResources": given.get("NotResources", []),
            "ListOfTags": given.get("ListOfTags", []),
            "Conditions": given.get("Conditions", {}),
            "CreationDate": time.time(),
            "CreatorRequestId": "",
        }
        plan = wanted.get("BackupPlanId")
        return Made(f"{id_}_{plan}", {"Id": f"{id_}_{plan}", "SelectionId": id_, "BackupPlanId": plan})

    def delete(self, id_: str, was: Wanted) -> None:
        """Take it out of its plan."""
        emulator.store("backup", "_selections").pop(id_.partition("_")[0], None)


class RestoreTestingPlan(ResourceType):
    """When restores are tried."""

    type = "AWS::Backup::RestoreTestingPlan"

    def create(self, wanted: Wanted) -> Made:
        """Make it."""
        name = wanted.get("RestoreTestingPlanName")
        if name in PLANS:
            raise ServiceError("AlreadyExistsException", f"Restore testing plan {name} already exists.")
        return self._put(name, wanted)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """All but the name changes in place."""
        return self._put(id_, wanted)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it; Backup refuses it while it has selections."""
        if any(plan == id_ for plan, _ in SELECTIONS):
            raise ServiceError("InvalidRequestException", f"Restore testing plan {id_} has selections.")
        PLANS.pop(id_, None)
        PLAN_TAGS.pop(id_, None)

    def _put(self, name: str, wanted: Wanted) -> Made:
        arn = f"arn:aws:backup:{emulator.region()}:{emulator.account()}:restore-testing-plan:{name}"
        created = PLANS[name]["CreationTime"] if name in PLANS else time.time()
        PLANS[name] = {
            **{key: value for key, value in wanted.properties.items() if key != "Tags"},
            "RestoreTestingPlanArn": arn,
            "CreationTime": created,
            "LastUpdateTime": time.time(),
        }
        PLAN_TAGS[name] = dict(wanted.tags)
        return Made(name, {"RestoreTestingPlanArn": arn})


class RestoreTestingSelection(ResourceType):
    """What is restored in a try, and how."""

    type = "AWS::Backup::RestoreTestingSelection"

    def create(self, wanted: Wanted) -> Made:
        """Add it to its plan, which must be there."""
        plan, name = wanted.get("RestoreTestingPlanName"), wanted.get("RestoreTestingSelectionName")
        if plan not in PLANS:
            raise ServiceError("ResourceNotFoundException", f"Restore testing plan {plan} does not exist.", 404)
        if (plan, name) in SELECTIONS:
            raise ServiceError("AlreadyExistsException", f"Restore testing selection {name} already exists.")
        return self._put(wanted)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Resources, metadata and windows change in place."""
        return self._put(wanted)

    def delete(self, id_: str, was: Wanted) -> None:
        """Take it out of its plan."""
        SELECTIONS.pop(tuple(id_.split("|")), None)

    def _put(self, wanted: Wanted) -> Made:
        plan, name = wanted.get("RestoreTestingPlanName"), wanted.get("RestoreTestingSelectionName")
        SELECTIONS[(plan, name)] = {**wanted.properties, "CreationTime": time.time()}
        return Made(f"{plan}|{name}")


_PLAN_PATH = re.compile(r"/restore-testing/plans(?:/([^/]+))?(/selections(?:/([^/]+))?)?/?")


def route(method: str, path: str, body: Mapping[str, Json]) -> Answer | None:
    """The reading calls of restore testing; it is changed by CloudFormation."""
    found = _PLAN_PATH.fullmatch(path)
    if found is None or method != "GET":
        return None
    del body
    plan, selections, selection = found.groups()
    if plan is None:
        return answers.json_answer({"RestoreTestingPlans": [_plan(name) for name in PLANS]})
    if plan not in PLANS:
        raise ServiceError("ResourceNotFoundException", f"Restore testing plan {plan} does not exist.", 404)
    if selections is None:
        return answers.json_answer({"RestoreTestingPlan": _plan(plan)})
    if selection is None:
        mine = [dict(value) for (owner, _), value in SELECTIONS.items() if owner == plan]
        return answers.json_answer({"RestoreTestingSelections": mine})
    if (plan, selection) not in SELECTIONS:
        raise ServiceError("ResourceNotFoundException", f"Restore testing selection {selection} does not exist.", 404)
    return answers.json_answer({"RestoreTestingSelection": dict(SELECTIONS[(plan, selection)])})


def _plan(name: str) -> Record:
    return {"RestoreTestingPlanName": name, **PLANS[name]}


def tag_restore_testing_plans() -> None:
    """Let Backup's calls for tags know them, beside vaults and plans."""
    inner = emulator.of_service("backup", "_resolve_resource")

    def resolve(arn: str) -> Json:
        for name, record in PLANS.items():
            if record["RestoreTestingPlanArn"] == arn:
                return PLAN_TAGS.setdefault(name, {})
        return inner(arn)

    emulator.replace_in_service("backup", "_resolve_resource", resolve)


PLANS = emulator.new_table("backup_restore_testing_plans")
PLAN_TAGS = emulator.new_table("backup_restore_testing_plan_tags")
SELECTIONS = emulator.new_table("backup_restore_testing_selections")
TYPES = (Selection(), RestoreTestingPlan(), RestoreTestingSelection())
