"""What change sets say on AWS and not in ministack: resources whose condition turns, and what drift-aware ones are.

A resource whose condition becomes true is added, and one whose condition becomes false removed: ministack compares the
templates' text alone, and finds no change where a parameter moves the backup with the primary.

A drift-aware change set (`DeploymentMode` REVERT_DRIFT) compares with what is, not with what was deployed last. Of a
resource that was brought past CloudFormation to where the template wants it, the change says `SyncWithActual`, and
executing it asks no handler for what is done. Emulated for the one case that a failover may need: an instance of RDS
that stands alone while its stack takes it for a replica. Any other drift is left as an ordinary change set leaves it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator

Json = Any
_TYPE = "AWS::RDS::DBInstance"
_SOURCE = "SourceDBInstanceIdentifier"
_ID = re.compile(rb"<Id>([^<]+)</Id>")
_AWARE = "_SyncWithActual"


def install() -> None:
    """Put them in place."""
    actions = emulator.cloudformation("handlers")._ACTION_HANDLERS
    changesets = emulator.cloudformation("changesets")
    resolve = changesets._resolve_props_for_diff

    def resolve_conditions(template: Json, params: Json, stack: str, stack_id: str) -> Json:
        found = resolve(template, params, stack, stack_id)
        if found:
            conditions = emulator.cloudformation("engine")._evaluate_conditions(template, params)
            found["Resources"] = {
                name: resource
                for name, resource in found["Resources"].items()
                if conditions.get(resource.get("Condition"), True)
            }
        return found

    changesets._resolve_props_for_diff = resolve_conditions
    create, execute = actions["CreateChangeSet"], actions["ExecuteChangeSet"]
    known = emulator.of_service("cloudformation", "_change_sets")

    def create_aware(params: Mapping[str, Json]) -> Any:
        answer = create(params)
        if _given(params, "DeploymentMode") == "REVERT_DRIFT" and answer[0] == 200:
            found = _ID.search(answer[2] if isinstance(answer[2], bytes) else answer[2].encode())
            if found is not None:
                _compare_with_actual(known[found[1].decode()])
        return answer

    def execute_aware(params: Mapping[str, Json]) -> Any:
        name = _given(params, "ChangeSetName")
        wanted: dict[str, Json] = known.get(name) or next(
            (item for item in known.values() if item["ChangeSetName"] == name), {}
        )
        for resource in _resources(wanted):
            if resource in wanted.get(_AWARE, ()):
                _resources(wanted)[resource]["Properties"].pop(_SOURCE, None)
        return execute(params)

    actions["CreateChangeSet"], actions["ExecuteChangeSet"] = create_aware, execute_aware


def _compare_with_actual(change_set: dict[str, Json]) -> None:
    """Instances that stand alone, as the template wants them, though the stack gave them a source."""
    wanted = emulator.cloudformation("changesets")._resolve_props_for_diff(
        change_set["_template"], change_set["_resolved_params"], change_set["StackName"], change_set["StackId"]
    )["Resources"]
    synced = [
        name
        for name, resource in _resources(change_set).items()
        if resource["ResourceType"] == _TYPE
        and resource.get("Properties", {}).get(_SOURCE)
        and name in wanted
        and not (wanted[name].get("Properties") or {}).get(_SOURCE)
        and _stands_alone(resource["PhysicalResourceId"])
    ]
    if not synced:
        return
    others = [item for item in change_set["Changes"] if item["ResourceChange"]["LogicalResourceId"] not in synced]
    change_set["Changes"] = others + [
        {
            "Type": "Resource",
            "ResourceChange": {
                "Action": "SyncWithActual",
                "LogicalResourceId": name,
                "PhysicalResourceId": _resources(change_set)[name]["PhysicalResourceId"],
                "ResourceType": _TYPE,
                "Replacement": "False",
                "Scope": [],
                "Details": [],
            },
        }
        for name in synced
    ]
    change_set[_AWARE] = synced
    change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")


def _resources(change_set: Mapping[str, Json]) -> dict[str, Json]:
    stack = emulator.of_service("cloudformation", "_stacks").get(change_set.get("StackName", ""))
    found: dict[str, Json] = (stack or {}).get("_resources", {})
    return found


def _stands_alone(id_: str) -> bool:
    record = emulator.store("rds", "_instances").get(id_)
    return record is not None and not record.get("ReadReplicaSourceDBInstanceIdentifier")


def _given(params: Mapping[str, Json], name: str) -> str:
    return str(emulator.cloudformation("helpers")._p(params, name) or "")
