"""The document, the roles and the launch template of the bootstrap instance.

No instance of the fleet can read the master's or the owner's password. The one that can lives for minutes, serves
nobody, and is started by `deploy` through Automation: it tells its outcome as an object in the artifact bucket, which
the document awaits with a deadline. Whatever happens, the document terminates the instance; should the document die,
the instance's own timer does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.access.documents import (
    Then,
    add_document,
    automation,
    call_api,
    parameter,
    run_script,
    wait_for,
)
from bicoastal.blueprint.access.roles import (
    EC2_TRUST,
    add_profile,
    add_role,
    arn,
    managed_instance,
    no_elevation,
    read_artifacts,
    service_trust,
)
from bicoastal.blueprint.bootstrap.instance import bootstrap_user_data
from bicoastal.blueprint.database import Database
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow
from bicoastal.blueprint.network import Network
from bicoastal.blueprint.secrets import Secrets
from bicoastal.blueprint.service.fleet import NO_IMAGE
from bicoastal.blueprint.stack import Output, Resource, Stack
from bicoastal.cfn.intrinsics import Value, select, sub
from bicoastal.spec.model import Spec
from bicoastal.spec.offers import architecture

DEADLINE_S: Final = 3900
"""Seconds until the document gives up: the instance's own boot and deadline fit in."""
_IMAGE: Final = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default"
_INSTANCE: Final = "{{ Launch.InstanceId }}"

_VERDICT: Final = '''\
import boto3

def verdict(events, context):
    """Fail with the end of the instance's log unless its outcome says that it succeeded."""
    answer = boto3.client("s3").get_object(Bucket=events["Bucket"], Key=events["Key"])
    first, _, log = answer["Body"].read().decode("utf-8", "replace").partition("\\n")
    if first.strip() != "succeeded":
        raise RuntimeError(first + "; the end of its log:\\n" + log[-2000:])
    return {"Verdict": first.strip()}
'''


@dataclass(frozen=True)
class Bootstrap:
    """What `deploy` starts, and the stack that holds it."""

    stack: Stack
    document: Output
    launch_template_id: Output
    automation_role_arn: Output


def bootstrap(spec: Spec, foundation: Foundation, network: Network, secrets: Secrets, database: Database) -> Bootstrap:
    """Launch template, roles and document, in both regions: after a failover, releases run in the survivor."""
    stack = Stack(
        spec, "bootstrap", "Prepares the database and runs the release command, on an instance that lives for minutes"
    )
    role = _instance_role(stack, foundation, secrets)
    profile = add_profile(stack, "BootstrapProfile", "bootstrap", role)
    data = bootstrap_user_data(stack, foundation, secrets, host=database.database_host, port=database.database_port)
    template = _launch_template(stack, foundation, network, profile, data)
    automation_role = _automation_role(stack, foundation, network, template, role)
    document = _document(stack, foundation, network, template, automation_role)
    return Bootstrap(
        stack=stack,
        document=stack.output("BootstrapDocument", document.ref, "Prepares the database and releases the application"),
        launch_template_id=stack.output("BootstrapLaunchTemplateId", template.ref, "The bootstrap instance's template"),
        automation_role_arn=stack.output(
            "BootstrapAutomationRoleArn",
            automation_role.att("Arn"),
            "Whoever starts the document passes this role",
        ),
    )


def instance_name(spec: Spec) -> str:
    """The bootstrap instance's `Name`: what the document's role may terminate."""
    return f"{spec.prefix}-bootstrap"


def _instance_role(stack: Stack, foundation: Foundation, secrets: Secrets) -> Resource:
    bucket = stack.input(foundation.artifact_bucket_arn)["Ref"]
    statements = [
        *managed_instance(),
        *read_artifacts(stack, foundation),
        *(grant.statement(stack) for grant in secrets.bootstrap_grants),
        allow("TellOutcome", ["s3:PutObject"], [sub(f"${{{bucket}}}/bootstrap/*")]),
        allow(
            "EncryptOutcome",
            ["kms:GenerateDataKey"],
            [stack.input(foundation.data_key_arn)],
            {"StringEquals": {"kms:ViaService": sub("s3.${AWS::Region}.amazonaws.com")}},
        ),
        *no_elevation(),
    ]
    return add_role(
        stack,
        foundation,
        "BootstrapRole",
        name="bootstrap",
        description="The bootstrap instance: reads the master's and the owner's password while it lives.",
        trusted=EC2_TRUST,
        statements=statements,
    )


def _launch_template(
    stack: Stack, foundation: Foundation, network: Network, profile: Resource, user_data: Value
) -> Resource:
    image = stack.chosen(
        "ImageId",
        f"image:{_IMAGE}-{architecture(stack.spec.instances.type)}",
        NO_IMAGE,
        "Amazon Linux 2023.",
        type_="AWS::EC2::Image::Id",
    )
    data: dict[str, Value] = {
        "ImageId": image,
        "InstanceType": stack.spec.instances.type,
        "IamInstanceProfile": {"Arn": profile.att("Arn")},
        "InstanceInitiatedShutdownBehavior": "terminate",
        "SecurityGroupIds": [stack.input(network.fleet_group)],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {
                    "VolumeType": "gp3",
                    "VolumeSize": 20,
                    "Encrypted": True,
                    "KmsKeyId": stack.input(foundation.data_key_arn),
                    "DeleteOnTermination": True,
                },
            }
        ],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": stack.tags(name=instance_name(stack.spec))}
            for kind in ("instance", "volume", "network-interface")
        ],
        "UserData": user_data,
    }
    tags = [{"ResourceType": "launch-template", "Tags": stack.tags()}]
    return stack.add(
        "BootstrapTemplate", "AWS::EC2::LaunchTemplate", {"LaunchTemplateData": data, "TagSpecifications": tags}
    )


