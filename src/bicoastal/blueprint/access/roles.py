"""The role of the fleet's instances, and how every role here is written: named by region, bounded, one inline policy.

An instance serves the public: whoever breaks into the application gets this role. Hence what it can't do is denied by
name, so that it stays denied when somebody attaches another policy later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import Grant, allow, deny, policy, trust
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.blueprint.telemetry import fleet_logs, metric_namespace, session_log
from bicoastal.cfn.intrinsics import ACCOUNT, Commented, Value, sub

ARTIFACT_PREFIXES = ("kits", "applications", "ca")
"""Folders of the artifact bucket that instances read."""


def arn(service: str, resource: str) -> Value:
    """An ARN of this region and account; `resource` may hold pseudo parameters."""
    return sub(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{resource}")


def add_role(
    stack: Stack,
    foundation: Foundation,
    logical_id: str,
    *,
    name: str,
    description: str,
    trusted: Value,
    statements: Iterable[Value],
    comment: str = "",
) -> Resource:
    """A role with a boundary, named `<prefix>-<name>-<region>`: IAM is global, and both regions have this stack."""
    return stack.add(
        logical_id,
        "AWS::IAM::Role",
        {
            "RoleName": sub(f"{stack.spec.prefix}-{name}-${{AWS::Region}}"),
            "Description": description,
            "AssumeRolePolicyDocument": trusted,
            "PermissionsBoundary": stack.input(foundation.boundary_arn),
            "Policies": [{"PolicyName": name, "PolicyDocument": policy(statements)}],
        },
        comment=comment,
    )


def service_trust(service: str, source: str) -> dict[str, Value]:
    """Trust for an AWS service acting for resources of this account and region only (the confused deputy)."""
    condition = {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": arn(source.partition(":")[0], source.partition(":")[2])},
    }
    return trust({"Service": f"{service}.amazonaws.com"}, condition)


EC2_TRUST = trust({"Service": "ec2.amazonaws.com"})


def add_instance_role(stack: Stack, foundation: Foundation, grants: Sequence[Grant]) -> tuple[Resource, Resource]:
    """The fleet's role and its instance profile; `grants` come from the concerns that own what instances use."""
    statements = [
        *managed_instance(),
        *session_logging(stack),
        *read_artifacts(stack, foundation),
        *telemetry(stack),
        allow(
            "SignalOwnStack",
            ["cloudformation:SignalResource"],
            [arn("cloudformation", f"stack/{stack.spec.prefix}-service/*")],
        ),
        *(grant.statement(stack) for grant in grants),
        *no_elevation(),
    ]
    role = add_role(
        stack,
        foundation,
        "InstanceRole",
        name="instance",
        description="The fleet's instances: their region's secrets, artifacts, logs and metrics, nothing else.",
        trusted=EC2_TRUST,
        statements=statements,
    )
    return role, add_profile(stack, "InstanceProfile", "instance", role)


def add_profile(stack: Stack, logical_id: str, name: str, role: Resource) -> Resource:
    """The instance profile of a role."""
    return stack.add(
        logical_id,
        "AWS::IAM::InstanceProfile",
        {"InstanceProfileName": sub(f"{stack.spec.prefix}-{name}-${{AWS::Region}}"), "Roles": [role.ref]},
    )


def managed_instance() -> list[Value]:
    """What the SSM agent needs for Run Command and sessions: a part of AmazonSSMManagedInstanceCore.

    That policy also reads every parameter of the account. ec2messages is not needed since agent 3.3.40, which Amazon
    Linux 2023 exceeds: Run Command comes by ssmmessages.
    """
    channels = [f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")]
    return [
        allow("RegisterWithSystemsManager", ["ssm:UpdateInstanceInformation"], [arn("ec2", "instance/*")]),
        allow("SystemsManagerChannels", channels, [Commented("*", "These actions take no resource.")]),
    ]


def session_logging(stack: Stack) -> list[Value]:
    """The agent writes what a session shows.

    It first looks whether the group is encrypted, and needs the list for that.
    """
    group = session_log(stack.spec)
    return [
        allow("FindSessionLog", ["logs:DescribeLogGroups"], [arn("logs", "log-group:*")]),
        allow(
            "WriteSessionLog",
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [arn("logs", f"log-group:{group}:*")],
        ),
    ]


def read_artifacts(stack: Stack, foundation: Foundation) -> list[Value]:
    """Read the kit, the application and the CA bundle of this region's bucket, and decrypt these through S3 only."""
    bucket = stack.input(foundation.artifact_bucket_arn)
    return [
        allow(
            "ReadArtifacts",
            ["s3:GetObject"],
            [sub(f"${{Bucket}}/{prefix}/*", {"Bucket": bucket}) for prefix in ARTIFACT_PREFIXES],
        ),
        allow(
            "DecryptArtifacts",
            ["kms:Decrypt"],
            [stack.input(foundation.data_key_arn)],
            {
                "StringEquals": {"kms:ViaService": sub("s3.${AWS::Region}.amazonaws.com")},
                "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, sub("${Bucket}/*", {"Bucket": bucket})]},
            },
        ),
    ]


def telemetry(stack: Stack) -> list[Value]:
    """Write to the declared log groups, and metrics into our namespace."""
    groups = fleet_logs(stack.spec)
    return [
        allow(
            "WriteLogs",
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [arn("logs", f"log-group:{group}:*") for group in groups],
        ),
        allow(
            "PublishMetrics",
            ["cloudwatch:PutMetricData"],
            [Commented("*", "This action takes no resource; the condition names the one namespace.")],
            {"StringEquals": {"cloudwatch:namespace": metric_namespace(stack.spec)}},
        ),
        allow(
            "ReadOwnFleetName",
            ["ec2:DescribeTags"],
            [
                Commented(
                    "*", "The agent puts the fleet's name on metrics, and finds it so; describing takes no resource."
                )
            ],
        ),
    ]


def no_elevation() -> list[Value]:
    """What an instance never does, whatever is attached to its role later.

    Raise itself, tag itself, start machinery.
    """
    return [
        deny(
            "NoElevation",
            [
                "iam:*",
                "sts:AssumeRole",
                "ec2:AssociateIamInstanceProfile",
                "ec2:ReplaceIamInstanceProfileAssociation",
                "ec2:ModifyInstanceAttribute",
                "ec2:ModifyInstanceMetadataOptions",
                "ec2:RunInstances",
            ],
            ["*"],
        ),
        deny("NoTagging", ["ec2:CreateTags", "ec2:DeleteTags", "tag:TagResources", "tag:UntagResources"], ["*"]),
        deny(
            "NoMachinery",
            ["ssm:StartAutomationExecution", "ssm:SendCommand", "ssm:StartSession", "ssm:ResumeSession"],
            ["*"],
        ),
    ]
