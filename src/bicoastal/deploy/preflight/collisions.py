"""Names that somebody else has: stacks of this name that are not ours, buckets of another account."""

from __future__ import annotations

import re

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


def taken_buckets(session: Session, package: Package, views: Views) -> list[Problem]:
    """Bucket names are the world's: one that another account has cannot be created."""
    account, problems = account_of(session, package), []
    for entry in package.manifest.stacks:
        if views.get(entry.id) is not None:
            continue
        for name in _bucket_names(package.template(entry), entry.template, account, entry.region):
            try:
                with aws_faults(f"asking for the bucket {name}"):
                    session.client("s3", entry.region).head_bucket(Bucket=name)
            except ApiFault as fault:
                if fault.code in ("403", "AccessDenied", "301", "PermanentRedirect"):
                    problems.append(
                        Problem(
                            f"{entry.id}: the bucket {name} belongs to another account, or stands in another region.\n"
                            "    -> Give the application another name or environment in its spec."
                        )
                    )
                continue
            problems.append(
                Problem(
                    f"{entry.id}: the bucket {name} is there, kept from an earlier deployment; CloudFormation "
                    "creates none over it.\n    -> Copy what you need out of it, then remove it: "
                    f"aws s3 rb --force s3://{name} (versions of its objects have to be deleted, too)"
                )
            )
    return problems


def _bucket_names(text: str, file: str, account: str, region: str) -> list[str]:
    """Names in a template as they will be; one that hangs on a parameter cannot be told and is left out."""
    found = []
    for resource in parse_template(text, file).section("Resources").values():
        if not isinstance(resource, dict) or resource.get("Type") != "AWS::S3::Bucket":
            continue
        name = resource.get("Properties", {}).get("BucketName", "")
        name = name.get("Fn::Sub", "") if isinstance(name, dict) else name
        if isinstance(name, str):
            name = name.replace("${AWS::AccountId}", account).replace("${AWS::Region}", region)
            if re.fullmatch(r"[a-z0-9.-]{3,63}", name):
                found.append(name)
    return found
