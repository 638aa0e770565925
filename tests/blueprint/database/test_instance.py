"""A failover changes one property; a rejoin makes another instance: held against the lists of AWS's own schema."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from bicoastal.blueprint.database import ORIGIN_NEW, ORIGIN_REPLICA, ROLE_PRIMARY, ROLE_REPLICA, instance_identifier
from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.emit import to_yaml
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.reader import parse_template
from bicoastal.cfn.resolve import Evaluator
from tests.support.database import build_database
from tests.support.specs import spec
from tools import validators

INSTANCE = "DatabaseInstance"
SOURCE = "arn:aws:rds:us-east-1:123456789012:db:orders-production-db-g1"
MASTER = "orders-production/database/master-AbCdEf"
TYPE = "AWS::RDS::DBInstance"
STATES = [
    (ROLE_PRIMARY, ORIGIN_NEW),
    (ROLE_REPLICA, ORIGIN_REPLICA),
    (ROLE_PRIMARY, ORIGIN_REPLICA),
]
"""What an instance can be: the first primary, a replica, a promoted one."""


def listed(name: str) -> set[str]:
    """A list of properties in the schema of the type, such as `createOnlyProperties`."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", TYPE).schema
    return {path.removeprefix("/properties/") for path in schema[name]}


CREATE_ONLY = listed("createOnlyProperties")
CONDITIONALLY_CREATE_ONLY = listed("conditionalCreateOnlyProperties")


def evaluator(stack: Stack, role: str, origin: str, generation: int = 1, region: str = "us-west-2") -> Evaluator:
    given = {name: f"given-{name}" for name in stack.document["Parameters"]}
    given |= {
        "DatabaseRole": role,
        "DatabaseOrigin": origin,
        "DatabaseGeneration": str(generation),
        "SourceDatabaseArn": SOURCE,
        "MasterCredentialsArn": f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{MASTER}",
    }
    parameters = {name: (lambda value=value: value) for name, value in given.items()}
    template = parse_template(stack.to_yaml(), "database.yaml")
    return Evaluator(template, stack="database", stack_name="s", region=region, parameters=parameters)


def properties(stack: Stack, role: str, origin: str, generation: int = 1, resource: str = INSTANCE) -> dict[str, Any]:
    state = evaluator(stack, role, origin, generation)
    found: dict[str, Any] = state.value(state.resources[resource]["Properties"])
    return found


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return build_database(spec(database={"read_replicas": 2, "engine_version": "17.6"})).stack


def test_the_schemas_lists_are_those_that_the_design_was_made_for() -> None:
    """If AWS moves a property into a list, somebody has to think again."""
    assert {"DBInstanceIdentifier", "KmsKeyId", "MasterUsername", "StorageEncrypted", "SourceRegion"} < CREATE_ONLY
    assert "SourceDBInstanceIdentifier" in CONDITIONALLY_CREATE_ONLY
    assert {"MultiAZ", "BackupRetentionPeriod", "PreferredMaintenanceWindow"} < CONDITIONALLY_CREATE_ONLY


@pytest.mark.parametrize("generation", [1, 2, 7])
def test_a_promotion_takes_the_source_away_and_changes_nothing_else(stack: Stack, generation: int) -> None:
    before = properties(stack, ROLE_REPLICA, ORIGIN_REPLICA, generation)
    after = properties(stack, ROLE_PRIMARY, ORIGIN_REPLICA, generation)
    assert changed(before, after) == {"SourceDBInstanceIdentifier"}
    assert before["SourceDBInstanceIdentifier"] == SOURCE
    assert "SourceDBInstanceIdentifier" not in after


@pytest.mark.parametrize("origin", [ORIGIN_NEW, ORIGIN_REPLICA])
@pytest.mark.parametrize("generation", [1, 2])
def test_the_role_alone_never_touches_what_could_replace_the_instance(
    stack: Stack, origin: str, generation: int
) -> None:
    for resource in (INSTANCE, "DatabaseReplicaR1", "DatabaseReplicaR2"):
        primary = properties(stack, ROLE_PRIMARY, origin, generation, resource)
        replica = properties(stack, ROLE_REPLICA, origin, generation, resource)
        difference = changed(primary, replica)
        assert not difference & CREATE_ONLY
        assert difference & CONDITIONALLY_CREATE_ONLY <= {"SourceDBInstanceIdentifier"}


