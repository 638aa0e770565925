"""A person with a device of codes, who may assume a role that demands one."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from bicoastal.aws.session import Session
from bicoastal.twin.cloud.handlers.mfa import code
from bicoastal.twin.cloud.process import Endpoint

_REGION = "us-east-1"
_STEP_S = 30


@dataclass(frozen=True)
class Person:
    """One."""

    name: str
    endpoint: Endpoint
    session: Session
    """With the long-term key: what can be done without a code."""
    key: tuple[str, str]
    device: str
    seed: str

    def assumes(self, role: str) -> Session:
        """With a code, by the region's own endpoint."""
        found = self.session.client("sts", _REGION).assume_role(
            RoleArn=role, RoleSessionName=self.name, SerialNumber=self.device, TokenCode=code(self.seed)
        )["Credentials"]
        return Session.at(
            self.endpoint.url, found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], attempts=2
        )


def person(endpoint: Endpoint, root: Session, name: str, *roles: str) -> Person:
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
    pair = key["AccessKeyId"], key["SecretAccessKey"]
    return Person(name, endpoint, Session.at(endpoint.url, *pair, attempts=2), pair, device["SerialNumber"], seed)
