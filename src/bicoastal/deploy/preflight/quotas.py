"""Quotas that new accounts run into: Elastic IP addresses and VPCs. A quota that cannot be asked is said as unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.cfn.reader import parse_template
from bicoastal.deploy.package import Package
from bicoastal.deploy.preflight.problem import Problem
from bicoastal.deploy.survey import Views


@dataclass(frozen=True)
class Quota:
    """A quota of a region, and how much of it is used."""

    type: str
    """The resource type that counts."""
    what: str
    service: str
    code: str
    used: Callable[[Any], int]
    """Takes an EC2 client."""


_QUOTAS = (
    Quota(
        "AWS::EC2::EIP",
        "Elastic IP addresses",
        "ec2",
        "L-0263D0A3",
        lambda ec2: len(ec2.describe_addresses()["Addresses"]),
    ),
    Quota(
        "AWS::EC2::VPC",
        "VPCs",
        "vpc",
        "L-F678F1CE",
        lambda ec2: sum(len(page["Vpcs"]) for page in ec2.get_paginator("describe_vpcs").paginate()),
    ),
)
"""Codes from the Service Quotas console; both quotas are 5 in a new account."""


def enough_quota(session: Session, package: Package, views: Views) -> list[Problem]:
    """Compare what the stacks that are yet to be created need with what is left."""
    problems = []
    for region in package.manifest.regions:
        needed: Counter[str] = Counter()
        for entry in package.manifest.stacks:
            if entry.region == region and views.get(entry.id) is None:
                resources = parse_template(package.template(entry), entry.template).section("Resources")
                needed.update(str(body.get("Type")) for body in resources.values() if isinstance(body, dict))
        for quota in _QUOTAS:
            if needed[quota.type]:
                problems += _short(session, region, quota, needed[quota.type])
    return problems


def _short(session: Session, region: str, quota: Quota, needed: int) -> list[Problem]:
    doing = f"asking for the quota of {quota.what} in {region}"
    try:
        with aws_faults(doing):
            used = quota.used(session.client("ec2", region))
            answer = session.client("service-quotas", region).get_service_quota(
                ServiceCode=quota.service, QuotaCode=quota.code
            )
        limit = int(answer["Quota"]["Value"])
    except ApiFault as fault:
        why = str(fault).splitlines()[0]
        return [Problem(f"unknown: {why}. {needed} more are needed (5 is usual).", stops=False)]
    if used + needed <= limit:
        return []
    return [
        Problem(
            f"{region}: {needed} more {quota.what} are needed; {used} of {limit} are in use.\n"
            f"    -> aws service-quotas request-service-quota-increase --region {region} "
            f"--service-code {quota.service} --quota-code {quota.code} --desired-value {used + needed}"
            + (" (or egress: one-nat, which needs fewer)" if quota.type == "AWS::EC2::EIP" else "")
        )
    ]
