"""M14: it hosts a web application, fetched from a versioned bucket of the region, started and kept running."""

from __future__ import annotations

import re

from bicoastal.cfn.deployment import Resource
from bicoastal.review.case import Case
from bicoastal.review.model.machine import Machine, machine_of
from bicoastal.review.model.service import Fleet
from bicoastal.review.verdict import Judgement, where

TITLE = "Hosts the web application"


def judge(case: Case) -> Judgement:
    """From the bucket to a unit that listens where the balancer asks, with a database to talk to."""
    judgement = Judgement()
    for region in case.regions:
        fleet = case.fleet(region)
        if fleet is None or fleet.template is None or fleet.machine is None:
            other = case.runs_otherwise(region) if fleet is None else ""
            if other:
                judgement.unsure(f"{other}: whether that is the application is not looked into.")
            elif fleet is not None and fleet.configured:
                judgement.unsure(
                    f"{where(fleet.resource)}: what runs there: it starts by {fleet.configured}, not looked into."
                )
            else:
                judgement.lacks(f"{region} has no fleet of instances that could run an application.")
            continue
        machine = fleet.machine
        if machine.unreadable:
            judgement.lacks(f"{where(fleet.template)}: {machine.unreadable}.")
            continue
        _bucket(case, judgement, fleet)
        _unit(case, judgement, fleet, machine)
        _database(case, judgement, fleet, machine)
        _bootstrap(case, judgement, region)
    return judgement


def _bucket(case: Case, judgement: Judgement, fleet: Fleet) -> None:
    """The bundle comes from a versioned bucket of the same region, which the instances may read."""
    template = fleet.template
    if template is None:
        return
    buckets = [item for item in case.deployment.mentioned(template.properties) if item.type == "AWS::S3::Bucket"]
    text = fleet.machine.everything if fleet.machine else ""
    named = [
        item
        for item in case.deployment.of_type("AWS::S3::Bucket")
        if (name := case.deployment.name(item)) is not None and case.deployment.spelled(name) in text
    ]
    found = {id(item): item for item in (*buckets, *named)}
    if not found:
        judgement.lacks(f"{where(template)} fetches the application from no bucket of this deployment.")
    for bucket in found.values():
        if bucket.region != template.region:
            judgement.lacks(f"{where(template)} fetches from a bucket of {bucket.region}: gone when that region is.")
        if bucket.get("VersioningConfiguration", "Status") != "Enabled":
            judgement.lacks(f"{where(bucket)} keeps no versions: an overwritten bundle cannot be brought back.")
        own = case.deployment.spelled(type(bucket.reference)(bucket.stack.id, bucket.logical_id, "Arn"))
        if fleet.role is not None and not case.identities.may(
            fleet.role, "s3:GetObject", f"{own}/applications/x.tar.gz"
        ):
            judgement.unsure(f"{where(fleet.role)}: whether it may read bundles of {bucket.logical_id} cannot be told.")
        judgement.found(bucket, "the application's bundles, versioned")


def _unit(case: Case, judgement: Judgement, fleet: Fleet, machine: Machine) -> None:
    """Something starts the application at boot and again when it dies, on the port that the balancer asks."""
    template = fleet.template
    if template is None:
        return
    services = {
        name: text for name, text in machine.units.items() if name.endswith(".service") and "ExecStart=" in text
    }
    lasting = {name: text for name, text in services.items() if re.search(r"^Restart=(always|on-failure)", text, re.M)}
    if not services and not machine.commands:
        judgement.lacks(f"{where(template)} starts nothing.")
        return
    mortal = sorted(set(services) - set(lasting) - {name for name, text in services.items() if "Type=oneshot" in text})
    if mortal:
        judgement.lacks(f"{where(template)}: nothing restarts {', '.join(mortal)} when it dies.")
    if not lasting:
        judgement.lacks(f"{where(template)}: nothing restarts the application when it dies.")
    started = " ".join(machine.commands)
    enabled = [name for name in lasting if name in started or name.removesuffix(".service") in started]
    if lasting and not enabled:
        judgement.lacks(f"{where(template)}: no command of the user data starts {', '.join(sorted(lasting))}.")
    if case.demand.port and str(case.demand.port) not in machine.everything:
        judgement.lacks(f"{where(template)}: nothing in the user data says port {case.demand.port}.")
    judgement.found(template, f"runs {', '.join(sorted(lasting)) or 'a script'}", "LaunchTemplateData", "UserData")


