"""What the boundary and the SCP decide, call by call; and that they leave the deployment's own roles their work."""

from __future__ import annotations

import json

import pytest

from bicoastal.blueprint.residency import boundary_document, scp_document, scp_json
from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.intrinsics import strip_comments
from tests.support.policies import decision, service_authorization
from tests.support.specs import spec

EUROPE = {
    "eu-west-1": {"role": "home", "cidr": "10.1.0.0/16"},
    "eu-central-1": {"role": "standby", "cidr": "10.2.0.0/16"},
}
LONGEST = {"name": "a" * 16, "environment": "b" * 12}
AT_HOME, ELSEWHERE = {"aws:RequestedRegion": "us-east-1"}, {"aws:RequestedRegion": "eu-west-3"}


@pytest.mark.parametrize(
    "action",
    ["ec2:RunInstances", "rds:CreateDBInstanceReadReplica", "s3:PutObject", "kms:CreateKey", "backup:StartCopyJob"],
)
def test_calls_to_a_region_that_is_not_declared_are_denied(action: str) -> None:
    for document in (boundary_document(spec()), scp_document(spec())):
        assert decision(document, action, ELSEWHERE) == "Deny"
        assert decision(document, action, AT_HOME) != "Deny"
        assert decision(document, action, {"aws:RequestedRegion": "us-west-2"}) != "Deny"


def test_global_services_answer_in_us_east_1_and_work_from_any_pair_of_regions() -> None:
    global_endpoint = {"aws:RequestedRegion": "us-east-1"}
    document = scp_document(spec(regions=EUROPE))
    for action in ("iam:GetRole", "route53:ChangeResourceRecordSets", "sts:AssumeRole", "organizations:ListAccounts"):
        assert decision(document, action, global_endpoint) == ""
    assert decision(document, "ec2:RunInstances", global_endpoint) == "Deny"
    assert decision(boundary_document(spec(regions=EUROPE)), "sts:GetCallerIdentity", global_endpoint) == "Allow"


@pytest.mark.parametrize(
    ("action", "key", "here", "away"),
    [
        ("secretsmanager:ReplicateSecretToRegions", "secretsmanager:AddReplicaRegions", ["us-west-2"], ["eu-west-3"]),
        ("secretsmanager:CreateSecret", "secretsmanager:AddReplicaRegions", ["us-west-2"], ["us-west-2", "eu-west-3"]),
        ("kms:ReplicateKey", "kms:ReplicaRegion", "us-west-2", "eu-west-3"),
        (
            "backup:CopyFromBackupVault",
            "backup:CopyTargets",
            ["arn:aws:backup:us-west-2:111122223333:backup-vault:v"],
            ["arn:aws:backup:eu-west-3:111122223333:backup-vault:v"],
        ),
    ],
)
def test_a_copy_that_is_ordered_at_home_goes_to_a_declared_region_only(
    action: str, key: str, here: object, away: object
) -> None:
    for document in (boundary_document(spec()), scp_document(spec())):
        assert decision(document, action, {**AT_HOME, key: here}) != "Deny"
        assert decision(document, action, {**AT_HOME, key: away}) == "Deny"


@pytest.mark.parametrize(
    "action",
    [
        "iam:CreateUser",
        "iam:PutRolePolicy",
        "iam:DeleteRolePermissionsBoundary",
        "organizations:LeaveOrganization",
        "kms:ScheduleKeyDeletion",
        "backup:DeleteRecoveryPoint",
        "rds:ModifyDBSnapshotAttribute",
        "ec2:ModifySnapshotAttribute",
        "s3:PutReplicationConfiguration",
        "s3:PutBucketPolicy",
        "ec2:DeleteFlowLogs",
    ],
)
def test_no_role_of_ours_does_this_whatever_is_attached_to_it(action: str) -> None:
    assert decision(boundary_document(spec()), action, AT_HOME) == "Deny"


def test_a_role_passes_only_roles_of_its_own_deployment() -> None:
    document = boundary_document(spec())
    ours, others = (
        "arn:aws:iam::111122223333:role/orders-production-fleet-us-east-1",
        "arn:aws:iam::111122223333:role/admin",
    )
    assert decision(document, "iam:PassRole", AT_HOME, ours) == "Allow"
    assert decision(document, "iam:PassRole", AT_HOME, others) == ""


