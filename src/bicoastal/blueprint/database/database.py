"""The database stack, composed, and the parameters by which a failover and a rejoin move it.

Four live parameters say what the instance of this region is. `DatabaseRole` is the only one that a failover changes,
and `SourceDBInstanceIdentifier` is the only property that depends on it: taking it away promotes the replica in place,
and any second change beside it could replace the database (D2). The other three are changed together by `rejoin`, which
makes the next generation beside the old instance (D3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.database.alarms import add_alarms
from bicoastal.blueprint.database.instance import (
    ORIGIN_NEW,
    ORIGIN_REPLICA,
    ROLE_PRIMARY,
    ROLE_REPLICA,
    add_instance,
    add_read_replicas,
    named,
)
from bicoastal.blueprint.database.monitoring import add_log_groups, add_monitoring_role
from bicoastal.blueprint.database.parameters import add_parameter_group
from bicoastal.blueprint.secrets import Secrets
from bicoastal.blueprint.stack import Output, Stack
from bicoastal.cfn.intrinsics import all_of, equals, ref
from bicoastal.cfn.manifest import FromOutput
from bicoastal.spec.model import Spec

KIND: Final = "database"
_ARN_OUTPUT: Final = "DatabaseArn"


@dataclass(frozen=True)
class DatabaseInputs:
    """What the database takes from the stacks before it, each in its own region."""

    data_key_arn: Output
    """Encrypts storage, snapshots and Performance Insights."""
    logs_key_arn: Output
    alert_topic_arn: Output
    boundary_arn: Output
    data_subnets: Output
    """List of subnets without a route to the internet, one for each zone."""
    database_group: Output
    """Security group that says who may connect."""
    secrets: Secrets


@dataclass(frozen=True)
class Database:
    """The instance of a region as others reach it; every output follows the generation."""

    stack: Stack
    database_arn: Output
    database_host: Output
    database_port: Output
    database_id: Output


def database(spec: Spec, inputs: DatabaseInputs) -> Database:
    """The database stack of both regions."""
    stack = Stack(
        spec, KIND, "PostgreSQL: the primary or its cross-region replica, and what watches it.", protected=True
    )
    _live_parameters(stack)
    parameters = add_parameter_group(stack)
    logs = add_log_groups(stack, inputs.logs_key_arn)
    monitoring_role = add_monitoring_role(stack, inputs.boundary_arn)
    security_group, data_key = stack.input(inputs.database_group), stack.input(inputs.data_key_arn)
    instance = add_instance(
        stack,
        parameters,
        monitoring_role,
        logs,
        subnets=stack.input(inputs.data_subnets),
        security_group=security_group,
        data_key=data_key,
        secrets=inputs.secrets,
    )
    readers = add_read_replicas(
        stack, instance, parameters, monitoring_role, logs, security_group=security_group, data_key=data_key
    )
    add_alarms(stack, (instance, *readers), stack.input(inputs.alert_topic_arn))
    return Database(
        stack,
        stack.output(_ARN_OUTPUT, instance.att("DBInstanceArn"), "ARN of this region's instance."),
        stack.output("DatabaseHost", instance.att("Endpoint.Address"), "Host name of this region's instance."),
        stack.output("DatabasePort", instance.att("Endpoint.Port"), "TCP port of this region's instance."),
        stack.output("DatabaseId", named(stack), "Identifier of this region's instance: what its metrics carry."),
    )


def _live_parameters(stack: Stack) -> None:
    spec = stack.spec
    home, standby = spec.home, spec.standby
    stack.live(
        "DatabaseRole",
        {home: ROLE_PRIMARY, standby: ROLE_REPLICA},
        "What the instance is now. A failover changes this from replica to primary, and nothing else.",
        AllowedValues=[ROLE_PRIMARY, ROLE_REPLICA],
    )
    stack.live(
        "DatabaseOrigin",
        {home: ORIGIN_NEW, standby: ORIGIN_REPLICA},
        "How the instance of this generation was created; never changes within a generation.",
        AllowedValues=[ORIGIN_NEW, ORIGIN_REPLICA],
    )
    stack.live(
        "DatabaseGeneration",
        {home: "1", standby: "1"},
        "Counts the instances of this region. The next number makes a new one and retains the old one.",
        type_="Number",
        MinValue=1,
        MaxValue=9999,
    )
    stack.live(
        "SourceDatabaseArn",
        {home: "", standby: FromOutput(f"{KIND}/{home}", _ARN_OUTPUT)},
        "ARN of the primary that a replica follows. Read only while DatabaseRole is replica; keep it otherwise.",
        AllowedPattern="^$|^arn:[a-z-]+:rds:[a-z0-9-]+:[0-9]{12}:db:[A-Za-z0-9-]+$",
    )
    stack.condition("BornNew", equals(ref("DatabaseOrigin"), ORIGIN_NEW))
    # Both, so that nothing follows from the one mistake that could do harm: calling what was born new a replica.
    stack.condition(
        "IsReplica",
        all_of(equals(ref("DatabaseOrigin"), ORIGIN_REPLICA), equals(ref("DatabaseRole"), ROLE_REPLICA)),
    )