def _database(case: Case, judgement: Judgement, fleet: Fleet, machine: Machine) -> None:
    """Instances know both databases (the local one first) and may read the passwords of theirs."""
    template = fleet.template
    if template is None:
        return
    region = template.region
    mentioned = case.deployment.mentioned(template.properties)
    known = [item.region for item in mentioned if item.type == "AWS::RDS::DBInstance"]
    if region not in known:
        judgement.lacks(f"{where(template)}: instances are not told where the database of {region} is.")
    other = case.demand.other(region).name
    if case.demand.writes_cross and other not in known:
        judgement.lacks(
            f"{where(template)}: instances do not know the database of {other}: after a failover they find no writer."
        )
    _passwords(case, judgement, fleet, machine)


def _passwords(case: Case, judgement: Judgement, fleet: Fleet, machine: Machine) -> None:
    """Every secret is known to something: the fleet, or a document that prepares the database."""
    template = fleet.template
    if template is None:
        return
    told = [*case.deployment.mentioned(template.properties)]
    for document in case.deployment.of_type("AWS::SSM::Document", "AWS::EC2::LaunchTemplate", region=template.region):
        told += case.deployment.mentioned(document.properties)
    secrets = {id(item): item for item in told if item.type == "AWS::SecretsManager::Secret"}
    if not secrets:
        judgement.lacks(f"{where(template)}: instances are told of no secret: they have no password for the database.")
    for item in case.deployment.of_type("AWS::SecretsManager::Secret"):
        if id(item) not in secrets and not _used_elsewhere(case, item):
            judgement.unsure(f"{where(item)}: nothing in {template.region} is told of it.")
    readable = [
        item
        for item in secrets.values()
        if fleet.role is not None
        and any(
            found is item
            for statement in case.identities.statements(fleet.role)
            if statement.effect == "Allow" and statement.matches("secretsmanager:GetSecretValue")
            for found in case.deployment.mentioned(statement.source.get(*statement.path, "Resource"))
        )
    ]
    if secrets and fleet.role is not None and not readable:
        judgement.unsure(f"{where(fleet.role)}: which secrets instances may read cannot be told.")
    del machine


def _used_elsewhere(case: Case, item: Resource) -> bool:
    return bool(case.deployment.referring(item))


def _bootstrap(case: Case, judgement: Judgement, region: str) -> None:
    """Something prepares the database's roles and tables, and runs the application's migrations."""
    for document in case.deployment.of_type("AWS::SSM::Document", region=region):
        if "RunInstances" not in str(document.get("Content")):
            continue
        templates = [
            item
            for item in case.deployment.mentioned(document.get("Content"))
            if item.type == "AWS::EC2::LaunchTemplate"
        ]
        if not templates:
            judgement.lacks(f"{where(document)} starts an instance from no launch template of this deployment.")
        for template in templates:
            _prepares(case, judgement, document, template)
        return
    judgement.lacks(f"{region}: nothing prepares the database: no role, no table for the application.")


def _prepares(case: Case, judgement: Judgement, document: Resource, template: Resource) -> None:
    """An instance for minutes, with a role that reads the passwords that the fleet must not."""
    described = template.get("LaunchTemplateData", "IamInstanceProfile")
    named = described.get("Arn", described.get("Name")) if isinstance(described, dict) else None
    profile = case.deployment.resource(named) if named is not None else None
    role = case.deployment.resource(profile.get("Roles", 0)) if profile else None
    if role is None:
        judgement.lacks(f"{where(template)} has no role: it can read no password.")
    elif case.identities.may(role, "secretsmanager:GetSecretValue") is None:
        judgement.lacks(f"{where(role)} may read no password: it cannot prepare the database.")
    machine = machine_of(case.deployment, template)
    if machine.unreadable:
        judgement.lacks(f"{where(template)}: {machine.unreadable}.")
    known = [item for item in case.deployment.mentioned(template.properties) if item.type == "AWS::RDS::DBInstance"]
    if not any(item.region == template.region for item in known):
        judgement.lacks(f"{where(template)} is not told where the database of {template.region} is.")
    judgement.found(document, "prepares the database for the application")
