"""M2: data lives in the home region and its declared copies, and nowhere else; only declared flows cross."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.review.case import Case
from bicoastal.review.model.network import contains
from bicoastal.review.verdict import Judgement, where

TITLE = "Data stays in the home region and its declared copies"

KEY_PROPERTIES = {
    "AWS::AutoScaling::AutoScalingGroup": (),
    "AWS::Backup::BackupVault": (("EncryptionKeyArn",),),
    "AWS::CloudTrail::Trail": (("KMSKeyId",),),
    "AWS::KinesisFirehose::DeliveryStream": (("DeliveryStreamEncryptionConfigurationInput", "KeyARN"),),
    "AWS::Logs::LogGroup": (("KmsKeyId",),),
    "AWS::RDS::DBInstance": (("KmsKeyId",), ("PerformanceInsightsKMSKeyId",)),
    "AWS::SNS::Topic": (("KmsMasterKeyId",),),
    "AWS::SecretsManager::Secret": (("KmsKeyId",),),
}
"""Where a type names the key that encrypts it: it must be one of its own region."""

_STORES = (
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EFS::FileSystem",
    "AWS::RDS::DBCluster",
    "AWS::S3::Bucket",
)
"""What else keeps data, beside database instances."""


def judge(case: Case) -> Judgement:
    """Where data is, where copies go, who is kept from other regions, and what may cross."""
    judgement = Judgement()
    allowed = {case.demand.home.name, *case.demand.copies}
    _copies(case, judgement, allowed)
    _keys(case, judgement)
    _boundaries(case, judgement)
    _crossing(case, judgement)
    _private_paths(case, judgement)
    return judgement


def _copies(case: Case, judgement: Judgement, allowed: set[str]) -> None:
    """Every copy that a managed service makes goes to a declared region."""
    for item, region, what in _destinations(case):
        if not isinstance(region, str):
            reason = region.reason if isinstance(region, Unknown) else "no region is named"
            judgement.unsure(f"{where(item)}: where {what} goes cannot be told: {reason}")
        elif region not in allowed:
            judgement.lacks(f"{where(item)}: {what} goes to {region}, which the residency does not declare.")
    for item in case.databases():
        if item.region not in allowed:
            judgement.lacks(f"{where(item)} holds data in {item.region}, which the residency does not declare.")
        else:
            judgement.found(item, f"the database's data in {item.region}")
    stores = case.deployment.of_type(*_STORES)
    for item in stores:
        if item.region not in allowed:
            judgement.lacks(f"{where(item)} holds data in {item.region}, which the residency does not declare.")
        elif not case.databases():
            judgement.found(item, f"data in {item.region}")
    if not case.databases() and not stores:
        judgement.lacks("No data is kept anywhere: there is no database.")
    if not case.databases() and case.standby in allowed:
        judgement.lacks(f"{case.standby} holds no copy of any data.")


def _destinations(case: Case) -> Iterator[tuple[Resource, Value, str]]:
    """(resource, region, what) of every copy to another region."""
    for item in case.deployment.of_type("AWS::SecretsManager::Secret"):
        for index, _ in enumerate(item.items("ReplicaRegions")):
            yield item, item.get("ReplicaRegions", index, "Region"), "a copy of the secret"
    for item in case.deployment.of_type("AWS::Backup::BackupPlan"):
        for rule, _ in enumerate(item.items("BackupPlan", "BackupPlanRule")):
            for copy, _ in enumerate(item.items("BackupPlan", "BackupPlanRule", rule, "CopyActions")):
                path = ("BackupPlan", "BackupPlanRule", rule, "CopyActions", copy, "DestinationBackupVaultArn")
                yield item, _region_of(case, item.get(*path)), "a copy of the backup"
    for item in case.deployment.of_type("AWS::S3::Bucket"):
        for rule, _ in enumerate(item.items("ReplicationConfiguration", "Rules")):
            bucket = item.get("ReplicationConfiguration", "Rules", rule, "Destination", "Bucket")
            yield item, _region_of(case, bucket), "a copy of the bucket"
    for item in case.deployment.of_type("AWS::DynamoDB::GlobalTable"):
        for index, _ in enumerate(item.items("Replicas")):
            yield item, item.get("Replicas", index, "Region"), "a replica of the table"


def _region_of(case: Case, value: Value) -> Value:
    target = case.deployment.resource(value)
    if target is not None:
        return target.region
    parts = case.deployment.spelled(value).split(":") if value is not None else []
    if len(parts) > 5 and parts[0] == "arn" and parts[3]:
        return parts[3]
    return Unknown("its destination is not among these templates")


def _keys(case: Case, judgement: Judgement) -> None:
    """A key of another region cannot encrypt here, and would tie this region to that one."""
    for type_, paths in KEY_PROPERTIES.items():
        for item in case.deployment.of_type(type_):
            for path in paths:
                key = case.deployment.resource(item.get(*path)) if item.get(*path) is not None else None
                if key is not None and key.region != item.region:
                    judgement.lacks(
                        f"{where(item)} is encrypted with a key of {key.region}; it must be one of its own region."
                    )
    for item in case.deployment.of_type("AWS::SecretsManager::Secret"):
        for index, _ in enumerate(item.items("ReplicaRegions")):
            key = case.deployment.resource(item.get("ReplicaRegions", index, "KmsKeyId"))
            if key is not None and key.region != item.get("ReplicaRegions", index, "Region"):
                judgement.lacks(f"{where(item)}: its copy is encrypted with a key of {key.region}.")


def _boundaries(case: Case, judgement: Judgement) -> None:
    """Every role is kept out of regions that nobody declared."""
    declared = set(case.regions) | set(case.demand.copies)
    proven = False
    for role in case.deployment.of_type("AWS::IAM::Role"):
        boundary = case.deployment.resource(role.get("PermissionsBoundary"))
        if boundary is None:
            judgement.lacks(f"{where(role)} has no permissions boundary that keeps it out of other regions.")
            continue
        denies = [
            item
            for item in case.identities.document(boundary, ("PolicyDocument",))
            if item.effect == "Deny" and isinstance(item.conditions, dict)
        ]
        regions: set[str] = set()
        for item in denies:
            for operator, body in item.conditions.items():
                named = body.get("aws:RequestedRegion") if isinstance(body, dict) else None
                if operator.startswith("StringNotEquals") and named is not None:
                    listed = named if isinstance(named, list) else [named]
                    regions |= {case.deployment.spelled(value) for value in listed}
                    if item.not_actions and not any(name.startswith("iam") for name in item.not_actions):
                        judgement.lacks(
                            f"{where(boundary)} denies IAM, a global service, outside the declared regions."
                        )
        if not regions:
            judgement.lacks(f"{where(boundary)}, the boundary of {role.logical_id}, denies no region.")
        elif not regions <= declared:
            extra = ", ".join(sorted(regions - declared))
            judgement.lacks(f"{where(boundary)} lets roles act in {extra}, which is not declared.")
        elif not proven:
            proven = True
            judgement.found(boundary, "roles may act in the declared regions only", "PolicyDocument")


def _crossing(case: Case, judgement: Judgement) -> None:
    """Addresses of the other region are let in only where a flow is declared, and only to the database."""
    for region in case.regions:
        other = case.demand.other(region).name
        if not other:
            continue
        blocks = [vpc.get("CidrBlock") for vpc in case.network(other).vpcs]
        for group in case.deployment.of_type("AWS::EC2::SecurityGroup", region=region):
            for rule in case.network(region).rules(group, ingress=True):
                crosses = isinstance(rule.peer, str) and any(
                    contains(block, rule.peer) or (contains(rule.peer, block) and rule.peer != "0.0.0.0/0")
                    for block in blocks
                )
                if not crosses:
                    continue
                if not case.demand.writes_cross:
                    judgement.lacks(
                        f"{where(rule.resource)} lets {other} in, and no flow between the regions is declared."
                    )
                elif (rule.first, rule.last) != (5432, 5432):
                    judgement.lacks(f"{where(rule.resource)} lets {other} in on more than the database's port.")


def _private_paths(case: Case, judgement: Judgement) -> None:
    """S3 traffic of private subnets stays inside: a gateway endpoint costs nothing."""
    for region in case.regions:
        endpoints = [
            item
            for item in case.deployment.of_type("AWS::EC2::VPCEndpoint", region=region)
            if str(item.get("ServiceName")).endswith(".s3")
        ]
        fleet = case.fleet(region)
        if fleet is None:
            continue
        for value in fleet.resource.items("VPCZoneIdentifier"):
            subnet = case.network(region).subnet(value)
            if subnet is None or subnet.table is None:
                continue
            tables = [value for item in endpoints for value in item.items("RouteTableIds")]
            if not any(case.deployment.resource(table) is subnet.table for table in tables):
                judgement.lacks(
                    f"{where(subnet.resource)} reaches S3 over the internet: no gateway endpoint in its route table."
                )
