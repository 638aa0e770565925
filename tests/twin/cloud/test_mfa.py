"""A role that demands multi-factor authentication is assumed with the right code of one's own device, and not else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.aws.session import Session
from bicoastal.twin.cloud.codes import code
from bicoastal.twin.cloud.process import Cloud
from tests.support.mfa import Person, person

DENIED = "AccessDenied"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Cloud(tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture(scope="module")
def root(cloud: Cloud) -> Session:
    endpoint = cloud.endpoint
    return Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key)


@pytest.fixture(scope="module")
def role(root: Session) -> str:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": trust})
    made = root.client("iam", "us-east-1").create_role(RoleName="guarded", AssumeRolePolicyDocument=document)
    return str(made["Role"]["Arn"])


@pytest.fixture(scope="module")
def ann(cloud: Cloud, root: Session, role: str) -> Person:
    return person(cloud.endpoint.url, root, "ann", role)


def test_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, shortened to six digits."""
    seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    known = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}
    assert {at: code(seed, at) for at in known} == known


def test_the_right_code_assumes_the_role(ann: Person, role: str) -> None:
    session = ann.with_role(role)
    assert ":assumed-role/guarded/ann" in session.client("sts", "us-east-1").get_caller_identity()["Arn"]


def test_without_a_code_or_with_a_wrong_or_another_s_nobody_does(
    cloud: Cloud, root: Session, ann: Person, role: str
) -> None:
    sts = ann.session.client("sts", "us-east-1")
    with pytest.raises(ClientError, match=DENIED):
        sts.assume_role(RoleArn=role, RoleSessionName="ann")
    wrong = f"{(int(code(ann.seed)) + 1) % 1_000_000:06}"
    with pytest.raises(ClientError, match="invalid MFA one time pass code"):
        sts.assume_role(RoleArn=role, RoleSessionName="ann", SerialNumber=ann.device, TokenCode=wrong)
    bob = person(cloud.endpoint.url, root, "bob", role)
    with pytest.raises(ClientError, match="invalid MFA one time pass code"):
        bob.session.client("sts", "us-east-1").assume_role(
            RoleArn=role, RoleSessionName="bob", SerialNumber=ann.device, TokenCode=code(ann.seed)
        )
    with pytest.raises(ClientError, match=DENIED):
        root.client("sts", "us-east-1").assume_role(RoleArn=role, RoleSessionName="root")


def test_a_device_is_enabled_by_two_codes_in_a_row(root: Session) -> None:
    iam = root.client("iam", "us-east-1")
    iam.create_user(UserName="eve")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="eve")["VirtualMFADevice"]
    same = code(device["Base32StringSeed"].decode())
    with pytest.raises(ClientError, match="InvalidAuthenticationCode"):
        iam.enable_mfa_device(
            UserName="eve",
            SerialNumber=device["SerialNumber"],
            AuthenticationCode1=same,
            AuthenticationCode2=same,
        )
