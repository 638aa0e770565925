"""The tags of everything (M10), and where each resource type takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bicoastal.cfn.intrinsics import Value
from bicoastal.spec.model import Spec


def stack_tags(spec: Spec) -> dict[str, str]:
    """Tags that are the same on every resource: cost center, environment, application, managed-by, the spec's own."""
    return {
        "cost-center": spec.cost_center,
        "environment": spec.environment,
        "application": spec.name,
        "managed-by": "bicoastal",
        **spec.tags,
    }


def tag_list(spec: Spec, data_class: str, name: str = "") -> list[Value]:
    """The tags as CloudFormation's usual list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in _all(spec, data_class, name).items()]


def _all(spec: Spec, data_class: str, name: str) -> dict[str, str]:
    named = {"Name": name} if name else {}
    return {**named, **stack_tags(spec), "data-class": data_class}


@dataclass(frozen=True)
class TagProperty:
    """Where and how a type takes tags. `named`: people look for it by its `Name` tag in the console."""

    property: str = "Tags"
    as_map: bool = False
    named: bool = False
    propagate: bool = False

    def render(self, spec: Spec, data_class: str, name: str) -> Value:
        """The property's value."""
        tags: Mapping[str, str] = _all(spec, data_class, name if self.named else "")
        if self.as_map:
            return dict(tags)
        more = {"PropagateAtLaunch": True} if self.propagate else {}
        return [{"Key": key, "Value": value, **more} for key, value in tags.items()]


_LIST = TagProperty()
_NAMED = TagProperty(named=True)

TAG_PROPERTIES: Mapping[str, TagProperty] = {
    "AWS::AutoScaling::AutoScalingGroup": TagProperty(named=True, propagate=True),
    "AWS::Backup::BackupPlan": TagProperty("BackupPlanTags", as_map=True),
    "AWS::Backup::BackupVault": TagProperty("BackupVaultTags", as_map=True),
    "AWS::Backup::RestoreTestingPlan": _LIST,
    "AWS::CertificateManager::Certificate": _NAMED,
    "AWS::CloudTrail::Trail": _LIST,
    "AWS::CloudWatch::Alarm": _LIST,
    "AWS::CloudWatch::CompositeAlarm": _LIST,
    "AWS::CloudWatch::Dashboard": _LIST,
    "AWS::EC2::EIP": _NAMED,
    "AWS::EC2::FlowLog": _NAMED,
    "AWS::EC2::InternetGateway": _NAMED,
    "AWS::EC2::NatGateway": _NAMED,
    "AWS::EC2::NetworkAcl": _NAMED,
    "AWS::EC2::RouteTable": _NAMED,
    "AWS::EC2::SecurityGroup": _NAMED,
    "AWS::EC2::Subnet": _NAMED,
    "AWS::EC2::VPC": _NAMED,
    "AWS::EC2::VPCEndpoint": _NAMED,
    "AWS::EC2::VPCPeeringConnection": _NAMED,
    "AWS::ElasticLoadBalancingV2::Listener": _LIST,
    "AWS::ElasticLoadBalancingV2::ListenerRule": _LIST,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _LIST,
    "AWS::ElasticLoadBalancingV2::TargetGroup": _LIST,
    "AWS::Events::Rule": _LIST,
    "AWS::IAM::Role": _LIST,
    "AWS::KMS::Key": _NAMED,
    "AWS::KinesisFirehose::DeliveryStream": _LIST,
    "AWS::Logs::LogGroup": _LIST,
    "AWS::RDS::DBInstance": _LIST,
    "AWS::RDS::DBParameterGroup": _LIST,
    "AWS::RDS::DBSubnetGroup": _LIST,
    "AWS::RDS::EventSubscription": _LIST,
    "AWS::Route53::HealthCheck": TagProperty("HealthCheckTags", named=True),
    "AWS::Route53::HostedZone": TagProperty("HostedZoneTags"),
    "AWS::S3::Bucket": _LIST,
    "AWS::SNS::Topic": _LIST,
    "AWS::SSM::Document": _LIST,
    "AWS::SSM::Parameter": TagProperty(as_map=True),
    "AWS::Scheduler::ScheduleGroup": _LIST,
    "AWS::SecretsManager::Secret": _LIST,
    "AWS::WAFv2::WebACL": _LIST,
}
"""A type that is not here takes no tags in CloudFormation (a test holds this against AWS's schemas)."""
