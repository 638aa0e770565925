"""The service stack on one page: which part needs which, and what the stack gives to others.

Live parameters, moved by operations and kept by `deploy`: Switch and ReadGate. Chosen ones: KitVersion,
ApplicationVersion and ImageId; each of these replaces the fleet in batches when it changes, so none may change by
itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.blueprint.access import Access
from bicoastal.blueprint.database import Database
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.network import Network
from bicoastal.blueprint.secrets import Secrets, local_arn
from bicoastal.blueprint.service.alarms import alarms
from bicoastal.blueprint.service.balancer import Balancer, balancer
from bicoastal.blueprint.service.capacity import Capacity, capacity
from bicoastal.blueprint.service.firewall import firewall
from bicoastal.blueprint.service.fleet import LOGICAL_ID, Fleet, fleet
from bicoastal.blueprint.service.kit_configuration import DatabaseAddress, kit_configuration
from bicoastal.blueprint.service.log_groups import log_groups
from bicoastal.blueprint.service.scaling import scaling
from bicoastal.blueprint.service.user_data import Filling, user_data
from bicoastal.blueprint.stack import Output, Stack, Where
from bicoastal.blueprint.zone import Zone
from bicoastal.cfn.intrinsics import Value
from bicoastal.spec.model import Flow, Spec

NO_ARTIFACT = "0" * 16
"""Stands for a version until `deploy` has uploaded one."""


@dataclass(frozen=True)
class Service:
    """What other concerns take from the service."""

    stack: Stack
    balancer_dns_name: Output
    balancer_zone_id: Output
    """The hosted zone that AWS keeps the balancer's own name in: for alias records."""
    balancer_full_name: Output
    """The balancer in its metrics."""
    target_group_full_name: Output
    """The application's target group in its metrics."""
    fleet_name: Output
    capacity: Capacity


def service(  # noqa: PLR0917 - the results of those above it, in the order of `stacks.compose`
    spec: Spec,
    foundation: Foundation,
    network: Network,
    access: Access,
    secrets: Secrets,
    database: Database,
    zone: Zone,
) -> Service:
    """The service stack of both regions."""
    stack = Stack(spec, "service", "Load balancer, web ACL, fleet and scaling.")
    topic = stack.input(foundation.alert_topic_arn)
    logs_key = stack.input(foundation.logs_key_arn)
    entry = balancer(
        stack,
        vpc=stack.input(network.vpc_id),
        subnets=stack.input(network.public_subnets),
        security_group=stack.input(network.balancer_group),
        log_bucket=stack.input(foundation.access_log_bucket),
        zone=zone.id_for(stack),
    )
    firewall(stack, entry, logs_key=logs_key)
    groups = log_groups(stack, logs_key=logs_key)
    instances = fleet(
        stack,
        entry,
        subnets=stack.input(network.app_subnets),
        security_group=stack.input(network.fleet_group),
        instance_profile=stack.input(access.instance_profile_arn),
        data_key=stack.input(foundation.data_key_arn),
        user_data=_user_data(stack, foundation, secrets, database),
        after=groups,
    )
    scaling(stack, instances, entry, topic=topic)
    room = capacity(stack, entry, instances.name, topic=topic)
    alarms(stack, entry, instances, topic=topic)
    return _outputs(stack, entry, instances, room)


def _outputs(stack: Stack, entry: Balancer, instances: Fleet, room: Capacity) -> Service:
    targets = entry.application_targets
    return Service(
        stack=stack,
        balancer_dns_name=stack.output("BalancerDnsName", entry.resource.att("DNSName"), "The balancer's own name."),
        balancer_zone_id=stack.output(
            "BalancerZoneId", entry.resource.att("CanonicalHostedZoneID"), "AWS's zone of the balancer's name."
        ),
        balancer_full_name=stack.output(
            "BalancerFullName", entry.resource.att("LoadBalancerFullName"), "The balancer in its metrics."
        ),
        target_group_full_name=stack.output(
            "TargetGroupFullName", targets.att("TargetGroupFullName"), "The application's target group in its metrics."
        ),
        fleet_name=stack.output("FleetName", instances.name, "The Auto Scaling group."),
        capacity=room,
    )


def _user_data(stack: Stack, foundation: Foundation, secrets: Secrets, database: Database) -> Value:
    filling = Filling()
    bucket = filling.of("ArtifactBucket", stack.input(foundation.artifact_bucket))
    other_region = stack.setting(
        "OtherRegion",
        {stack.spec.home: stack.spec.standby, stack.spec.standby: stack.spec.home},
        "The other region of the deployment.",
    )
    application = _version(stack, "Application", "artifact:application")
    kit_version = filling.of("KitVersion", _version(stack, "Kit", "artifact:kit"))
    configuration = kit_configuration(
        stack.spec,
        bucket=bucket,
        other_region=filling.of("OtherRegion", other_region),
        application_version=filling.of("ApplicationVersion", application),
        database=_database(stack, filling, database, Where.HERE),
        other_database=(
            _database(stack, filling, database, Where.OTHER) if Flow.WRITES in stack.spec.residency.flows else None
        ),
        database_secrets={
            "app": filling.of("AppSecret", local_arn(stack, secrets.app_secret_arn)),
            "kit": filling.of("KitSecret", local_arn(stack, secrets.kit_secret_arn)),
        },
        application_secrets={
            variable: filling.of(f"Secret{number}", local_arn(stack, secret))
            for number, (variable, secret) in enumerate(secrets.application.items(), start=1)
        },
        signal_resource=LOGICAL_ID,
    )
    return user_data(stack, filling, configuration, bucket=bucket, kit_version=kit_version)


def _version(stack: Stack, name: str, chooser: str) -> Value:
    return stack.chosen(
        f"{name}Version",
        chooser,
        NO_ARTIFACT,
        f"{name} bundle of the instances: the first 16 digits of its SHA-256. Another one replaces the fleet, in "
        "batches.",
        AllowedPattern="^[0-9a-f]{16}$",
    )


def _database(stack: Stack, filling: Filling, database: Database, where: Where) -> DatabaseAddress:
    host = stack.input(database.database_host, where)
    port = stack.input(database.database_port, where)
    return DatabaseAddress(filling.of(f"{where}DatabaseHost", host), filling.of(f"{where}DatabasePort", port))
