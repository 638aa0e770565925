"""Who gets in, in an emergency: a user with a device of codes, who assumes the responders' role and has no other right.

He types Bicoastal's commands as the operator does, and opens sessions by AWS's API and its data channel.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping

from bicoastal.aws.faults import DENIED, ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.drill.operator import Operator
from bicoastal.drill.stage import Stage
from bicoastal.twin.automation.channel import Client
from bicoastal.twin.cloud.codes import STEP_S, code

_GLOBAL = "us-east-1"


class Responder:
    """One, of a region."""

    def __init__(self, stage: Stage, region: str) -> None:
        """Sign in, with a code. Raises SystemFault."""
        self._region = region
        self._document = f"{stage.script.name}-emergency-session"
        self.name = f"drill-responder-{secrets.token_hex(4)}"
        found = _assumed(stage, region, self.name)
        self.session = Session.at(stage.twin.endpoint.url, *found.values(), attempts=2)
        self.keyboard = Operator(stage, region, found)

    def enters(self, instance: str) -> Client:
        """A session. Raises ApiFault where AWS says no, SystemFault where the channel does."""
        with aws_faults(f"starting a session with {instance}"):
            found = self.session.client("ssm", self._region).start_session(Target=instance, DocumentName=self._document)
        return Client(found["StreamUrl"], found["TokenValue"])

    def refusals(self, instance: str) -> dict[str, bool]:
        """Whether AWS denies each way in: the session, another session document, a command, the tag."""
        ssm, ec2 = self.session.client("ssm", self._region), self.session.client("ec2", self._region)
        return {
            "the session": _denied(lambda: ssm.start_session(Target=instance, DocumentName=self._document)),
            "another session document": _denied(lambda: ssm.start_session(Target=instance)),
            "a command": _denied(
                lambda: ssm.send_command(
                    DocumentName="AWS-RunShellScript", InstanceIds=[instance], Parameters={"commands": ["id"]}
                )
            ),
            "the tag": _denied(
                lambda: ec2.create_tags(
                    Resources=[instance], Tags=[{"Key": "bicoastal:emergency-access", "Value": self.name}]
                )
            ),
        }


def _denied(ask: Callable[[], object]) -> bool:
    try:
        with aws_faults("trying a way in"):
            ask()
    except ApiFault as fault:
        return fault.code in DENIED
    return False


def _assumed(stage: Stage, region: str, name: str) -> Mapping[str, str]:
    """Credentials of the role, in the order of a session's arguments."""
    iam = stage.session.client("iam", _GLOBAL)
    endpoint = stage.twin.endpoint
    with aws_faults("making a responder"):
        role = iam.get_role(RoleName=f"{stage.script.name}-emergency-responder-{region}")["Role"]["Arn"]
        iam.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}
        document = json.dumps({"Version": "2012-10-17", "Statement": statement})
        iam.put_user_policy(UserName=name, PolicyName="responds", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        serial, seed, now = device["SerialNumber"], device["Base32StringSeed"].decode(), time.time()
        iam.enable_mfa_device(
            UserName=name,
            SerialNumber=serial,
            AuthenticationCode1=code(seed, now - STEP_S),
            AuthenticationCode2=code(seed, now),
        )
        person = Session.at(endpoint.url, key["AccessKeyId"], key["SecretAccessKey"], attempts=2)
        found = person.client("sts", region).assume_role(
            RoleArn=role, RoleSessionName=name, SerialNumber=serial, TokenCode=code(seed)
        )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": found["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
        "AWS_SESSION_TOKEN": found["SessionToken"],
    }