def test_under_the_scp_keys_and_the_boundary_are_changed_by_cloudformation_only() -> None:
    document = scp_document(spec())
    ours = {
        **AT_HOME,
        "aws:ResourceTag/application": "orders",
        "aws:ResourceTag/environment": "production",
        "aws:ResourceTag/managed-by": "bicoastal",
    }
    stack = {"aws:CalledVia": ["cloudformation.amazonaws.com"]}
    boundary = "arn:aws:iam::111122223333:policy/orders-production-boundary-us-east-1"
    assert decision(document, "kms:ScheduleKeyDeletion", ours) == "Deny"
    assert decision(document, "kms:ScheduleKeyDeletion", {**ours, **stack}) == ""
    assert decision(document, "kms:ScheduleKeyDeletion", AT_HOME) == "", "somebody else's key"
    assert decision(document, "iam:CreatePolicyVersion", AT_HOME, boundary) == "Deny"
    assert decision(document, "iam:CreatePolicyVersion", {**AT_HOME, **stack}, boundary) == ""
    bucket = "arn:aws:s3:::orders-production-files-111122223333-us-east-1"
    assert decision(document, "s3:PutReplicationConfiguration", AT_HOME, bucket) == "Deny"
    assert decision(document, "s3:PutReplicationConfiguration", {**AT_HOME, **stack}, bucket) == ""


def test_under_the_scp_no_role_of_ours_is_made_without_the_boundary() -> None:
    document = scp_document(spec())
    role = "arn:aws:iam::111122223333:role/orders-production-fleet-us-east-1"
    stack = {**AT_HOME, "aws:CalledVia": ["cloudformation.amazonaws.com"]}
    bounded = {"iam:PermissionsBoundary": "arn:aws:iam::111122223333:policy/orders-production-boundary-us-east-1"}
    assert decision(document, "iam:CreateRole", stack, role) == "Deny"
    assert decision(document, "iam:CreateRole", {**stack, **bounded}, role) == ""
    assert decision(document, "iam:CreateRole", stack, "arn:aws:iam::111122223333:role/another-team") == ""


def test_the_boundary_leaves_every_role_what_its_own_policy_grants() -> None:
    """A permission that the boundary takes away is a job that fails at night: the template would look right."""
    of = spec(logs={"aggregate": True}, database={"read_replicas": 1})
    boundary = strip_comments(boundary_document(of))
    used, bounded = [], []
    for stack in compose(of).stacks:
        for name, resource in strip_comments(stack.document)["Resources"].items():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            properties = resource["Properties"]
            bounded.append((stack.kind, name, "PermissionsBoundary" in properties))
            for item in properties.get("Policies", []):
                for statement in item["PolicyDocument"]["Statement"]:
                    if statement["Effect"] == "Allow":
                        actions = statement["Action"]
                        used += [
                            (stack.kind, name, action)
                            for action in ([actions] if isinstance(actions, str) else actions)
                        ]
    assert len(bounded) > 5
    assert [item for item in bounded if not item[2]] == []
    as_break_glass = {
        **AT_HOME,
        "aws:PrincipalArn": "arn:aws:iam::111122223333:role/orders-production-break-glass-us-east-1",
    }
    assert [item for item in used if decision(boundary, item[2], as_break_glass) != "Allow"] == []


@pytest.mark.validators
def test_every_action_exists_and_knows_the_keys_of_its_conditions() -> None:
    """A deny on a key that the action does not have denies nothing, and nothing else would say so."""
    authorization = service_authorization()
    for document in (boundary_document(spec()), scp_document(spec())):
        for statement in strip_comments(document)["Statement"]:
            own_keys = {
                key
                for condition in statement.get("Condition", {}).values()
                for key in condition
                if not key.startswith("aws:")
            }
            for action in statement.get("Action", statement.get("NotAction")):
                keys = authorization.keys_of(action)
                assert keys is not None, f"{action} does not exist"
                assert own_keys <= keys, f"{action} does not know {own_keys - keys}"


def test_both_documents_fit_into_awss_quotas() -> None:
    """IAM counts a managed policy without white space, Organizations an SCP with all of it (their quota pages)."""
    longest = spec(**LONGEST)
    compact = json.dumps(strip_comments(boundary_document(longest)), separators=(",", ":"))
    assert len(compact) <= 6144
    assert len(scp_json(longest)) <= 5120
    assert json.loads(scp_json(longest))["Version"] == "2012-10-17"
