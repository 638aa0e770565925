"""Overrides tags on everything that is deployed in a region, and puts back exactly what was there (M10).

The ledger, an object in the region's bucket, is written before the first tag is changed: whatever happens afterwards,
it knows what was there. A second run adds to it and never overwrites what the first one found.

Left out on purpose is what is of no region, and so not of the region that a failover acts in: IAM's roles, Route 53's
zone and checks, CloudWatch's dashboards, whose control planes may be what is lost; and the stacks themselves, because
to tag one is to update it. Buckets are tagged: the tagging API reads what a bucket has before it puts all of it anew
(hence s3:GetBucketTagging), and S3 refuses to part with CloudFormation's own tags.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.operate.subject import Subject

LEDGER = "operations/tags.json"
_AT_ONCE = 20
"""Resources that TagResources takes in a call."""
Ledger = dict[str, dict[str, str | None]]
"""ARN to what its overridden keys held; None: it did not have the key."""


@dataclass(frozen=True)
class Outcome:
    """What a change of tags came to."""

    changed: int
    """Resources."""
    refused: Mapping[str, str]
    """ARN of what could not be tagged, and why."""


def override(session: Session, subject: Subject, region: str, bucket: str) -> Outcome:
    """Give everything of the deployment in the region the spec's `failover_tags`. Raises SystemFault."""
    wanted = subject.failover_tags
    found = dict(_resources(session, subject, region))
    ledger = read_ledger(session, region, bucket)
    again = bool(ledger)
    for arn, tags in found.items():
        if again and arn not in ledger and wanted.items() <= tags.items():
            continue  # launched since by the fleet: that is not what it had before
        known = ledger.setdefault(arn, {})
        for key in wanted:
            known.setdefault(key, tags.get(key))
    _write_ledger(session, region, bucket, ledger)
    differing = [arn for arn, tags in found.items() if any(tags.get(key) != value for key, value in wanted.items())]
    # First, so that what it launches from now on is tagged, too.
    refused = _fleet(lambda: _tag_fleet(session, subject, region, wanted))
    changed = _tag(session, region, differing, wanted)
    return Outcome(len(differing) - len(changed), {**refused, **changed})


def restore(session: Session, subject: Subject, region: str, bucket: str) -> Outcome:
    """Put back what the ledger has, and forget it once all is so. Raises SystemFault.

    What is gone since needs nothing; what the fleet launched since, with its tags of a failover, is given what the
    deployment's resources had.
    """
    ledger = read_ledger(session, region, bucket)
    if not ledger:
        return Outcome(0, {})
    usual = _usual(ledger)
    refused = _fleet(lambda: _restore_fleet(session, subject, region, usual))
    standing = dict(_resources(session, subject, region))
    wanted: Ledger = {arn: tags for arn, tags in ledger.items() if arn in standing}
    for arn, tags in standing.items():
        if arn not in ledger and any(tags.get(key) == value for key, value in subject.failover_tags.items()):
            wanted[arn] = usual
    by_change: dict[str, list[str]] = {}
    for arn, before in wanted.items():
        by_change.setdefault(json.dumps(before, sort_keys=True), []).append(arn)
    for change, arns in by_change.items():
        kept = {key: value for key, value in json.loads(change).items() if value is not None}
        if kept:
            refused |= _tag(session, region, arns, kept)
        gone = [key for key, value in json.loads(change).items() if value is None]
        if gone:
            refused |= _untag(session, region, arns, gone)
    if not refused:
        with aws_faults(f"removing the ledger of tags from {bucket}"):
            session.client("s3", region).delete_object(Bucket=bucket, Key=LEDGER)
    return Outcome(len(wanted.keys() - refused.keys()), refused)


def read_ledger(session: Session, region: str, bucket: str) -> Ledger:
    """What was overridden and is not restored yet; empty where nothing is."""
    try:
        with aws_faults(f"reading the ledger of tags in {bucket}"):
            body = session.client("s3", region).get_object(Bucket=bucket, Key=LEDGER)["Body"].read()
    except ApiFault as fault:
        if fault.code in ("NoSuchKey", "404"):
            return {}
        raise
    found: Ledger = json.loads(body)
    return found


