"""The hosted zone: that a given one is there, public, and of this name; that it lets AWS issue the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import Literal
from bicoastal.deploy.package import Package
from bicoastal.deploy.preflight.problem import Problem
from bicoastal.deploy.survey import Views

PARAMETER = "HostedZoneId"
_ISSUERS = ("amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com")


def usable_zone(session: Session, package: Package, views: Views) -> list[Problem]:
    """A given zone, or the one that will be created."""
    given = next(
        (
            source.value
            for entry in package.manifest.stacks
            if isinstance(source := entry.parameters.get(PARAMETER), Literal)
        ),
        None,
    )
    if given is not None:
        return _given(session, package, given)
    created = [entry for entry in package.entries("zone") if views.get(entry.id) is None]
    return _created(session, package) if created else []


def _given(session: Session, package: Package, zone_id: str) -> list[Problem]:
    client = session.client("route53", package.home)
    try:
        with aws_faults(f"asking for the hosted zone {zone_id}"):
            zone = client.get_hosted_zone(Id=zone_id)["HostedZone"]
    except ApiFault as fault:
        if fault.code not in ("NoSuchHostedZone", "InvalidInput"):
            raise
        return [
            Problem(
                f"The hosted zone {zone_id} is not in this account.\n"
                "    -> Give domain.zone_id the id of a public zone of this account, or leave it out."
            )
        ]
    name = str(zone["Name"]).rstrip(".")
    problems = []
    if zone.get("Config", {}).get("PrivateZone"):
        problems.append(Problem(f"The hosted zone {zone_id} ({name}) is private.\n    -> Give a public one."))
    if package.domain and package.domain != name and not package.domain.endswith(f".{name}"):
        problems.append(
            Problem(
                f"The hosted zone {zone_id} holds {name}, and {package.domain} is not in it.\n"
                "    -> Give domain.zone_id the zone of that name or of a parent."
            )
        )
    with aws_faults(f"reading the CAA records of {name}"):
        pages = client.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone_id)
        records = {
            str(item["Name"]).rstrip("."): item for page in pages for item in page["ResourceRecordSets"] if _caa(item)
        }
    return problems + list(_certificate(package.domain, records))


def _caa(item: dict[str, Any]) -> bool:
    return bool(item["Type"] == "CAA")


def _certificate(domain: str, records: dict[str, Any]) -> Iterator[Problem]:
    """The nearest CAA record above a name decides who may issue for it."""
    labels = domain.split(".")
    for start in range(len(labels)):
        record = records.get(".".join(labels[start:]))
        if record is None:
            continue
        values = [str(item["Value"]) for item in record.get("ResourceRecords", ())]
        issue = [value for value in values if " issue " in value]
        if issue and not any(f'"{issuer}' in value for value in issue for issuer in _ISSUERS):
            yield Problem(
                f"The CAA record of {record['Name'].rstrip('.')} lets AWS issue no certificate for {domain}.\n"
                '    -> Add the value 0 issue "amazon.com" to it.'
            )
        return


def _created(session: Session, package: Package) -> list[Problem]:
    name = package.domain
    problems = [
        Problem(
            f"A hosted zone of {name or 'the domain'} is created. Its certificates are issued only when the parent "
            "domain delegates to it.\n    -> When its name servers are told below, enter them at the registrar (or in "
            "the parent zone) at once: the service stacks wait for that, up to their certificate's deadline.",
            stops=False,
        )
    ]
    if not name:
        return problems
    with aws_faults(f"asking for hosted zones of {name}"):
        there = session.client("route53", package.home).list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    same = [zone["Id"].rpartition("/")[2] for zone in there if str(zone["Name"]).rstrip(".") == name]
    if same:
        problems.append(
            Problem(
                f"This account has a hosted zone of {name} already ({', '.join(same)}); another one is created, with "
                "other name servers.\n    -> To use that one, set domain.zone_id.",
                stops=False,
            )
        )
    return problems
