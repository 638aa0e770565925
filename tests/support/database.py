"""The database and secrets stacks over outputs that nobody made: what the concern does, without the ones before it."""

from __future__ import annotations

from bicoastal.blueprint.database import Database, DatabaseInputs, database
from bicoastal.blueprint.secrets import Secrets, secrets
from bicoastal.blueprint.stack import Output
from bicoastal.spec.model import Spec


def output(spec: Spec, kind: str, name: str, type_: str = "String") -> Output:
    """An output of a stack that stands in both regions."""
    return Output(kind, name, type_, name, (spec.home, spec.standby))


def build_secrets(spec: Spec) -> Secrets:
    """The secrets of a spec."""
    return secrets(spec, output(spec, "foundation", "DataKeyArn"))


def build_database(spec: Spec) -> Database:
    """The database of a spec."""
    return database(
        spec,
        DatabaseInputs(
            data_key_arn=output(spec, "foundation", "DataKeyArn"),
            logs_key_arn=output(spec, "foundation", "LogsKeyArn"),
            alert_topic_arn=output(spec, "foundation", "AlertTopicArn"),
            boundary_arn=output(spec, "foundation", "BoundaryArn"),
            data_subnets=output(spec, "network", "DataSubnets", "List<AWS::EC2::Subnet::Id>"),
            database_group=output(spec, "network", "DatabaseGroup", "AWS::EC2::SecurityGroup::Id"),
            secrets=build_secrets(spec),
        ),
    )