def _document(stack: Stack, foundation: Foundation, network: Network, template: Resource, role: Resource) -> Resource:
    bucket = stack.input(foundation.artifact_bucket)
    outcome = f"bootstrap/{_INSTANCE}/outcome"
    steps = [
        call_api(
            "Launch",
            "ec2",
            "RunInstances",
            {
                "LaunchTemplate": {"LaunchTemplateId": template.ref, "Version": template.att("LatestVersionNumber")},
                "SubnetId": "{{ SubnetId }}",
                "MinCount": 1,
                "MaxCount": 1,
                "ClientToken": "{{ automation:EXECUTION_ID }}",
            },
            outputs={"InstanceId": "$.Instances[0].InstanceId"},
            then=Then(attempts=3),
        ),
        wait_for(
            "AwaitOutcome",
            "s3",
            "ListObjectsV2",
            {"Bucket": bucket, "Prefix": outcome},
            selector="$.KeyCount",
            values=[1],
            then=Then(on_failure="Terminate", on_cancel="Terminate", timeout_seconds=DEADLINE_S),
        ),
        run_script(
            "RequireSuccess",
            _VERDICT,
            "verdict",
            {"Bucket": bucket, "Key": outcome},
            then=Then(on_failure="Terminate", on_cancel="Terminate"),
        ),
        call_api(
            "Terminate", "ec2", "TerminateInstances", {"InstanceIds": [_INSTANCE]}, then=Then(attempts=5, end=True)
        ),
    ]
    return add_document(
        stack,
        "BootstrapDocument",
        f"{stack.spec.prefix}-bootstrap",
        "Automation",
        automation(
            "Prepare the database and run the release command, on an instance of its own; succeeds only if both did.",
            role.att("Arn"),
            {
                "SubnetId": parameter(
                    "The private subnet to run in; another one if this zone is in trouble.",
                    default=select(0, stack.input(network.app_subnets)),
                    allowedPattern="^subnet-[0-9a-f]{8,17}$",
                )
            },
            steps,
        ),
        comment="Failing and cancelling lead to Terminate; where even that fails, the instance's own timer is left.",
    )


def _automation_role(
    stack: Stack, foundation: Foundation, network: Network, template: Resource, instance_role: Resource
) -> Resource:
    launch_template = arn("ec2", f"launch-template/${{{template.logical_id}}}")
    bucket = stack.input(foundation.artifact_bucket_arn)["Ref"]
    ours = {"StringEquals": {"aws:ResourceTag/Name": instance_name(stack.spec)}}
    statements = [
        allow(
            "LaunchFromTemplateOnly",
            ["ec2:RunInstances"],
            [arn("ec2", f"{kind}/*") for kind in ("instance", "network-interface", "volume")],
            {"ArnEquals": {"ec2:LaunchTemplate": launch_template}},
        ),
        allow(
            "LaunchWith",
            ["ec2:RunInstances"],
            [
                launch_template,
                arn("ec2", f"security-group/${{{stack.input(network.fleet_group)['Ref']}}}"),
                sub("arn:${AWS::Partition}:ec2:${AWS::Region}::image/${ImageId}"),
            ],
        ),
        allow(
            "LaunchInOurNetwork",
            ["ec2:RunInstances"],
            [arn("ec2", "subnet/*")],
            {"ArnEquals": {"ec2:Vpc": arn("ec2", f"vpc/${{{stack.input(network.vpc_id)['Ref']}}}")}},
        ),
        allow(
            "TagAtLaunch",
            ["ec2:CreateTags"],
            [arn("ec2", f"{kind}/*") for kind in ("instance", "network-interface", "volume")],
            {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
        ),
        allow(
            "HandRoleToInstance",
            ["iam:PassRole"],
            [instance_role.att("Arn")],
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
        *_encrypted_volume(stack, foundation),
        allow(
            "AwaitOutcome",
            ["s3:ListBucket"],
            [stack.input(foundation.artifact_bucket_arn)],
            {"StringLike": {"s3:prefix": "bootstrap/*"}},
        ),
        allow("ReadOutcome", ["s3:GetObject"], [sub(f"${{{bucket}}}/bootstrap/*")]),
        allow(
            "DecryptOutcome",
            ["kms:Decrypt"],
            [stack.input(foundation.data_key_arn)],
            {"StringEquals": {"kms:ViaService": sub("s3.${AWS::Region}.amazonaws.com")}},
        ),
        allow("Terminate", ["ec2:TerminateInstances"], [arn("ec2", "instance/*")], ours),
    ]
    return add_role(
        stack,
        foundation,
        "BootstrapAutomationRole",
        name="bootstrap-launch",
        description="The bootstrap document runs as this: starts and ends the one instance.",
        trusted=service_trust("ssm", "ssm:automation-execution/*"),
        statements=statements,
    )


def _encrypted_volume(stack: Stack, foundation: Foundation) -> list[Value]:
    """EC2 makes the volume with the launcher's rights: without these, the instance ends before it has begun."""
    key = [stack.input(foundation.data_key_arn)]
    via = {"kms:ViaService": sub("ec2.${AWS::Region}.amazonaws.com")}
    return [
        allow(
            "EncryptVolume",
            [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            key,
            {"StringEquals": via},
        ),
        allow(
            "LendKeyToVolume",
            ["kms:CreateGrant"],
            key,
            {"StringEquals": via, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
    ]
