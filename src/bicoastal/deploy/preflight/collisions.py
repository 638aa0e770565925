"""Names that are taken: by somebody else's stacks and buckets, or by what an earlier deployment of ours left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.cfn.reader import parse_template
from bicoastal.deploy.package import Package
from bicoastal.deploy.preflight.account import account_of
from bicoastal.deploy.preflight.problem import Problem
from bicoastal.deploy.survey import Views

_OURS = ("application", "environment", "managed-by")


def foreign_stacks(session: Session, package: Package, views: Views) -> list[Problem]:
    """A stack of our name that does not bear our tags was made by somebody else, for something else."""
    del session
    problems = []
    for entry in package.manifest.stacks:
        stack = views.get(entry.id)
        if stack is None or not stack.exists:
            continue
        wanted = {key: package.manifest.tags[key] for key in _OURS if key in package.manifest.tags}
        other = {key: stack.tags.get(key, "none") for key in wanted if stack.tags.get(key) != wanted[key]}
        if other:
            told = ", ".join(f"{key} {value}" for key, value in other.items())
            problems.append(
                Problem(
                    f"{entry.region}: the stack {entry.name} is there, and not of this deployment ({told}).\n"
                    "    -> Give this application another name or environment in its spec, or delete that stack."
                )
            )
    return problems


def kept_from_earlier(session: Session, package: Package, views: Views) -> list[Problem]:
    """Names that are taken: buckets of another account, and what an earlier deployment of this name left behind."""
    account, problems = account_of(session, package), []
    for entry in package.manifest.stacks:
        if views.get(entry.id) is not None:
            continue
        for kind, name in _names(package.template(entry), entry.template, account, entry.region):
            try:
                with aws_faults(f"asking whether {name} is there"):
                    _PROBES[kind].ask(session, entry.region, name)
            except ApiFault as fault:
                if fault.code in ("403", "301", "PermanentRedirect") and kind == "AWS::S3::Bucket":
                    problems.append(
                        Problem(
                            f"{entry.id}: the bucket {name} belongs to another account, or stands in another region.\n"
                            "    -> Give the application another name or environment in its spec."
                        )
                    )
                continue
            found = _PROBES[kind]
            problems.append(Problem(f"{entry.id}: {found.told.format(name=name, region=entry.region)}", found.stops))
    return problems


@dataclass(frozen=True)
class _Probe:
    """How to see that something of a name is there, and what that means."""

    property: str
    ask: Callable[[Session, str, str], Any]
    """Raises ApiFault where it is not there."""
    told: str
    stops: bool = True


_PROBES = {
    "AWS::S3::Bucket": _Probe(
        "BucketName",
        lambda session, region, name: session.client("s3", region).head_bucket(Bucket=name),
        "the bucket {name} is there, kept from an earlier deployment; CloudFormation creates none over it.\n"
        "    -> Copy what you need out of it, then remove it, with all versions of its objects: "
        "aws s3 rb --force s3://{name}",
    ),
    "AWS::SecretsManager::Secret": _Probe(
        "Name",
        lambda session, region, name: session.client("secretsmanager", region).describe_secret(SecretId=name),
        "the secret {name} is there, kept from an earlier deployment; CloudFormation creates none over it.\n"
        "    -> If no database or snapshot needs it any more: aws secretsmanager delete-secret --region {region} "
        "--force-delete-without-recovery --secret-id {name} (its replicas first: remove-regions-from-replication)",
    ),
    "AWS::Backup::BackupVault": _Probe(
        "BackupVaultName",
        lambda session, region, name: session.client("backup", region).describe_backup_vault(BackupVaultName=name),
        "the backup vault {name} is there, kept from an earlier deployment, and is taken in.",
        stops=False,
    ),
}


def _names(text: str, file: str, account: str, region: str) -> list[tuple[str, str]]:
    """Types and names in a template as they will be; one that hangs on a parameter cannot be told and is left out."""
    found = []
    for resource in parse_template(text, file).section("Resources").values():
        kind = resource.get("Type") if isinstance(resource, dict) else None
        if kind not in _PROBES:
            continue
        name = resource.get("Properties", {}).get(_PROBES[kind].property, "")
        name = name.get("Fn::Sub", "") if isinstance(name, dict) else name
        if isinstance(name, str):
            name = name.replace("${AWS::AccountId}", account).replace("${AWS::Region}", region)
            if name and "${" not in name:
                found.append((kind, name))
    return found
