"""A stack waits for its database, promotes it by taking one property away, and deletes it for real."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.twin.databases.conftest import HOME, PASSWORD, STANDBY, Running, until

pytestmark = pytest.mark.postgres


def _template(**properties: Any) -> str:
    instance = {
        "Type": "AWS::RDS::DBInstance",
        "DeletionPolicy": "Snapshot",
        "Properties": {
            "DBInstanceIdentifier": "orders",
            "DBInstanceClass": "db.t4g.medium",
            "Engine": "postgres",
            "DBSubnetGroupName": "data",
            "BackupRetentionPeriod": 1,
            "MultiAZ": True,
            **properties,
        },
    }
    outputs = {
        "Arn": {"Value": {"Fn::GetAtt": ["Database", "DBInstanceArn"]}},
        "Host": {"Value": {"Fn::GetAtt": ["Database", "Endpoint.Address"]}},
    }
    return json.dumps({"Resources": {"Database": instance}, "Outputs": outputs})


NEW = {
    "MasterUsername": "master",
    "MasterUserPassword": PASSWORD,
    "DBName": "app",
    "EngineVersion": "17",
    "AllocatedStorage": "20",
}


def _settled(twin: Running, region: str) -> dict[str, Any]:
    cloudformation = twin.ground.api.client("cloudformation", region)

    def stack() -> dict[str, Any]:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName="database")["Stacks"][0]
        return found

    until("the stack settles", lambda: not stack()["StackStatus"].endswith("_IN_PROGRESS"), twin.loop)
    return stack()


def _create(twin: Running, region: str, template: str) -> dict[str, str]:
    twin.subnets(region)
    twin.ground.api.client("cloudformation", region).create_stack(StackName="database", TemplateBody=template)
    stack = _settled(twin, region)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {item["OutputKey"]: item["OutputValue"] for item in stack["Outputs"]}


def test_a_deployment_is_promoted_by_a_stack_update_and_deleted_with_its_stack(twin: Running) -> None:
    home = _create(twin, HOME, _template(**NEW))
    assert home["Host"] == twin.describe("orders")["Endpoint"]["Address"]
    twin.query("orders", "CREATE TABLE kept AS SELECT 1 AS a")
    away = _create(twin, STANDBY, _template(SourceDBInstanceIdentifier=home["Arn"]))
    assert away["Host"] == twin.describe("orders", STANDBY)["Endpoint"]["Address"]
    twin.answers("orders", "SELECT a FROM kept", [(1,)], STANDBY)

    cloudformation = twin.ground.api.client("cloudformation", STANDBY)
    cloudformation.update_stack(StackName="database", TemplateBody=_template(), DisableRollback=True)
    assert _settled(twin, STANDBY)["StackStatus"] == "UPDATE_COMPLETE"
    twin.query("orders", "INSERT INTO kept VALUES (2)", STANDBY)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in twin.describe("orders", STANDBY)

    changed = {**NEW, "MasterUserPassword": "quite-another-one"}
    cloudformation = twin.ground.api.client("cloudformation", HOME)
    cloudformation.update_stack(StackName="database", TemplateBody=_template(**changed))
    assert _settled(twin, HOME)["StackStatus"] == "UPDATE_COMPLETE"
    assert twin.query("orders", "SELECT a FROM kept", password="quite-another-one") == [(1,)]

    stack = _settled(twin, HOME)["StackId"]
    cloudformation.delete_stack(StackName="database")
    until(
        "the stack is deleted",
        lambda: cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE",
        twin.loop,
    )
    assert twin.rds().describe_db_instances()["DBInstances"] == []
    (last,) = twin.rds().describe_db_snapshots()["DBSnapshots"]
    assert (last["DBSnapshotIdentifier"], last["Status"]) == ("orders-final-snapshot", "available")
    twin.rds().restore_db_instance_from_db_snapshot(
        DBInstanceIdentifier="again", DBSnapshotIdentifier="orders-final-snapshot", DBSubnetGroupName="data"
    )
    twin.available("again")
    assert twin.query("again", "SELECT a FROM kept", password="quite-another-one") == [(1,)]


def test_a_changed_group_is_in_force_when_the_update_ends(twin: Running) -> None:
    """CloudFormation's handler restarts what waits for a reboot."""
    rds = twin.rds()
    rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily="postgres17", Description="own")
    setting = {"ParameterName": "max_locks_per_transaction", "ParameterValue": "99", "ApplyMethod": "pending-reboot"}
    rds.modify_db_parameter_group(DBParameterGroupName="own", Parameters=[setting])
    wanted = {**NEW, "MultiAZ": False, "DBInstanceIdentifier": "single"}
    twin.subnets(HOME)
    cloudformation = twin.ground.api.client("cloudformation", HOME)
    cloudformation.create_stack(StackName="database", TemplateBody=_template(**wanted))
    assert _settled(twin, HOME)["StackStatus"] == "CREATE_COMPLETE"
    cloudformation.update_stack(StackName="database", TemplateBody=_template(**wanted, DBParameterGroupName="own"))
    assert _settled(twin, HOME)["StackStatus"] == "UPDATE_COMPLETE"
    assert twin.query("single", "SHOW max_locks_per_transaction") == [("99",)]
    group = twin.describe("single")["DBParameterGroups"][0]
    assert (group["DBParameterGroupName"], group["ParameterApplyStatus"]) == ("own", "in-sync")
