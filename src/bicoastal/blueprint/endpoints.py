"""AWS's APIs by private addresses: what instances call stays off the internet, and within this account.

The gateway endpoint for S3 costs nothing and takes all S3 traffic of the application subnets, in every egress mode.
The interface endpoints cost per zone and hour: with NAT, those that carry secrets, sessions, logs and metrics; without
it, also everything else that an instance calls from boot on.
"""

from __future__ import annotations

from typing import Final

from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow, policy
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.blueprint.zones import AvailabilityZone
from bicoastal.cfn.intrinsics import ACCOUNT, NO_VALUE, Value, if_, sub
from bicoastal.spec.model import Egress

ALWAYS: Final = {
    "SecretsManager": "secretsmanager",
    "SystemsManager": "ssm",
    "SessionMessages": "ssmmessages",
    "Logs": "logs",
    "Metrics": "monitoring",
}
"""Logical name to AWS's service. `ec2messages` is not needed: the agent uses it only where `ssmmessages` is closed."""

WITHOUT_NAT: Final = {
    "CloudFormation": "cloudformation",
    "Compute": "ec2",
}
"""The boot's signal, and the CloudWatch agent's look at its instance's tags. KMS is called by services, not by us."""


def add_endpoints(
    stack: Stack,
    foundation: Foundation,
    vpc: Resource,
    *,
    zones: tuple[AvailabilityZone, ...],
    subnets: list[Resource],
    tables: list[Resource],
    group: Resource,
) -> None:
    """The endpoints of the spec's egress, reachable from the application subnets."""
    _add_s3(stack, foundation, vpc, zones, tables)
    services = ALWAYS | (WITHOUT_NAT if stack.spec.egress is Egress.ENDPOINTS_ONLY else {})
    for name, service in services.items():
        stack.add(
            f"{name}Endpoint",
            "AWS::EC2::VPCEndpoint",
            {
                "VpcEndpointType": "Interface",
                "ServiceName": sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
                "VpcId": vpc.ref,
                "SubnetIds": _present(zones, subnets),
                "SecurityGroupIds": [group.att("GroupId")],
                "PrivateDnsEnabled": True,
                "PolicyDocument": _own_account_only(),
            },
        )


def _add_s3(
    stack: Stack,
    foundation: Foundation,
    vpc: Resource,
    zones: tuple[AvailabilityZone, ...],
    tables: list[Resource],
) -> None:
    bucket = stack.input(foundation.artifact_bucket_arn)
    own = allow(
        "ArtifactsOfThisRegion",
        ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"],
        [bucket, sub("${ArtifactBucketArn}/*")],
        {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
    )
    outcome = allow(
        "OutcomeOfTheBootstrap",
        ["s3:PutObject"],
        [sub("${ArtifactBucketArn}/bootstrap/*")],
        {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
    )
    packages = allow(
        "PackagesOfAmazonLinux",
        ["s3:GetObject"],
        [sub("arn:${AWS::Partition}:s3:::al2023-repos-${AWS::Region}-de612dc2/*")],
    )
    stack.add(
        "StorageEndpoint",
        "AWS::EC2::VPCEndpoint",
        {
            "VpcEndpointType": "Gateway",
            "ServiceName": sub("com.amazonaws.${AWS::Region}.s3"),
            "VpcId": vpc.ref,
            "RouteTableIds": _present(zones, tables),
            "PolicyDocument": policy([{**statement, "Principal": "*"} for statement in (own, outcome, packages)]),
        },
        comment="An instance reaches no other bucket: neither a stranger's, to carry data out, nor one in another "
        "region. Packages are fetched without credentials, so that statement can name no account.",
    )


def _own_account_only() -> dict[str, Value]:
    """A stolen credential of another account is no way out through the endpoint."""
    statement = allow("ThisAccount", ["*"], ["*"], {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}})
    return policy([{**statement, "Principal": "*"}])


def _present(zones: tuple[AvailabilityZone, ...], resources: list[Resource]) -> list[Value]:
    return [
        if_(zone.condition, item.ref, NO_VALUE) if zone.condition else item.ref
        for zone, item in zip(zones, resources, strict=True)
    ]
