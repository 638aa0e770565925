"""A person with a device of codes, who may assume a role that demands one."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from bicoastal.aws.session import Session
from bicoastal.twin.cloud.codes import code

_REGION = "us-east-1"
_STEP_S = 30


@dataclass(frozen=True)
class Person:
    """One."""

    name: str
    url: str
    session: Session
    """With the long-term key: what can be done without a code."""
    device: str
    seed: str

    def assumes(self, role: str) -> dict[str, str]:
        """With a code, by the region's own endpoint; returns the variables that AWS's tools read."""
        found = self.session.client("sts", _REGION).assume_role(
            RoleArn=role, RoleSessionName=self.name, SerialNumber=self.device, TokenCode=code(self.seed)
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
            "AWS_SESSION_TOKEN": found["SessionToken"],
        }

    def with_role(self, role: str) -> Session:
        """The same as a session."""
        return Session.at(self.url, *self.assumes(role).values(), attempts=2)


def person(url: str, root: Session, name: str, *roles: str) -> Person:
    """A new user, whose device is enabled and whose one right is to assume these roles."""
    iam = root.client("iam", _REGION)
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": list(roles)}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName=name, PolicyName="responds", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    seed, now = device["Base32StringSeed"].decode(), time.time()
    iam.enable_mfa_device(
        UserName=name,
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=code(seed, now - _STEP_S),
        AuthenticationCode2=code(seed, now),
    )
    session = Session.at(url, key["AccessKeyId"], key["SecretAccessKey"], attempts=2)
    return Person(name, url, session, device["SerialNumber"], seed)
