"""IAM is enforced: an instance's session may do what its role and its boundary let it, and nothing else."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.twin.cloud.process import ask
from tests.support.cloudformation import Account, Walker, client

HOME, STANDBY = "us-east-1", "us-west-2"


def _session(walker: Walker, role: str, service: str) -> dict[str, str]:
    arn = f"arn:aws:iam::{walker.account.endpoint.account}:role/{role}"
    found = ask(walker.account.endpoint, "sessions", {"role": arn, "service": service, "name": "i-0123456789abcdef0"})
    return dict(found)


def _as(walker: Walker, session: dict[str, str], service: str, region: str) -> Any:
    return client(
        walker.account.endpoint.url,
        session["AccessKeyId"],
        session["SecretAccessKey"],
        session["SessionToken"],
        service=service,
        region=region,
    )


@pytest.fixture(scope="module")
def instance(standing: Walker) -> dict[str, str]:
    return _session(standing, f"orders-production-instance-{STANDBY}", "ec2.amazonaws.com")


def test_an_instance_is_its_role(standing: Walker, instance: dict[str, str]) -> None:
    arn = _as(standing, instance, "sts", STANDBY).get_caller_identity()["Arn"]
    assert arn.endswith(f":assumed-role/orders-production-instance-{STANDBY}/i-0123456789abcdef0")


def test_an_instance_reads_its_secrets_and_no_others(standing: Walker, instance: dict[str, str]) -> None:
    secrets = _as(standing, instance, "secretsmanager", STANDBY)
    found = json.loads(secrets.get_secret_value(SecretId=_arn(standing, "app"))["SecretString"])
    assert found["username"]
    with pytest.raises(ClientError, match="AccessDenied"):
        secrets.get_secret_value(SecretId=_arn(standing, "master"))


def _arn(walker: Walker, name: str) -> str:
    secrets = walker.account.client("secretsmanager", STANDBY).list_secrets()["SecretList"]
    return next(str(item["ARN"]) for item in secrets if item["Name"].endswith(f"/{name}"))


def test_an_instance_changes_no_database_and_no_role(standing: Walker, instance: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        _as(standing, instance, "rds", STANDBY).modify_db_instance(
            DBInstanceIdentifier="orders-production-db-g1", DeletionProtection=False
        )
    with pytest.raises(ClientError, match="AccessDenied"):
        _as(standing, instance, "iam", HOME).list_roles()


def test_the_boundary_keeps_a_role_in_the_declared_regions(standing: Walker, account: Account) -> None:
    """Whatever a policy of the role says."""
    role = f"orders-production-instance-{STANDBY}"
    iam = account.client("iam")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="too-much", PolicyDocument=json.dumps(allow))
    session = _session(standing, role, "ec2.amazonaws.com")
    with pytest.raises(ClientError, match="AccessDenied"):
        _as(standing, session, "s3", "eu-west-1").create_bucket(
            Bucket="elsewhere", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
    iam.delete_role_policy(RoleName=role, PolicyName="too-much")


def test_a_role_gives_nothing_to_a_service_that_it_does_not_trust(standing: Walker) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        _session(standing, f"orders-production-instance-{STANDBY}", "ssm.amazonaws.com")


def test_a_wrong_signature_is_refused(standing: Walker, instance: dict[str, str]) -> None:
    forged = {**instance, "SecretAccessKey": "guessed"}
    with pytest.raises(ClientError, match="InvalidSignatureException"):
        _as(standing, forged, "secretsmanager", STANDBY).list_secrets()
