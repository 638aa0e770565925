"""Plans: what they select, when they are due, what they copy; the deployment's own, created by CloudFormation."""

from __future__ import annotations

from typing import Any

from bicoastal.twin.pace import Pace
from tests.support.cloudformation import until
from tests.twin.backups.conftest import KEPT, STANDBY, Room, Rooms

Json = Any
DAYS_IN_SECONDS = Pace("of a test", 86_400)
"""A day goes by in a second."""


def plan(room: Room, vault: str, expression: str, **more: Json) -> str:
    rule = {"RuleName": "daily", "TargetBackupVaultName": vault, "ScheduleExpression": expression, **more}
    made = room.client("backup").create_backup_plan(BackupPlan={"BackupPlanName": "plan", "Rules": [rule]})
    return str(made["BackupPlanId"])


def select(room: Room, plan_id: str, role: str, **what: Json) -> None:
    selection = {"SelectionName": "databases", "IamRoleArn": role, **what}
    room.client("backup").create_backup_selection(BackupPlanId=plan_id, BackupSelection=selection)


def points(room: Room, vault: str, region: str = "us-east-1") -> list[Json]:
    backup = room.client("backup", region)
    return list(backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"])


def ran(room: Room, plan_id: str) -> None:
    """Wait until a plan was due."""
    backup = room.client("backup")
    made = backup.get_backup_plan(BackupPlanId=plan_id)["CreationDate"]
    for _ in until("the plan was due"):
        if backup.get_backup_plan(BackupPlanId=plan_id)["LastExecutionDate"] > made:
            return


def test_a_plan_backs_up_what_it_selects_when_it_is_due_and_copies_it(rooms: Rooms) -> None:
    room = rooms(pace=DAYS_IN_SECONDS)
    vault, role = room.vault("daily"), room.role("backups")
    there = room.vault_arn(room.vault("copies", STANDBY), STANDBY)
    arn = room.database("orders", environment="production")
    room.database("other", environment="test")
    copies = [{"DestinationBackupVaultArn": there, "Lifecycle": KEPT}]
    id_ = plan(
        room,
        vault,
        "cron(0 5 ? * * *)",
        Lifecycle=KEPT,
        CopyActions=copies,
        RecoveryPointTags={"application": "orders"},
    )
    equals = [{"ConditionType": "STRINGEQUALS", "ConditionKey": "environment", "ConditionValue": "production"}]
    select(room, id_, role, ListOfTags=equals)
    for _ in until("two days' backups, and a copy"):
        if len(points(room, vault)) >= 2 and points(room, "copies", STANDBY):
            break
    assert {item["ResourceArn"] for item in points(room, vault)} == {arn}
    assert points(room, vault)[0]["CreatedBy"]["BackupPlanId"] == id_
    name = points(room, vault)[0]["RecoveryPointArn"]
    tags = room.client("rds").list_tags_for_resource(ResourceName=name)["TagList"]
    assert {"Key": "application", "Value": "orders"} in tags


def test_a_selection_that_matches_nothing_backs_up_nothing(rooms: Rooms) -> None:
    """The wiring fault: the plan is there, its vault stays empty."""
    room = rooms(pace=DAYS_IN_SECONDS)
    vault, role = room.vault("daily"), room.role("backups")
    room.database("orders", application="orders")
    id_ = plan(room, vault, "cron(0 5 ? * * *)")
    select(room, id_, role, Resources=[room.arn("orders-db-of-another-name")])
    ran(room, id_)
    assert room.client("backup").list_backup_jobs()["BackupJobs"] == []
    assert points(room, vault) == []


SELECTIONS: list[tuple[Json, set[str]]] = [
    ({"Resources": ["*"]}, {"one", "two"}),
    ({"Resources": ["arn:aws:rds:*:*:db:o*"]}, {"one"}),
    ({"Resources": ["*"], "NotResources": ["*:db:two"]}, {"one"}),
    ({"Resources": ["*"], "Conditions": {"StringEquals": ("aws:ResourceTag/keep", "no")}}, {"two"}),
    ({"Resources": ["*"], "Conditions": {"StringNotLike": ("aws:ResourceTag/keep", "y*")}}, {"two"}),
    ({"Resources": ["*:db:one"], "Conditions": {"StringLike": ("aws:ResourceTag/keep", "n*")}}, set()),
]


def test_a_selection_is_what_its_patterns_tags_and_conditions_have_in_common(rooms: Rooms) -> None:
    room = rooms(pace=DAYS_IN_SECONDS)
    vault, role = room.vault("daily"), room.role("backups")
    room.database("one", keep="yes")
    room.database("two", keep="no")
    plans = []
    for selection, _ in SELECTIONS:
        conditions = {
            kind: [{"ConditionKey": key, "ConditionValue": value}]
            for kind, (key, value) in selection.get("Conditions", {}).items()
        }
        plans.append(plan(room, vault, "cron(0 5 ? * * *)"))
        select(room, plans[-1], role, **{**selection, **({"Conditions": conditions} if conditions else {})})
    for id_ in plans:
        ran(room, id_)
    found: dict[str, set[str]] = {id_: set() for id_ in plans}
    for job in room.client("backup").list_backup_jobs()["BackupJobs"]:
        found[job["CreatedBy"]["BackupPlanId"]].add(job["ResourceName"])
    assert list(found.values()) == [wanted for _, wanted in SELECTIONS]


def test_a_recovery_point_is_gone_after_its_days(rooms: Rooms) -> None:
    room = rooms(pace=DAYS_IN_SECONDS)
    vault, role, arn = room.vault("daily"), room.role("backups"), room.database("orders")
    room.back_up(arn, vault, role, Lifecycle={"DeleteAfterDays": 2})
    assert len(points(room, vault)) == 1
    for _ in until("the recovery point's end"):
        if not points(room, vault):
            break
    assert room.client("rds").describe_db_snapshots()["DBSnapshots"] == []
