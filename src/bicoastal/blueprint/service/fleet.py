"""The region's instances: a launch template, and an Auto Scaling group across the Availability Zones of the stack.

The template has no DesiredCapacity: every update of the stack would set the fleet back to it, in the middle of a
peak or of a failover. The image is chosen once and kept, for the same reason (see `_image`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from bicoastal.blueprint.service.balancer import Balancer
from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value
from bicoastal.spec.model import Spec
from bicoastal.spec.offers import architecture

LOGICAL_ID: Final = "Fleet"
"""The kit signals this resource."""
TEMPLATE_ID: Final = "LaunchTemplate"
VOLUME_GIB: Final = 16
WARMUP_S: Final = 180
"""Seconds from launch until an instance takes its share: boot, four packages, two bundles. Set from AWS's usual
figures, not measured by us: compare with the fleet's activity history and change it."""
_GRACE_S: Final = 600
"""Boot, and then all the time that `signal` gives the application: an instance whose first start fails is to say why
before Auto Scaling replaces it. Nobody is sent to it meanwhile: the balancer waits for its health path."""
_SIGNAL_TIMEOUT: Final = "PT15M"
NO_IMAGE: Final = "ami-00000000000000000"
"""Stands for an image until one is chosen: images differ by region and date, and templates do not."""
_IMAGE_PARAMETER: Final = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{}"


@dataclass(frozen=True)
class Fleet:
    """The group, and its name as its metrics have it."""

    group: Resource
    name: Value

    @property
    def dimensions(self) -> list[Value]:
        """The group in the metrics of Auto Scaling, EC2 and the agent."""
        return [{"Name": "AutoScalingGroupName", "Value": self.name}]


def fleet(
    stack: Stack,
    balancer: Balancer,
    *,
    subnets: Value,
    security_group: Value,
    instance_profile: Value,
    data_key: Value,
    user_data: Value,
    after: Sequence[Resource],
) -> Fleet:
    """Instances in `subnets`, in both target groups. `after` is what must stand before the first instance boots."""
    template = _launch_template(stack, security_group, instance_profile, data_key, user_data)
    group = _group(stack, balancer, template, subnets, after)
    return Fleet(group, group.ref)


def burstable(spec: Spec) -> bool:
    """Whether the instances live on CPU credits."""
    return re.match(r"t\d", spec.instances.type) is not None


def _image(stack: Stack) -> Value:
    """The image that every instance boots, until another one is chosen.

    Not a parameter of type AWS::SSM::Parameter::Value: CloudFormation would look the newest image up at every update of
    the stack, so that recording a flipped switch replaced the whole surviving fleet in the middle of a failover.
    """
    name = _IMAGE_PARAMETER.format(architecture(stack.spec.instances.type))
    return stack.chosen(
        "ImageId",
        f"image:{name}",
        NO_IMAGE,
        "Amazon Linux 2023. Another image replaces the fleet, in batches.",
        type_="AWS::EC2::Image::Id",
    )


def _launch_template(
    stack: Stack, security_group: Value, instance_profile: Value, data_key: Value, user_data: Value
) -> Resource:
    spec = stack.spec
    data = {
        "ImageId": _image(stack),
        "InstanceType": spec.instances.type,
        "IamInstanceProfile": {"Arn": instance_profile},
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "disabled",
        },
        "NetworkInterfaces": [
            {
                "DeviceIndex": 0,
                "AssociatePublicIpAddress": False,
                "DeleteOnTermination": True,
                "Groups": [security_group],
            }
        ],
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/xvda",
                "Ebs": {
                    "VolumeType": "gp3",
                    "VolumeSize": VOLUME_GIB,
                    "Encrypted": True,
                    "KmsKeyId": data_key,
                    "DeleteOnTermination": True,
                },
            }
        ],
        "Monitoring": Commented(
            {"Enabled": True}, "CPU by the minute: every five minutes would be too late to scale on."
        ),
        **_credits(spec),
        "InstanceInitiatedShutdownBehavior": "terminate",
        "UserData": user_data,
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": stack.tags(DataClass.OPERATIONAL, f"{spec.prefix}-fleet")}
            for kind in ("instance", "volume", "network-interface")
        ],
    }
    return stack.add(
        TEMPLATE_ID,
        "AWS::EC2::LaunchTemplate",
        {
            "LaunchTemplateData": data,
            "TagSpecifications": [
                {"ResourceType": "launch-template", "Tags": stack.tags(DataClass.NONE, f"{spec.prefix}-fleet")}
            ],
        },
        comment="No key pair: nobody logs in but through the break-glass document.",
    )


def _credits(spec: Spec) -> dict[str, Value]:
    if not burstable(spec):
        return {}
    return {
        "CreditSpecification": Commented(
            {"CpuCredits": "unlimited"},
            "`standard` slows an instance down when its credits are spent, and then shows a low CPU: it would never "
            "scale out. An alarm says when surplus credits cost money.",
        )
    }


def _group(stack: Stack, balancer: Balancer, template: Resource, subnets: Value, after: Sequence[Resource]) -> Resource:
    spec = stack.spec
    return stack.add(
        LOGICAL_ID,
        "AWS::AutoScaling::AutoScalingGroup",
        {
            "AutoScalingGroupName": f"{spec.prefix}-fleet",
            "LaunchTemplate": {"LaunchTemplateId": template.ref, "Version": template.att("LatestVersionNumber")},
            "VPCZoneIdentifier": subnets,
            "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
            "MinSize": str(spec.instances.min),
            "MaxSize": str(spec.instances.max),
            "TargetGroupARNs": [balancer.application_targets.ref, balancer.gate_targets.ref],
            "HealthCheckType": "ELB",
            "HealthCheckGracePeriod": _GRACE_S,
            "DefaultInstanceWarmup": WARMUP_S,
            "CapacityRebalance": False,
            "InstanceMaintenancePolicy": Commented(
                {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150},
                "An instance is launched before the one that it replaces goes.",
            ),
            "MetricsCollection": Commented(
                [{"Granularity": "1Minute"}],
                "All group metrics, off by default: spill-over reads GroupInServiceInstances.",
            ),
        },
        comment="Starts at the minimum. No DesiredCapacity: an update of the stack would undo what scaling did.",
        depends_on=[balancer.https, *after],
        data_class=DataClass.OPERATIONAL,
        CreationPolicy={
            "AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": 100},
            "ResourceSignal": {"Count": spec.instances.min, "Timeout": _SIGNAL_TIMEOUT},
        },
        UpdatePolicy={
            "AutoScalingRollingUpdate": {
                "MinInstancesInService": Commented(
                    min(spec.instances.min, spec.instances.max - 1), "Must be below the maximum."
                ),
                "MaxBatchSize": ceil(spec.instances.max / 6),
                "MinSuccessfulInstancesPercent": 100,
                "WaitOnResourceSignals": True,
                "PauseTime": _SIGNAL_TIMEOUT,
                "SuspendProcesses": Commented(
                    [
                        "HealthCheck",
                        "ReplaceUnhealthy",
                        "AZRebalance",
                        "AlarmNotification",
                        "ScheduledActions",
                        "InstanceRefresh",
                    ],
                    "Each of these would change the group under CloudFormation's hands and fail the update.",
                ),
            },
        },
    )