def _write_ledger(session: Session, region: str, bucket: str, ledger: Ledger) -> None:
    with aws_faults(f"writing the ledger of tags to {bucket}"):
        session.client("s3", region).put_object(Bucket=bucket, Key=LEDGER, Body=json.dumps(ledger, indent=1).encode())


def _resources(session: Session, subject: Subject, region: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Everything of the deployment in the region that the tagging API knows, with its tags."""
    # The environment may be one of the keys that are overridden.
    environments = {subject.environment, subject.failover_tags.get("environment", subject.environment)}
    filters = [
        {"Key": "application", "Values": [subject.application]},
        {"Key": "environment", "Values": sorted(environments)},
    ]
    with aws_faults(f"finding what is tagged in {region}"):
        pages = session.client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        for page in pages.paginate(TagFilters=filters):
            for item in page["ResourceTagMappingList"]:
                if _of_region(item["ResourceARN"], region):
                    yield item["ResourceARN"], {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())}


def _of_region(arn: str, region: str) -> bool:
    """A bucket's ARN has no region; the region that is asked answers with its own."""
    _, _, service, where, *_ = arn.split(":")
    return service == "s3" or (where == region and service != "cloudformation")


def _tag(session: Session, region: str, arns: Sequence[str], tags: Mapping[str, str]) -> dict[str, str]:
    return _each(arns, lambda some: session.client("resourcegroupstaggingapi", region).tag_resources(
        ResourceARNList=some, Tags=dict(tags)))  # fmt: skip


def _untag(session: Session, region: str, arns: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    return _each(arns, lambda some: session.client("resourcegroupstaggingapi", region).untag_resources(
        ResourceARNList=some, TagKeys=list(keys)))  # fmt: skip


def _each(arns: Sequence[str], call: Any) -> dict[str, str]:
    """In batches; returns what was refused, with the reason. A batch that is refused for one is tried one by one."""
    refused: dict[str, str] = {}
    for start in range(0, len(arns), _AT_ONCE):
        some = list(arns[start : start + _AT_ONCE])
        try:
            with aws_faults("changing tags"):
                answer = call(some)
        except ApiFault as fault:
            # A deployment has moved by then: what cannot be tagged is reported, and stops nothing.
            if len(some) == 1:
                refused[some[0]] = f"{fault.code}: {fault}".splitlines()[0]
            else:
                for arn in some:
                    refused |= _each([arn], call)
            continue
        for arn, why in (answer.get("FailedResourcesMap") or {}).items():
            refused[arn] = f"{why.get('ErrorCode')}: {why.get('ErrorMessage')}"
    return refused


def _fleet(change: Callable[[], None]) -> dict[str, str]:
    """What was refused, as for the others."""
    try:
        change()
    except ApiFault as fault:
        return {"the fleet": f"{fault.code}: {fault}".splitlines()[0]}
    return {}


def _tag_fleet(session: Session, subject: Subject, region: str, tags: Mapping[str, str]) -> None:
    """A fleet has a way of its own: its tags go to the instances that it will launch, too."""
    name = f"{subject.prefix}-fleet"
    with aws_faults(f"tagging the fleet in {region}"):
        session.client("autoscaling", region).create_or_update_tags(
            Tags=[_fleet_tag(name, key, value) for key, value in tags.items()]
        )


def _usual(ledger: Ledger) -> dict[str, str | None]:
    """As the deployment's own tags are, which every resource had before."""
    return next((tags for arn, tags in ledger.items() if ":db:" in arn), next(iter(ledger.values())))


def _restore_fleet(session: Session, subject: Subject, region: str, before: Mapping[str, str | None]) -> None:
    name = f"{subject.prefix}-fleet"
    client = session.client("autoscaling", region)
    kept = [_fleet_tag(name, key, value) for key, value in before.items() if value is not None]
    gone = [_fleet_tag(name, key, "") for key, value in before.items() if value is None]
    with aws_faults(f"restoring the tags of the fleet in {region}"):
        if kept:
            client.create_or_update_tags(Tags=kept)
        if gone:
            client.delete_tags(Tags=gone)


def _fleet_tag(name: str, key: str, value: str) -> dict[str, Any]:
    return {
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "Key": key,
        "Value": value,
        "PropagateAtLaunch": True,
    }
