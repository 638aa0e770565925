"""Secrets: one copy in each region under its own key, and nobody reads what it does not need."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bicoastal.blueprint.grants import Grant
from bicoastal.blueprint.secrets import Secrets, local_arn
from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.manifest import FromOutput
from bicoastal.cfn.reader import parse_template
from bicoastal.cfn.resolve import Evaluator
from tests.support.database import build_secrets
from tests.support.specs import spec

SECRET_TYPE = "AWS::SecretsManager::Secret"
VARIABLE = st.from_regex(r"[A-Z_][A-Z0-9_]{0,12}", fullmatch=True)


def properties(secrets: Secrets) -> dict[str, dict[str, object]]:
    resources = strip_comments(secrets.stack.document["Resources"])
    return {name: body["Properties"] for name, body in resources.items() if body["Type"] == SECRET_TYPE}


def statements(secrets: Secrets, grants: tuple[Grant, ...]) -> str:
    stack = Stack(secrets.stack.spec, "access", "roles")
    return json.dumps([grant.statement(stack) for grant in grants])


def test_each_secret_has_a_copy_in_the_standby_under_the_standbys_key() -> None:
    secrets = build_secrets(spec(app={"command": "serve", "secrets": ["SIGNING_KEY"]}))
    found = properties(secrets)
    assert len(found) == 5
    for secret in found.values():
        assert secret["KmsKeyId"] == {"Ref": "HomeDataKeyArn"}
        assert secret["ReplicaRegions"] == [
            {"Region": {"Ref": "StandbyRegion"}, "KmsKeyId": {"Ref": "StandbyDataKeyArn"}}
        ]
    assert secrets.stack.sources["us-east-1"]["HomeDataKeyArn"] == FromOutput("foundation/us-east-1", "DataKeyArn")
    assert secrets.stack.sources["us-east-1"]["StandbyDataKeyArn"] == FromOutput("foundation/us-west-2", "DataKeyArn")
    assert secrets.stack.regions == ("us-east-1",)


def test_passwords_are_generated_and_fit_into_a_url() -> None:
    found = properties(build_secrets(spec()))
    usernames = set()
    for secret in found.values():
        generated = secret["GenerateSecretString"]
        assert generated["ExcludePunctuation"] is True  # type: ignore[index]
        assert generated["PasswordLength"] >= 32  # type: ignore[index]
        assert generated["GenerateStringKey"] == "password"  # type: ignore[index]
        usernames.add(json.loads(generated["SecretStringTemplate"])["username"])  # type: ignore[index]
    assert usernames == {"bicoastal_admin", "owner", "app", "kit"}, "the kit's names are fixed; see docs/kit.md"
    assert all(1 <= len(name) <= 16 for name in usernames), "the longest master user name that RDS takes"


def test_the_applications_secrets_are_created_without_a_value() -> None:
    secrets = build_secrets(spec(app={"command": "serve", "secrets": ["SIGNING_KEY"]}))
    (secret,) = (item for item in properties(secrets).values() if item["Name"] == "orders-production/app/SIGNING_KEY")
    assert not secret.keys() & {"SecretString", "GenerateSecretString"}
    assert secrets.application["SIGNING_KEY"].regions == ("us-east-1",)


def test_deleting_the_stack_deletes_no_secret() -> None:
    for body in strip_comments(build_secrets(spec()).stack.document["Resources"]).values():
        assert (body["DeletionPolicy"], body["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_the_fleet_reads_no_secret_of_master_or_owner() -> None:
    secrets = build_secrets(spec(app={"command": "serve", "secrets": ["SIGNING_KEY"]}))
    fleet = statements(secrets, secrets.fleet_grants)
    for allowed in ("AppCredentialsArn", "KitCredentialsArn", "database/app-", "database/kit-", "app/SIGNING_KEY-"):
        assert allowed in fleet
    for denied in ("Master", "Owner", "database/master", "database/owner", '"*"'):
        assert denied not in fleet
    bootstrap = statements(secrets, secrets.bootstrap_grants)
    assert all(name in bootstrap for name in ("MasterCredentialsArn", "OwnerCredentialsArn", "database/master-"))


def test_the_key_opens_for_these_secrets_only_and_through_secrets_manager_only() -> None:
    secrets = build_secrets(spec())
    stack = Stack(secrets.stack.spec, "access", "roles")
    (decrypt,) = (
        statement
        for statement in (grant.statement(stack) for grant in secrets.fleet_grants)
        if statement["Action"] == ["kms:Decrypt"]
    )
    assert decrypt["Resource"] == [{"Ref": "DataKeyArn"}]
    assert decrypt["Condition"]["StringEquals"]["kms:ViaService"] == {
        "Fn::Sub": "secretsmanager.${AWS::Region}.amazonaws.com"
    }
    names = decrypt["Condition"]["StringLike"]["kms:EncryptionContext:SecretARN"]
    assert [item["Fn::Sub"].rpartition(":secret:")[2] for item in names] == [
        "orders-production/database/app-??????",
        "orders-production/database/kit-??????",
    ]


def test_a_region_reads_its_own_copy() -> None:
    secrets = build_secrets(spec())
    stack = Stack(secrets.stack.spec, "service", "servers")
    stack.output("Arn", local_arn(stack, secrets.app_secret_arn), "where it is")
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders-production/database/app-AbCdEf"
    for region in ("us-east-1", "us-west-2"):
        evaluator = Evaluator(
            parse_template(stack.to_yaml(), "service.yaml"),
            stack="service",
            stack_name="service",
            region=region,
            parameters={"AppCredentialsArn": lambda: arn},
        )
        found = str(evaluator.value(evaluator.outputs["Arn"]["Value"]))
        assert (
            found == f"arn:aws:secretsmanager:{region}:${{AWS::AccountId}}:secret:orders-production/database/app-AbCdEf"
        )


@given(st.lists(VARIABLE, unique=True, max_size=8))
def test_any_variables_have_names_of_their_own_that_do_not_look_like_a_password(variables: list[str]) -> None:
    reserved = {"HOST", "PORT"}
    names = [name for name in variables if name not in reserved]
    secrets = build_secrets(spec().model_copy(update={"app": spec().app.model_copy(update={"secrets": tuple(names)})}))
    assert list(secrets.application) == names
    assert len(properties(secrets)) == 4 + len(names)
    for output in secrets.application.values():
        assert output.name.isalnum()
        assert not any(word in output.name.lower() for word in ("secret", "password", "passphrase"))
