"""What operators may do fits IAM's limit, and reaches what an operation moves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bicoastal.blueprint.access.operator import CHANGED_STACKS
from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.manifest import Live
from bicoastal.spec.model import Spec
from tests.support.specs import spec

LONGEST = spec(name="a" * 16, environment="b" * 12, failover_tags={"mode": "failover", "cost-center": "9999"})
_WORDS = {
    "${AWS::Partition}": "aws",
    "${AWS::AccountId}": "1" * 12,
    "${AWS::Region}": "ap-southeast-2",
    "${AWS::URLSuffix}": "amazonaws.com",
}


def policies(of: Spec) -> dict[str, Any]:
    (access,) = (stack for stack in compose(of).stacks if stack.kind == "access")
    resources = strip_comments(access.document["Resources"])
    return {
        name: item["Properties"]["PolicyDocument"]
        for name, item in resources.items()
        if item["Type"] == "AWS::IAM::ManagedPolicy"
    }


def spelled(value: Any) -> Any:
    """The document as IAM gets it: what is known is filled in, other references are as long as an ARN can be."""
    match value:
        case {"Fn::Sub": text}:
            text = text if isinstance(text, str) else text[0]
            for placeholder, word in _WORDS.items():
                text = text.replace(placeholder, word)
            return text
        case {"Ref": _} | {"Fn::GetAtt": _}:
            return f"arn:aws:iam::{'1' * 12}:role/{'x' * 64}"
        case dict():
            return {key: spelled(item) for key, item in value.items()}
        case list():
            return [spelled(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize("name", ["OperatorPolicy", "AftermathPolicy"])
def test_a_policy_fits_iams_limit_for_the_longest_spec(name: str) -> None:
    assert len(json.dumps(spelled(policies(LONGEST)[name]), separators=(",", ":"))) <= 6144


def test_every_stack_whose_parameters_an_operation_moves_is_one_that_operators_may_change() -> None:
    deployment = compose(spec(routing="failover"))
    moved = {
        stack.kind
        for stack in deployment.stacks
        for region in stack.regions
        if any(isinstance(source, Live) for source in stack.sources[region].values())
    }
    assert moved <= set(CHANGED_STACKS)


def test_the_backup_of_the_new_primary_can_be_selected() -> None:
    statements = {item["Sid"]: item for item in policies(spec())["AftermathPolicy"]["Statement"]}
    assert "backup:CreateBackupSelection" in statements["SelectThePrimary"]["Action"]
    (role,) = statements["HandRoleToBackup"]["Resource"]
    (backup,) = (stack for stack in compose(spec()).stacks if stack.kind == "backup")
    name = strip_comments(backup.document["Resources"]["BackupRole"])["Properties"]["RoleName"]
    assert role["Fn::Sub"].endswith(f":role/{name['Fn::Sub']}")
