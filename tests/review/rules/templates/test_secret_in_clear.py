"""A password in a template is in its history, in the console, and in everybody's copy."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, DATABASE, FLEET, VPC

RULE = "secret-in-clear"


def test_written_out() -> None:
    (text,) = said(RULE, DATABASE.replace("MORE", "MasterUserPassword: hunter2hunter2"))
    assert text.startswith("error: MasterUserPassword of Database is written out.")


def test_a_parameters_default() -> None:
    head = "Parameters:\n  Secret: {Type: String, NoEcho: true, Default: wordpress}"
    (text,) = said(RULE, DATABASE.replace("MORE", "MasterUserPassword: !Ref Secret"), head=head)
    assert text.startswith("error: MasterUserPassword of Database is what Secret has by default")
    bare = head.replace(", Default: wordpress", "")
    assert said(RULE, DATABASE.replace("MORE", "MasterUserPassword: !Ref Secret"), head=bare) == []


def test_a_placeholder_that_nobody_can_take_for_one() -> None:
    head = 'Parameters:\n  Secret: {Type: String, Default: "<>"}'
    text = (
        'Credentials:\n  Type: AWS::SecretsManager::Secret\n  Properties: {SecretString: !Sub \'{"a": "${Secret}"}\'}'
    )
    assert said(RULE, text, head=head) == []
    assert len(said(RULE, text, head=head.replace("<>", "hunter2"))) == 1


def test_a_dynamic_reference() -> None:
    assert (
        said(RULE, DATABASE.replace("MORE", 'MasterUserPassword: "{{resolve:secretsmanager:a:SecretString:b}}"')) == []
    )


def test_in_a_script() -> None:
    (text,) = said(RULE, (VPC + BALANCER + FLEET).replace("/opt/app/serve", "API_KEY=0123456789abcdef /opt/app/serve"))
    assert text.startswith("error: User data of Template has API_KEY written out.")


def test_a_variable_in_a_script() -> None:
    assert said(RULE, (VPC + BALANCER + FLEET).replace("/opt/app/serve", "API_KEY=$KEY /opt/app/serve")) == []
