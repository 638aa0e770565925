"""What holds data and may be replaced or deleted with its stack is one wrong update away from being gone."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "replacement-destroys-data",
    Severity.WARNING,
    "What holds data is destroyed when it is replaced or its stack is deleted",
    "A renamed property makes CloudFormation create an empty one and delete the old one, data and all.",
    "Set DeletionPolicy and UpdateReplacePolicy to Retain, or to Snapshot where there is one.",
    ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster", "AWS::DynamoDB::Table", "AWS::EFS::FileSystem", "AWS::KMS::Key"),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatereplacepolicy.html",
)
_SNAPSHOT_BY_DEFAULT = ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster")


def look(case: Case) -> Iterator[Seen]:
    """Both policies, with CloudFormation's defaults where nothing is said."""
    for item in case.deployment.of_type(*RULE.types):
        if item.get("DBClusterIdentifier") is not None or case.is_reader(item):
            continue
        default = "Snapshot" if item.type in _SNAPSHOT_BY_DEFAULT else "Delete"
        on_delete, on_replace = item.attribute("DeletionPolicy"), item.attribute("UpdateReplacePolicy")
        lost = [
            name
            for name, value in (
                ("DeletionPolicy", on_delete or default),
                ("UpdateReplacePolicy", on_replace or "Delete"),
            )
            if value == "Delete"
        ]
        if lost:
            yield Hit(item, f"{' and '.join(lost)} of {item.logical_id} {_are(item, lost)} Delete.")


def _are(item: Resource, names: list[str]) -> str:
    """How a template says `Delete`: in words, or by not saying anything."""
    verb = "are" if len(names) > 1 else "is"
    return verb if any(item.attribute(name) for name in names) else f"{verb} not set: by default,"