def test_calling_the_first_primary_a_replica_changes_nothing(stack: Stack) -> None:
    """It would otherwise be a replacement of the database by its own replica."""
    assert properties(stack, ROLE_REPLICA, ORIGIN_NEW) == properties(stack, ROLE_PRIMARY, ORIGIN_NEW)


@pytest.mark.parametrize("origin", [ORIGIN_NEW, ORIGIN_REPLICA])
def test_a_primary_comes_back_as_a_new_instance_and_the_old_one_is_retained(stack: Stack, origin: str) -> None:
    before = properties(stack, ROLE_PRIMARY, origin, 1)
    after = properties(stack, ROLE_REPLICA, ORIGIN_REPLICA, 2)
    assert (before["DBInstanceIdentifier"], after["DBInstanceIdentifier"]) == (
        "orders-production-db-g1",
        "orders-production-db-g2",
    )
    assert "DBInstanceIdentifier" in changed(before, after) & CREATE_ONLY
    body = strip_comments(stack.document["Resources"][INSTANCE])
    assert (body["UpdateReplacePolicy"], body["DeletionPolicy"]) == ("Retain", "Snapshot")


def test_a_generation_changes_every_name_that_an_older_one_still_holds(stack: Stack) -> None:
    """The retained instance and its logs keep their names: the next generation may collide with none."""
    for state in product(STATES, STATES):
        names = [
            {
                str(value)
                for name, body in evaluator(stack, *live, generation).resources.items()
                for key in ("DBInstanceIdentifier", "LogGroupName")
                if (value := evaluator(stack, *live, generation).value(body["Properties"].get(key))) is not None
            }
            for generation, live in zip((1, 2), state, strict=True)
        ]
        assert len(names[0]) == 9
        assert not names[0] & names[1]


def test_only_the_source_depends_on_the_role(stack: Stack) -> None:
    document = strip_comments(stack.document)
    conditions = document["Conditions"]
    assert [name for name in conditions if "DatabaseRole" in repr(conditions[name])] == ["IsReplica"]
    assert not [name for name in conditions if "IsReplica" in repr(conditions[name]) and name != "IsReplica"]
    uses = [
        (resource, name)
        for resource, body in document["Resources"].items()
        for name, value in {**body, **body["Properties"]}.items()
        if name != "Properties" and ("IsReplica" in repr(value) or "DatabaseRole" in repr(value))
    ]
    assert uses == [(INSTANCE, "SourceDBInstanceIdentifier")]
    assert "DatabaseRole" not in repr(document["Outputs"])
    assert "IsReplica" not in repr(document["Outputs"])


def test_a_promotions_change_set_holds_the_instance_alone(stack: Stack) -> None:
    """What refers to a resource that might be replaced is listed as changing too, so nothing refers to it."""
    for name, body in strip_comments(stack.document["Resources"]).items():
        if name != INSTANCE:
            rest = repr({key: value for key, value in body.items() if key != "DependsOn"})
            assert f"'{INSTANCE}'" not in rest
            assert f"${{{INSTANCE}" not in rest


def test_a_replica_is_told_nothing_that_it_takes_from_its_source(stack: Stack) -> None:
    """CreateDBInstanceReadReplica takes none of these; a promoted replica that gained one would be replaced."""
    from_the_source = {
        "MasterUsername",
        "MasterUserPassword",
        "DBName",
        "EngineVersion",
        "AllocatedStorage",
        "StorageEncrypted",
    }
    assert from_the_source <= properties(stack, ROLE_PRIMARY, ORIGIN_NEW).keys()
    for role in (ROLE_PRIMARY, ROLE_REPLICA):
        assert not from_the_source & properties(stack, role, ORIGIN_REPLICA).keys()
    assert not from_the_source & properties(stack, ROLE_PRIMARY, ORIGIN_NEW, resource="DatabaseReplicaR1").keys()


