"""Promotion by a stack update must change nothing but the source: anything create-only makes a new, empty database."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.rule import Hit, Rule, Seen

RULE = Rule(
    "promotion-replaces-database",
    Severity.ERROR,
    "Promoting a replica by its parameter would replace it",
    "In the middle of an outage CloudFormation would create a new, empty database instead of promoting the copy.",
    "Let these properties depend on how the instance was born, which never changes, and not on its role.",
    ("AWS::RDS::DBInstance",),
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html",
)
_CREATE_ONLY = (
    *("AutoMinorVersionUpgrade", "AvailabilityZone", "BackupRetentionPeriod", "CharacterSetName", "DBName"),
    *("DBInstanceIdentifier", "DBParameterGroupName", "DBSubnetGroupName", "Engine", "KmsKeyId", "MasterUsername"),
    *("MultiAZ", "PreferredMaintenanceWindow", "SourceRegion", "StorageEncrypted", "StorageType", "Timezone"),
)
"""Always or conditionally create-only, in the schema of the RDS handler, 2025-07."""


def look(case: Case) -> Iterator[Seen]:
    """Replicas that some parameter makes a primary, and none does without changing more."""
    for item in case.deployment.of_type("AWS::RDS::DBInstance"):
        if item.get("SourceDBInstanceIdentifier") is None:
            continue
        ways = list(_promotions(item))
        if any(not changed for _, changed in ways):
            continue
        for way, changed in ways:
            text = f"{way} takes the source of {item.logical_id} away and also changes {', '.join(changed)}."
            yield Hit(item, text, (changed[0],) if changed[0] in item.properties else ())


def _promotions(item: Resource) -> Iterator[tuple[str, list[str]]]:
    """Each value of a parameter that takes the source away, and what of the create-only properties it changes."""
    for name, body in item.stack.template.section("Parameters").items():
        allowed = body.get("AllowedValues") if isinstance(body, dict) else None
        for value in allowed if isinstance(allowed, list) and len(allowed) <= 4 else ():
            if item.stack.evaluator.parameter(name) == value:
                continue
            after = item.stack.evaluator.with_parameter(name, value).value(item.body.get("Properties"))
            if isinstance(after, dict) and "SourceDBInstanceIdentifier" not in after:
                yield f"{name}={value}", [key for key in _CREATE_ONLY if after.get(key) != item.properties.get(key)]
