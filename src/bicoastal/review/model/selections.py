"""What a selection of AWS Backup takes: by ARN, wildcard and tags; True, False, or None where nobody can tell."""

from __future__ import annotations

import re

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Reference, Unknown, Value
from bicoastal.review.model.identity import glob
from bicoastal.review.model.taggable import TAGS_OF

_SERVICES = {
    "AWS::DynamoDB::Table": ("dynamodb", "Arn"),
    "AWS::EC2::Instance": ("ec2", ""),
    "AWS::EC2::Volume": ("ec2", ""),
    "AWS::EFS::FileSystem": ("elasticfilesystem", "Arn"),
    "AWS::RDS::DBCluster": ("rds", "DBClusterArn"),
    "AWS::RDS::DBInstance": ("rds", "DBInstanceArn"),
    "AWS::S3::Bucket": ("s3", "Arn"),
}
"""Types that AWS Backup takes: the service in their ARN, and the attribute that gives it."""
_ACCOUNT = re.compile(r"(?<=:)\d{12}(?=:)")


def protectable(deployment: Deployment, region: str) -> list[Resource]:
    """What could be backed up in a region. Buckets count only where they keep versions, which Backup wants."""
    found = deployment.of_type(*_SERVICES, region=region)
    return [
        item
        for item in found
        if item.type != "AWS::S3::Bucket" or item.get("VersioningConfiguration", "Status") == "Enabled"
    ]


def tags_of(deployment: Deployment, item: Resource) -> dict[str, str]:
    """The tags that a template gives, and those of its stack where they are known."""
    found = dict(deployment.tags)
    entries = item.get(TAGS_OF.get(item.type, "Tags"))
    if isinstance(entries, dict):
        return found | {str(key): deployment.spelled(value) for key, value in entries.items()}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            found[str(entry.get("Key"))] = deployment.spelled(entry.get("Value", ""))
    return found


def selects(deployment: Deployment, selection: Resource, item: Resource) -> bool | None:
    """Whether a selection takes a resource of its region."""
    body = selection.get("BackupSelection")
    if not isinstance(body, dict) or any(isinstance(value, Unknown) for value in body.values()):
        return None
    if any(_names(deployment, value, item) for value in selection.items("BackupSelection", "NotResources")):
        return False
    named = [_names(deployment, value, item) for value in selection.items("BackupSelection", "Resources")]
    tagged = [_tagged(deployment, entry, item) for entry in selection.items("BackupSelection", "ListOfTags")]
    if body.get("Conditions") is not None:
        return None if any(answer is not False for answer in named) else False
    found = [*named, *tagged]
    return True if True in found else None if None in found else False


def explicit(deployment: Deployment, selection: Resource, candidates: list[Resource]) -> bool:
    """Whether what decides is written in the templates: ARNs with literal names, or tags on resources."""
    if selection.items("BackupSelection", "ListOfTags") and not deployment.tags:
        return any(item.get(TAGS_OF.get(item.type, "Tags")) is not None for item in candidates)
    return True


def _names(deployment: Deployment, value: Value, item: Resource) -> bool | None:
    """Whether an entry of Resources, an ARN with wildcards, is a resource."""
    target = deployment.resource(value)
    if target is item:
        return True
    if target is not None:
        return False
    spelled = deployment.spelled(value)
    if isinstance(value, Unknown) or "${?}" in spelled:
        return None
    service, attribute = _SERVICES[item.type]
    own = deployment.spelled(Reference(item.stack.id, item.logical_id, attribute))
    own = own if own.startswith("arn:") else f"arn:aws:{service}:{item.region}:${{AWS::AccountId}}:{own}"
    pattern = _ACCOUNT.sub("${AWS::AccountId}", spelled)
    if glob(pattern, _ACCOUNT.sub("${AWS::AccountId}", own)):
        return True
    fields = pattern.split(":")
    elsewhere = len(fields) > 3 and (fields[2] not in ("*", service) or fields[3] not in ("*", "", item.region))
    # A name that AWS makes up may be what a literal ARN holds.
    return None if "${" in own.replace("${AWS::AccountId}", "") and not elsewhere else False


def _tagged(deployment: Deployment, entry: Value, item: Resource) -> bool | None:
    if not isinstance(entry, dict):
        return None
    key, value = (deployment.spelled(entry.get(name, "")) for name in ("ConditionKey", "ConditionValue"))
    own = tags_of(deployment, item)
    if "${?}" in key + value or any("${?}" in text for pair in own.items() for text in pair):
        return None
    return own.get(key) == value
