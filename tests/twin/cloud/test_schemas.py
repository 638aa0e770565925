"""Properties are read as AWS's schemas say: in their types, or refused with the place that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.twin.cloud.schemas import Refused, checked, create_only, schema_of, tag_property


def test_values_take_the_types_of_the_schema() -> None:
    read = checked("AWS::EC2::NetworkAclEntry", {
        "NetworkAclId": "acl-1", "RuleNumber": "100", "Protocol": "6", "RuleAction": "allow", "Egress": "false",
        "CidrBlock": "10.0.0.0/16",
        "PortRange": {"From": "1", "To": 2},
    })  # fmt: skip
    assert (read["RuleNumber"], read["Egress"], read["PortRange"]) == (100, False, {"From": 1, "To": 2})
    assert checked("AWS::RDS::DBInstance", {"AllocatedStorage": 20})["AllocatedStorage"] == "20"


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"Domian": "vpc"}, "extraneous key [Domian] is not permitted"),
        ({"Tags": [{"Key": "a"}]}, "#/Tags/0: required key [Value] not found"),
        ({"Tags": "a"}, "#/Tags: expected type: array"),
        ({"AllocationId": "eipalloc-1"}, "extraneous key [AllocationId] is not permitted, it is read-only"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as caught:
        checked("AWS::EC2::EIP", properties)
    assert message in str(caught.value)


def test_what_excludes_one_another_is_refused() -> None:
    with pytest.raises(Refused, match="is not allowed with"):
        checked("AWS::RDS::DBInstance", {"SourceDBInstanceIdentifier": "x", "MasterUsername": "y"})


def test_the_create_only_properties_are_those_of_design_d2() -> None:
    always, conditionally = create_only("AWS::RDS::DBInstance")
    assert {
        "DBInstanceIdentifier",
        "DBName",
        "DBSubnetGroupName",
        "KmsKeyId",
        "MasterUsername",
        "SourceRegion",
        "StorageEncrypted",
    } <= set(always)
    assert {"SourceDBInstanceIdentifier", "MultiAZ", "BackupRetentionPeriod"} <= set(conditionally)


def test_tags_are_found_in_both_shapes() -> None:
    assert tag_property("AWS::EC2::VPC") == ("Tags", "list")
    assert tag_property("AWS::Backup::BackupVault") == ("BackupVaultTags", "map")
    assert tag_property("AWS::EC2::Route") is None


def test_a_type_without_a_schema_passes_unread() -> None:
    assert schema_of("Custom::Mine") is None
    assert checked("Custom::Mine", {"Any": "thing"}) == {"Any": "thing"}
