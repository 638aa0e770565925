"""Who can do what, by evaluating the policies: a small IAM (tests.support.iam) answers for each request."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.blueprint.access.responder import RESPONDER_USER
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.cfn.deployment import Deployment
from tests.support.deployed import cloud_config, deployed, of_type, plain
from tests.support.iam import Request, allowed
from tests.support.specs import spec

Json = Any
HERE = "us-east-1:${AWS::AccountId}"
INSTANCE = f"arn:aws:ec2:{HERE}:instance/i-0123456789abcdef0"
DOCUMENT = f"arn:aws:ssm:{HERE}:document/"
REGION = {"aws:RequestedRegion": "us-east-1"}
FLEET = {"aws:ResourceTag/application": "orders", "aws:ResourceTag/environment": "production"}
DEPLOYED = deployed(spec())
ADMINISTRATOR = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def role(name: str, kind: str = "access", deployment: Deployment = DEPLOYED) -> list[Json]:
    resource = deployment.stacks[f"{kind}/us-east-1"].resources[name]
    return [policy["PolicyDocument"] for policy in plain(resource.get("Policies"))]


def boundary() -> Json:
    return plain(DEPLOYED.stacks["foundation/us-east-1"].resources["Boundary"].get("PolicyDocument"))


def may(identity: list[Json], action: str, resource: str = "*", **context: str | list[str]) -> bool:
    keys = {**REGION, **{key.replace("__", ":").replace("_s_", "/"): value for key, value in context.items()}}
    return allowed(Request(action, resource, keys), identity, boundary())


def ask(identity: list[Json], action: str, resource: str, context: dict[str, Any]) -> bool:
    return allowed(Request(action, resource, {**REGION, **context}), identity, boundary())


# The responder.

RESPONDER = role("ResponderRole")
OPEN = {f"ssm:resourceTag/{EMERGENCY_TAG}": "11112222-3333", "ssm:SessionDocumentAccessCheck": "true"}


@pytest.mark.parametrize("document", ["orders-production-open-access", "orders-production-close-access"])
def test_a_responder_starts_our_two_documents(document: str) -> None:
    assert may(RESPONDER, "ssm:StartAutomationExecution", f"{DOCUMENT}{document}")
    assert may(RESPONDER, "ssm:StartAutomationExecution", f"arn:aws:ssm:{HERE}:automation-definition/{document}:1")


@pytest.mark.parametrize(
    "document",
    ["AWS-RunShellScript", "orders-production-bootstrap", "orders-production-in-region-failover", "orders-production"],
)
def test_and_no_other(document: str) -> None:
    assert not may(RESPONDER, "ssm:StartAutomationExecution", f"{DOCUMENT}{document}")


def test_a_session_needs_the_tag_and_our_document() -> None:
    ours, default = f"{DOCUMENT}orders-production-emergency-session", f"{DOCUMENT}SSM-SessionManagerRunShell"
    assert ask(RESPONDER, "ssm:StartSession", INSTANCE, OPEN)
    assert ask(RESPONDER, "ssm:StartSession", ours, OPEN)
    assert not ask(RESPONDER, "ssm:StartSession", INSTANCE, {"ssm:SessionDocumentAccessCheck": "true"}), "no tag"
    assert not ask(RESPONDER, "ssm:StartSession", INSTANCE, {**OPEN, f"ssm:resourceTag/{EMERGENCY_TAG}": ""})
    assert not ask(RESPONDER, "ssm:StartSession", INSTANCE, {**OPEN, "ssm:SessionDocumentAccessCheck": "false"})
    for other in (default, f"{DOCUMENT}AWS-StartPortForwardingSession", f"{DOCUMENT}AWS-StartSSHSession"):
        assert not ask(RESPONDER, "ssm:StartSession", other, OPEN)


def test_a_responder_ends_and_resumes_sessions_of_its_own_only() -> None:
    session = f"arn:aws:ssm:{HERE}:session/ann-0a1b2c3d"
    for action in ("ssm:ResumeSession", "ssm:TerminateSession"):
        own = {"aws:userid": "AROA1:ann", "ssm:resourceTag/aws:ssmmessages:session-id": "AROA1:ann"}
        assert ask(RESPONDER, action, session, own)
        assert not ask(RESPONDER, action, session, {**own, "aws:userid": "AROA1:bob"})


@pytest.mark.parametrize(
    "action",
    [
        "ssm:StopAutomationExecution",
        "ssm:SendAutomationSignal",
        "ssm:SendCommand",
        "ssm:UpdateDocument",
        "ssm:UpdateDocumentDefaultVersion",
        "scheduler:DeleteSchedule",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "ec2-instance-connect:SendSSHPublicKey",
    ],
)
def test_what_a_responder_never_does_stays_denied_beside_an_administrators_policy(action: str) -> None:
    assert not may([*RESPONDER, ADMINISTRATOR], action, INSTANCE)


@pytest.mark.parametrize(
    "action", ["ssm:GetParameter", "secretsmanager:GetSecretValue", "sts:AssumeRole", "s3:GetObject"]
)
def test_a_responder_reads_no_data(action: str) -> None:
    assert not may(RESPONDER, action)


def test_a_responder_passes_the_two_roles_to_automation_only() -> None:
    opener = "${access/us-east-1/BreakGlassOpenRole.Arn}"
    # The boundary sees the real ARN, which has a name here: only the role's own policy is asked.
    to_ssm = {"iam:PassedToService": "ssm.amazonaws.com"}
    assert allowed(Request("iam:PassRole", opener, to_ssm), RESPONDER)
    assert not allowed(Request("iam:PassRole", opener, {"iam:PassedToService": "ec2.amazonaws.com"}), RESPONDER)
    assert not allowed(Request("iam:PassRole", "${access/us-east-1/InstanceRole.Arn}", to_ssm), RESPONDER)


def trust(*responders: str) -> list[Json]:
    deployment = deployed(spec(emergency={"responders": list(responders)}))
    document = deployment.stacks["access/us-east-1"].resources["ResponderRole"].get("AssumeRolePolicyDocument")
    return list(plain(document)["Statement"])


def test_people_come_with_mfa() -> None:
    ann = "arn:aws:iam::111122223333:user/ann"
    (statement,) = trust(ann)
    assert statement["Principal"] == {"AWS": [ann]}
    assert statement["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def test_without_responders_only_this_account_is_trusted_and_with_mfa() -> None:
    (statement,) = trust()
    assert statement["Principal"] == {"AWS": "arn:aws:iam::${AWS::AccountId}:root"}
    assert "aws:MultiFactorAuthPresent" in statement["Condition"]["Bool"]


def test_a_role_is_not_locked_out_by_a_key_that_its_sessions_never_carry() -> None:
    on_call = "arn:aws:iam::111122223333:role/on-call"
    (statement,) = trust(on_call)
    assert statement["Principal"] == {"AWS": [on_call]}
    assert statement["Condition"] == {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}


# The tag.


def roles_in_both_regions() -> dict[str, list[Json]]:
    return {
        str(resource): [policy["PolicyDocument"] for policy in plain(resource.get("Policies", default=[]))]
        for stack in DEPLOYED.stacks.values()
        for resource in of_type(stack, "AWS::IAM::Role").values()
    }


TAGGING = {
    "aws:TagKeys": [EMERGENCY_TAG],
    "aws:RequestTag/application": "orders",
    "ec2:CreateAction": "RunInstances",
    **FLEET,
}


def test_of_all_roles_only_break_glass_sets_the_tag() -> None:
    able = {
        name
        for name, documents in roles_in_both_regions().items()
        for region in ("us-east-1", "us-west-2")
        if ask(documents, "ec2:CreateTags", INSTANCE.replace("us-east-1", region), _as(name, region))
    }
    assert able == {f"access/{region}/BreakGlassOpenRole" for region in ("us-east-1", "us-west-2")}


def _as(name: str, region: str) -> dict[str, Any]:
    """The context of a tagging request by that role."""
    stack, logical_id = name.rsplit("/", 1)
    role_name = plain(DEPLOYED.stacks[stack].resources[logical_id].get("RoleName")) or f"made-up-{logical_id}"
    arn = f"arn:aws:iam::111122223333:role/{role_name}"
    return {**TAGGING, "aws:PrincipalArn": arn, "aws:RequestedRegion": region}


def test_the_boundary_denies_it_to_a_role_that_gets_administrators_rights() -> None:
    stranger = {**TAGGING, "aws:PrincipalArn": "arn:aws:iam::111122223333:role/orders-production-instance-us-east-1"}
    for action in ("ec2:CreateTags", "ec2:DeleteTags", "autoscaling:CreateOrUpdateTags"):
        assert not ask([ADMINISTRATOR], action, INSTANCE, stranger)
    assert ask([ADMINISTRATOR], "ec2:CreateTags", INSTANCE, {**stranger, "aws:TagKeys": ["other"]})


def test_break_glass_tags_our_instances_with_that_key_alone() -> None:
    opener = role("BreakGlassOpenRole")
    me = {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/orders-production-break-glass-open-us-east-1"}
    assert ask(opener, "ec2:CreateTags", INSTANCE, {**TAGGING, **me})
    assert not ask(opener, "ec2:CreateTags", INSTANCE, {**TAGGING, **me, "aws:TagKeys": [EMERGENCY_TAG, "application"]})
    assert not ask(opener, "ec2:CreateTags", INSTANCE, {**TAGGING, **me, "aws:ResourceTag/application": "billing"})


# The fleet's instances.

FLEET_ROLE = role("InstanceRole")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ssm:UpdateInstanceInformation", INSTANCE),
        ("ssmmessages:OpenDataChannel", "*"),
        ("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/orders-production/application:log-stream:i-1"),
        ("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/orders-production/sessions:log-stream:i-1"),
        ("cloudformation:SignalResource", f"arn:aws:cloudformation:{HERE}:stack/orders-production-service/1a2b"),
        ("s3:GetObject", "${foundation/us-east-1/ArtifactBucket.Arn}/kits/0f3a.tar.gz"),
    ],
)
def test_an_instance_can(action: str, resource: str) -> None:
    assert may(FLEET_ROLE, action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/anything"),
        ("s3:GetObject", "${foundation/us-east-1/ArtifactBucket.Arn}/bootstrap/i-1/outcome"),
        ("s3:PutObject", "${foundation/us-east-1/ArtifactBucket.Arn}/kits/0f3a.tar.gz"),
        ("logs:PutLogEvents", f"arn:aws:logs:{HERE}:log-group:/orders-production/trail:log-stream:x"),
        ("logs:CreateLogGroup", f"arn:aws:logs:{HERE}:log-group:/orders-production/new"),
        ("cloudformation:SignalResource", f"arn:aws:cloudformation:{HERE}:stack/orders-production-database/1a2b"),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{HERE}:stack/orders-production-service/1a2b"),
        ("kms:Decrypt", "${foundation/us-east-1/DataKey.Arn}"),
    ],
)
def test_an_instance_cannot(action: str, resource: str) -> None:
    assert not may(FLEET_ROLE, action, resource)


@pytest.mark.parametrize(
    "action",
    [
        "iam:PassRole",
        "iam:PutRolePolicy",
        "sts:AssumeRole",
        "ec2:AssociateIamInstanceProfile",
        "ec2:ModifyInstanceMetadataOptions",
        "ec2:RunInstances",
        "ec2:CreateTags",
        "ssm:StartAutomationExecution",
        "ssm:SendCommand",
        "ssm:StartSession",
    ],
)
def test_an_instance_never_raises_or_tags_itself_beside_an_administrators_policy(action: str) -> None:
    for name, kind in (("InstanceRole", "access"), ("BootstrapRole", "bootstrap")):
        assert not may([*role(name, kind), ADMINISTRATOR], action, INSTANCE)


def test_metrics_go_into_our_namespace_only() -> None:
    for namespace, answer in (("Bicoastal/orders-production", True), ("Bicoastal/orders-production/security", False)):
        assert ask(FLEET_ROLE, "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": namespace}) is answer


def secret(name: str, context: str = "secretsmanager.us-east-1.amazonaws.com") -> dict[str, str]:
    return {
        "kms:ViaService": context,
        "kms:EncryptionContext:SecretARN": f"arn:aws:secretsmanager:{HERE}:secret:{name}-AbCdEf",
    }


@pytest.mark.parametrize("name", ["master", "owner"])
def test_an_instance_of_the_fleet_decrypts_no_secret_of_the_bootstrap(name: str) -> None:
    key = "${foundation/us-east-1/DataKey.Arn}"
    context = secret(f"orders-production/database/{name}")
    assert not ask(FLEET_ROLE, "kms:Decrypt", key, context)
    assert ask(role("BootstrapRole", "bootstrap"), "kms:Decrypt", key, context)


def test_every_role_is_bounded_and_named_by_its_region() -> None:
    for stack in DEPLOYED.stacks.values():
        for name, resource in of_type(stack, "AWS::IAM::Role").items():
            assert resource.get("PermissionsBoundary"), f"{stack.id}/{name}"
    for kind in ("access", "bootstrap"):
        for resource in of_type(DEPLOYED.stacks[f"{kind}/us-west-2"], "AWS::IAM::Role").values():
            name = plain(resource.get("RoleName"))
            assert name.endswith("-us-west-2")
            assert len(name) <= 64


def test_the_longest_names_that_a_spec_allows_fit_iam() -> None:
    longest = spec(
        name="a" * 16,
        environment="b" * 12,
        regions={
            "ap-southeast-2": {"role": "home", "cidr": "10.10.0.0/16"},
            "ap-northeast-1": {"role": "standby", "cidr": "10.20.0.0/16"},
        },
    )
    for stack in deployed(longest).stacks.values():
        for resource in of_type(stack, "AWS::IAM::Role").values():
            assert len(plain(resource.get("RoleName", default=""))) <= 64


def test_sessions_run_as_a_user_that_user_data_creates() -> None:
    document = DEPLOYED.stacks["access/us-east-1"].resources["EmergencySessionDocument"]
    inputs = plain(document.get("Content", "inputs"))
    assert inputs["runAsDefaultUser"] == RESPONDER_USER
    template = DEPLOYED.stacks["service/us-east-1"].resources["LaunchTemplate"]
    (user,) = [user for user in cloud_config(template)["users"] if user["name"] == RESPONDER_USER]
    assert user["lock_passwd"] is True
    assert "ssh_authorized_keys" not in user


def test_sessions_are_bounded_streamed_and_encrypted() -> None:
    stack = deployed(spec(emergency={"max_minutes": 30})).stacks["access/us-east-1"]
    content = plain(stack.resources["EmergencySessionDocument"].get("Content"))
    assert content["sessionType"] == "Standard_Stream", "a port session would forward, not be recorded"
    assert content["inputs"]["maxSessionDuration"] == "30"
    assert int(content["inputs"]["idleSessionTimeout"]) <= 10
    assert content["inputs"]["cloudWatchEncryptionEnabled"] is True
    assert content["inputs"]["cloudWatchStreamingEnabled"] is True
    assert content["inputs"]["cloudWatchLogGroupName"] == "${access/us-east-1/SessionLog}"
    assert stack.resources["SessionLog"].get("KmsKeyId") is not None
