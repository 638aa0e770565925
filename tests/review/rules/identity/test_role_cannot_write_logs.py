"""Logs that a role may not write are lost, and with them what an incident is understood by."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, ROLE, VPC

RULE = "role-cannot-write-logs"
AGENT = """cat > /opt/agent.json <<EOF
        {"logs": {"logs_collected": {"files": {"collect_list": [
          {"file_path": "/a", "log_group_name": "/shop/web"}
        ]}}}}
        EOF"""


def test_another_group() -> None:
    (text,) = said(
        RULE,
        VPC
        + BALANCER
        + FLEET.replace(
            "SecurityGroupIds", "IamInstanceProfile: {Arn: !GetAtt Profile.Arn}\n      SecurityGroupIds"
        ).replace("/opt/app/serve --port 8080", AGENT)
        + ROLE.replace(
            "STATEMENT", '{Effect: Allow, Action: logs:PutLogEvents, Resource: "arn:aws:logs:*:*:log-group:/other:*"}'
        ),
    )
    assert text.startswith("error: Template writes to /shop/web, and Role may not logs:PutLogEvents there.")


def test_its_own() -> None:
    assert (
        said(
            RULE,
            VPC
            + BALANCER
            + FLEET.replace(
                "SecurityGroupIds", "IamInstanceProfile: {Arn: !GetAtt Profile.Arn}\n      SecurityGroupIds"
            ).replace("/opt/app/serve --port 8080", AGENT)
            + ROLE.replace(
                "STATEMENT",
                '{Effect: Allow, Action: "logs:*", Resource: "arn:aws:logs:*:123456789012:log-group:/shop/*"}',
            ),
        )
        == []
    )


def test_a_policy_of_somebody_else_may_allow_it() -> None:
    assert (
        said(
            RULE,
            (
                VPC
                + BALANCER
                + FLEET.replace(
                    "SecurityGroupIds", "IamInstanceProfile: {Arn: !GetAtt Profile.Arn}\n      SecurityGroupIds"
                ).replace("/opt/app/serve --port 8080", AGENT)
                + ROLE.replace("STATEMENT", '{Effect: Allow, Action: s3:GetObject, Resource: "*"}')
            ).replace(
                "    Policies:\n", '    ManagedPolicyArns: ["arn:aws:iam::123456789012:policy/theirs"]\n    Policies:\n'
            ),
        )
        == []
    )
