"""A promotion is a change set of one property; what RDS refuses is refused; a deletion leaves what is kept, alone."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.cfn.manifest import StackEntry
from tests.support.cloudformation import StackFailed, Walker

HOME, STANDBY = "us-east-1", "us-west-2"


def _entry(walker: Walker, id_: str) -> StackEntry:
    return next(entry for entry in walker.manifest.stacks if entry.id == id_)


def _database(walker: Walker, region: str) -> Any:
    return walker.account.client("rds", region).describe_db_instances()["DBInstances"][0]


def test_the_life_of_a_deployment(standing: Walker) -> None:
    """Told in order: each step needs the one before."""
    survivor = _entry(standing, f"database/{STANDBY}")
    _a_protected_stack_is_not_deleted(standing, survivor)
    _a_change_of_birth_is_refused(standing, survivor)
    _the_promotion_changes_one_property(standing, survivor)
    _going_back_fails(standing, survivor)
    _promoting_twice_fails(standing)
    _everything_is_deleted(standing)


def _a_protected_stack_is_not_deleted(walker: Walker, entry: StackEntry) -> None:
    cloudformation = walker.account.client("cloudformation", entry.region)
    cloudformation.update_termination_protection(StackName=entry.name, EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="TerminationProtection"):
        cloudformation.delete_stack(StackName=entry.name)
    cloudformation.update_termination_protection(StackName=entry.name, EnableTerminationProtection=False)


def _a_change_of_birth_is_refused(walker: Walker, entry: StackEntry) -> None:
    """Were it a property of how the instance is now, this is what a failover would do: replace the database."""
    planned = walker.plan(entry, "UPDATE", DatabaseOrigin="new")
    (change,) = [
        item["ResourceChange"]
        for item in planned["Changes"]
        if item["ResourceChange"]["LogicalResourceId"] == "DatabaseInstance"
    ]
    assert change["Replacement"] == "True"
    with pytest.raises(StackFailed, match="custom-named resource requires replacing"):
        walker.execute(entry, planned)
    cloudformation = walker.account.client("cloudformation", entry.region)
    cloudformation.rollback_stack(StackName=entry.name)
    assert walker.settled(entry)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert _database(walker, entry.region)["ReadReplicaSourceDBInstanceIdentifier"]


def _the_promotion_changes_one_property(walker: Walker, entry: StackEntry) -> None:
    before = _database(walker, entry.region)
    planned = walker.plan(entry, "UPDATE", DatabaseRole="primary")
    (change,) = [item["ResourceChange"] for item in planned["Changes"]]
    assert change["LogicalResourceId"] == "DatabaseInstance"
    assert [(detail["Target"]["Name"], detail["Target"]["RequiresRecreation"]) for detail in change["Details"]] == [
        ("SourceDBInstanceIdentifier", "Conditionally")
    ]
    walker.execute(entry, planned)
    after = _database(walker, entry.region)
    assert before["DbiResourceId"] == after["DbiResourceId"]
    assert before["Endpoint"] == after["Endpoint"]
    assert "ReadReplicaSourceDBInstanceIdentifier" not in after
    assert _database(walker, HOME)["ReadReplicaDBInstanceIdentifiers"] == []


def _going_back_fails(walker: Walker, entry: StackEntry) -> None:
    """A primary never becomes a replica in place (D3)."""
    with pytest.raises(StackFailed, match="SourceDBInstanceIdentifier changed"):
        walker.change(entry, "UPDATE", DatabaseRole="replica")
    cloudformation = walker.account.client("cloudformation", entry.region)
    cloudformation.rollback_stack(StackName=entry.name)
    assert walker.settled(entry)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def _promoting_twice_fails(walker: Walker) -> None:
    rds = walker.account.client("rds", STANDBY)
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        rds.promote_read_replica(DBInstanceIdentifier="orders-production-db-g1")


def _everything_is_deleted(walker: Walker) -> None:
    for region in (HOME, STANDBY):
        elbv2 = walker.account.client("elbv2", region)
        for balancer in elbv2.describe_load_balancers()["LoadBalancers"]:
            elbv2.modify_load_balancer_attributes(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
            )
    for entry in reversed(walker.manifest.stacks):
        if entry.id.startswith("database/"):
            break
        walker.delete(entry)
    with pytest.raises(StackFailed, match="disable deletion protection"):
        walker.delete(_entry(walker, f"database/{STANDBY}"))
    for region in (HOME, STANDBY):
        walker.account.client("rds", region).modify_db_instance(
            DBInstanceIdentifier="orders-production-db-g1", DeletionProtection=False, ApplyImmediately=True
        )
    for entry in reversed(walker.manifest.stacks):
        if entry.id in walker.outputs:
            walker.delete(entry)
    for region in (HOME, STANDBY):
        ec2 = walker.account.client("ec2", region)
        own = [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
        gateways = {gateway["State"] for gateway in ec2.describe_nat_gateways()["NatGateways"]}
        snapshots = walker.account.client("rds", region).describe_db_snapshots()["DBSnapshots"]
        assert own == []
        assert ec2.describe_addresses()["Addresses"] == []
        assert gateways == {"deleted"}
        assert walker.account.client("elbv2", region).describe_load_balancers()["LoadBalancers"] == []
        assert walker.account.client("rds", region).describe_db_instances()["DBInstances"] == []
        assert [item["DBInstanceIdentifier"] for item in snapshots] == ["orders-production-db-g1"]
    assert walker.account.client("route53").list_health_checks()["HealthChecks"] == []