def test_a_replica_is_born_with_all_that_a_primary_needs(stack: Stack) -> None:
    replica = properties(stack, ROLE_REPLICA, ORIGIN_REPLICA)
    assert replica["MultiAZ"] is True
    assert replica["BackupRetentionPeriod"] == 1
    assert replica["DeletionProtection"] is True
    assert replica["KmsKeyId"] == "given-DataKeyArn"
    assert replica["Engine"] == "postgres"
    assert replica["DBParameterGroupName"] == properties(stack, ROLE_PRIMARY, ORIGIN_NEW)["DBParameterGroupName"]


def test_the_masters_password_is_read_from_the_regions_own_secret(stack: Stack) -> None:
    state = evaluator(stack, ROLE_PRIMARY, ORIGIN_NEW, region="us-west-2")
    password = str(state.value(state.resources[INSTANCE]["Properties"])["MasterUserPassword"])
    assert password.startswith("{{resolve:secretsmanager:arn:aws:secretsmanager:us-west-2:")
    assert password.endswith(f":secret:{MASTER}:SecretString:password}}}}")


def test_a_reader_inside_the_region_follows_the_regions_instance(stack: Stack) -> None:
    reader = properties(stack, ROLE_REPLICA, ORIGIN_REPLICA, 3, "DatabaseReplicaR2")
    assert reader["DBInstanceIdentifier"] == instance_identifier(spec(), 3, "-r2")
    assert reader["SourceDBInstanceIdentifier"] == instance_identifier(spec(), 3)
    assert reader["VPCSecurityGroups"] == ["given-DatabaseGroup"]
    assert not reader.keys() & {"DBSubnetGroupName", "KmsKeyId"}, "RDS refuses both inside a region"


@pytest.mark.parametrize(("version", "by_itself"), [("17", True), ("17.6", False)])
def test_rds_upgrades_the_minor_version_unless_the_spec_names_it(version: str, by_itself: bool) -> None:
    found = properties(build_database(spec(database={"engine_version": version})).stack, ROLE_PRIMARY, ORIGIN_NEW)
    assert found["AutoMinorVersionUpgrade"] is by_itself
    assert found["EngineVersion"] == version


def settled(node: Any, state: Evaluator) -> Any:
    """The template as it is in a state: conditions decided, the suppressions of checkers and what is unused removed."""
    if isinstance(node, list):
        return [settled(item, state) for item in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Fn::If"}:
        name, yes, no = node["Fn::If"]
        return settled(yes if state.condition(name) is True else no, state)
    pairs = {key: settled(value, state) for key, value in node.items() if key not in ("Metadata", "Conditions")}
    return {key: value for key, value in pairs.items() if value != {"Ref": "AWS::NoValue"}}


def settled_file(stack: Stack, role: str, origin: str, folder: Path) -> Path:
    document = settled(strip_comments(stack.document), evaluator(stack, role, origin))
    used = repr({name: section for name, section in document.items() if name != "Parameters"})
    document["Parameters"] = {name: body for name, body in document["Parameters"].items() if name in used}
    file = folder / f"{role}-{origin}.yaml"
    file.write_text(to_yaml(document))
    return file


def test_what_is_accepted_for_the_conditions_hides_nothing_else(stack: Stack, tmp_path: Path) -> None:
    """The checkers do not follow the conditions. Each state by itself, without suppressions, is what they can judge."""
    files = [settled_file(stack, role, origin, tmp_path) for role, origin in STATES]
    lint = validators.cfn_lint(files, ["us-east-1", "us-west-2"])
    # It wants StorageEncrypted beside a key, and (E3020) refuses it beside a source.
    replicas = {f"{role}-{ORIGIN_REPLICA}" for role in (ROLE_REPLICA, ROLE_PRIMARY)}
    assert {(Path(item.location.file).stem, item.rule) for item in lint} == {(name, "E3720") for name in replicas}
    aws = validators.cloudformation_validate(files, ["us-east-1"])
    assert {(Path(item.location.file).stem, item.rule, item.resource) for item in aws} == {
        ("primary-replica", "W9008", INSTANCE),
        # The password is a dynamic reference already; that the secret's ARN is a parameter is what they see.
        ("primary-new", "W1011", INSTANCE),
        ("primary-new", "W2501", "MasterCredentialsArn"),
    }
