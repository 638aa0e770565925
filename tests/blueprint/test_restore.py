"""A backup is restored every week, where nobody can reach it."""

from __future__ import annotations

from tests.support.backups import build_backups, literal, resource
from tests.support.regions import HOME
from tests.support.specs import spec

_, BACKUP = build_backups(spec())


def test_the_newest_backup_in_the_regions_own_vault_is_restored_every_week_after_fridays() -> None:
    plan = resource(BACKUP.stack, "RestoreTestingPlan")["Properties"]
    chosen = plan["RecoveryPointSelection"]
    assert chosen["Algorithm"] == "LATEST_WITHIN_WINDOW"
    assert chosen["IncludeVaults"] == [{"Ref": "BackupVaultArn"}]
    assert literal(BACKUP.stack, HOME, "RestoreTestSchedule").endswith("? * SAT *)")


def test_nobody_reaches_what_is_restored() -> None:
    selection = resource(BACKUP.stack, "RestoreTestingSelection")["Properties"]
    overrides = selection["RestoreMetadataOverrides"]
    assert overrides["publiclyAccessible"] == "false"
    assert overrides["dbSubnetGroupName"] == {"Ref": "RestoreSubnets"}
    group = resource(BACKUP.stack, "RestoredDatabase")["Properties"]
    assert "SecurityGroupIngress" not in group
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["127.0.0.1/32"]
    assert overrides["vpcSecurityGroupIds"]["Fn::Join"][1][1] == {"Fn::GetAtt": ["RestoredDatabase", "GroupId"]}
