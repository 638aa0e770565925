"""Where backups are kept, and against whom."""

from __future__ import annotations

from tests.support.backups import build_backups, literal, resource
from tests.support.regions import HOME, STANDBY
from tests.support.specs import spec

VAULT, _ = build_backups(spec())


def test_nobody_ends_a_backup_before_its_time() -> None:
    statements = resource(VAULT.stack, "BackupVault")["Properties"]["AccessPolicy"]["Statement"]
    (lasting,) = [item for item in statements if "backup:DeleteRecoveryPoint" in item["Action"]]
    assert (lasting["Effect"], lasting["Principal"]) == ("Deny", "*")
    assert "Condition" not in lasting


def test_copies_may_only_go_where_the_spec_says() -> None:
    statements = resource(VAULT.stack, "BackupVault")["Properties"]["AccessPolicy"]["Statement"]
    (staying,) = [item for item in statements if item["Action"] == ["backup:CopyFromBackupVault"]]
    (targets,) = staying["Condition"]["ForAllValues:ArnNotLike"]["backup:CopyTargets"]
    there = "arn:${AWS::Partition}:backup:${OtherRegion}:${AWS::AccountId}:backup-vault:orders-production"
    assert targets == {"Fn::Sub": there}
    for region, other in ((HOME, STANDBY), (STANDBY, HOME)):
        assert literal(VAULT.stack, region, "OtherRegion") == other


def test_its_lock_is_in_governance_mode_and_fits_both_regions_days() -> None:
    regions = {
        HOME: {"role": "home", "cidr": "10.10.0.0/16", "backup": {"keep_days": 35}},
        STANDBY: {"role": "standby", "cidr": "10.20.0.0/16", "backup": {"keep_days": 14, "start": "12:00"}},
    }
    made, _ = build_backups(spec(regions=regions))
    lock = resource(made.stack, "BackupVault")["Properties"]["LockConfiguration"]
    assert lock == {"MinRetentionDays": 14, "MaxRetentionDays": 35}


def test_it_and_its_key_outlive_the_stack() -> None:
    for logical_id in ("BackupKey", "BackupVault"):
        kept = resource(VAULT.stack, logical_id)
        assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
    assert VAULT.stack.protected


def test_it_has_a_key_of_its_own_that_turns() -> None:
    assert resource(VAULT.stack, "BackupVault")["Properties"]["EncryptionKeyArn"] == {
        "Fn::GetAtt": ["BackupKey", "Arn"]
    }
    assert resource(VAULT.stack, "BackupKey")["Properties"]["EnableKeyRotation"] is True
