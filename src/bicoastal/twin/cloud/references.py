"""What a resource names must exist: where the template said so, in this region and account.

AWS's services refuse a listener for an unknown target group, a subnet of another region, a key that is being deleted.
ministack takes most names as they come, so its types are checked here before they are created, and ours with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.schemas import Refused

Json = Any
Exists = Callable[[str], bool]

_UNREAD = frozenset({
    "PolicyDocument", "AssumeRolePolicyDocument", "KeyPolicy", "Content", "DashboardBody", "ResourcePolicy", "Policies",
    "AccessPolicy", "Tags", "TagSpecifications", "EventPattern", "InputTransformer",
})  # fmt: skip
"""Properties that hold documents: what looks like a name in them is read by others, later."""


def check(type_: str, properties: Mapping[str, Json]) -> None:
    """Raise Refused for the first name that leads nowhere."""
    for path, value in _named(properties):
        name = path.rpartition(".")[2]
        rule = _BY_TYPE.get((type_, path)) or _BY_TYPE.get((type_, name)) or _EVERYWHERE.get(name)
        if rule is None or not isinstance(value, str) or not value:
            continue
        exists, message = rule
        if not exists(value):
            raise Refused(message.format(value=value, region=emulator.region()))


def _named(value: Json, name: str = "") -> Iterator[tuple[str, Json]]:
    """Every value with its property's name and that of the property around it: `AliasTarget.HostedZoneId`."""
    if isinstance(value, Mapping):
        around = name.rpartition(".")[2]
        for key, item in value.items():
            if key not in _UNREAD:
                yield from _named(item, f"{around}.{key}" if around else key)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item, name)
    else:
        yield name, value


def _stored(service: str, store: str) -> Exists:
    return lambda key: key in emulator.store(service, store)


def _live(service: str, store: str, field: str, gone: str) -> Exists:
    def exists(key: str) -> bool:
        record = emulator.store(service, store).get(key)
        return record is not None and record.get(field) != gone

    return exists


def key_is_usable(key: str) -> bool:
    """Whether a KMS key, alias or ARN is of this region, and not on its way out."""
    if key.startswith("arn:") and key.split(":")[3] != emulator.region():
        return False
    if key.startswith("alias/aws/"):
        return True
    aliases = emulator.store("kms", "_aliases")
    arn = f"arn:aws:kms:{emulator.region()}:{emulator.account()}:{key}" if key.startswith("alias/") else key
    key_id = aliases.get(arn, key.rpartition("/")[2])
    record = emulator.store("kms", "_keys").get(key_id)
    return record is not None and record.get("KeyState", "Enabled") == "Enabled"


def _role(arn: str) -> bool:
    name = arn.rpartition("/")[2]
    return "/aws-service-role/" in arn or name in emulator.store("iam", "_roles")


def _policy(arn: str) -> bool:
    return arn.startswith("arn:aws:iam::aws:policy/") or arn in emulator.store("iam", "_policies")


def _profile(name: str) -> bool:
    return name.rpartition("/")[2] in emulator.store("iam", "_instance_profiles")


def _zone(zone: str) -> bool:
    return zone.removeprefix("/hostedzone/") in emulator.store("route53", "_zones")


def _bucket(name: str) -> bool:
    return name in emulator.store("s3", "_buckets")


def _group(name: str) -> bool:
    return name in emulator.store("cloudwatch_logs", "_log_groups")


def _group_by_arn(arn: str) -> bool:
    return bool(re.match(rf"arn:aws:logs:{emulator.region()}:", arn)) and _group(arn.split(":")[6])


def _topic(arn: str) -> bool:
    return arn in emulator.store("sns", "_topics")


def _vault(arn: str) -> bool:
    _, _, _, region, _, _, name = arn.split(":", 6)
    with emulator.in_region(region):
        return name in emulator.store("backup", "_vaults")


def _action(arn: str) -> bool:
    """An alarm's action: those of services without resources are taken as they are."""
    if arn.startswith("arn:aws:sns:"):
        return _topic(arn)
    if arn.startswith("arn:aws:autoscaling:"):
        return any(policy.get("PolicyARN") == arn for policy in emulator.store("autoscaling", "_policies").values())
    return True


_SUBNET = (_stored("ec2", "_subnets"), "The subnet ID '{value}' does not exist (InvalidSubnetID.NotFound)")
_VPC = (_stored("ec2", "_vpcs"), "The vpc ID '{value}' does not exist (InvalidVpcID.NotFound)")
_SECURITY_GROUP = (
    _stored("ec2", "_security_groups"),
    "The security group '{value}' does not exist (InvalidGroup.NotFound)",
)
_TARGET_GROUP = (_stored("alb", "_tgs"), "One or more target groups not found: {value} (TargetGroupNotFound)")
_KEY = (key_is_usable, "The KMS key '{value}' does not exist in {region}, or cannot be used (NotFoundException)")
_ROLE = (_role, "The role '{value}' does not exist or cannot be assumed (InvalidParameterValue)")
_TOPIC = (_topic, "The topic '{value}' does not exist (NotFound)")
_LOG_GROUP = (_group, "The specified log group '{value}' does not exist (ResourceNotFoundException)")
_HEALTH_CHECK = (
    _stored("route53", "_health_checks"),
    "No health check exists with the specified ID {value} (NoSuchHealthCheck)",
)
_ALARM_ACTION = (_action, "Invalid alarm action: {value} does not exist (ValidationError)")
_POLICY = (_policy, "Policy {value} does not exist or is not attachable (NoSuchEntity)")
_BACKUP_VAULT = (_stored("backup", "_vaults"), "Backup vault {value} does not exist (ResourceNotFoundException)")

_EVERYWHERE: dict[str, tuple[Exists, str]] = {
    "SubnetId": _SUBNET,
    "SubnetIds": _SUBNET,
    "Subnets": _SUBNET,
    "VPCZoneIdentifier": _SUBNET,
    "VpcId": _VPC,
    "SecurityGroupIds": _SECURITY_GROUP,
    "SecurityGroups": _SECURITY_GROUP,
    "VPCSecurityGroups": _SECURITY_GROUP,
    "GroupId": _SECURITY_GROUP,
    "SourceSecurityGroupId": _SECURITY_GROUP,
    "DestinationSecurityGroupId": _SECURITY_GROUP,
    "TargetGroupArn": _TARGET_GROUP,
    "TargetGroupARNs": _TARGET_GROUP,
    "KmsKeyId": _KEY,
    "KMSKeyId": _KEY,
    "KMSMasterKeyID": _KEY,
    "KmsMasterKeyId": _KEY,
    "EncryptionKeyArn": _KEY,
    "PerformanceInsightsKMSKeyId": _KEY,
    "TargetKeyId": _KEY,
    "RoleArn": _ROLE,
    "IamRoleArn": _ROLE,
    "MonitoringRoleArn": _ROLE,
    "DeliverLogsPermissionArn": _ROLE,
    "CloudWatchLogsRoleArn": _ROLE,
    "PermissionsBoundary": _POLICY,
    "ManagedPolicyArns": _POLICY,
    "SnsTopicArn": _TOPIC,
    "SNSTopicArn": _TOPIC,
    "AlarmActions": _ALARM_ACTION,
    "OKActions": _ALARM_ACTION,
    "InsufficientDataActions": _ALARM_ACTION,
    "HealthCheckId": _HEALTH_CHECK,
    "ChildHealthChecks": _HEALTH_CHECK,
    "LoadBalancerArn": (_stored("alb", "_lbs"), "One or more load balancers not found: {value} (LoadBalancerNotFound)"),
    "ListenerArn": (_stored("alb", "_listeners"), "One or more listeners not found: {value} (ListenerNotFound)"),
    "CertificateArn": (_stored("acm", "_certificates"), "Certificate '{value}' not found (CertificateNotFound)"),
    "RouteTableId": (
        _stored("ec2", "_route_tables"),
        "The routeTable ID '{value}' does not exist (InvalidRouteTableID.NotFound)",
    ),
    "RouteTableIds": (
        _stored("ec2", "_route_tables"),
        "The routeTable ID '{value}' does not exist (InvalidRouteTableID.NotFound)",
    ),
    "NatGatewayId": (
        _live("ec2", "_nat_gateways", "State", "deleted"),
        "The natGateway ID '{value}' does not exist (NatGatewayNotFound)",
    ),
    "InternetGatewayId": (
        _stored("ec2", "_internet_gateways"),
        "The internetGateway ID '{value}' does not exist (InvalidInternetGatewayID.NotFound)",
    ),
    "VpcPeeringConnectionId": (
        _stored("ec2", "_vpc_peering"),
        "The vpcPeeringConnection ID '{value}' does not exist (InvalidVpcPeeringConnectionID.NotFound)",
    ),
    "AllocationId": (
        _stored("ec2", "_addresses"),
        "The allocation ID '{value}' does not exist (InvalidAllocationID.NotFound)",
    ),
    "NetworkAclId": (
        _stored("ec2", "_network_acls"),
        "The networkAcl ID '{value}' does not exist (InvalidNetworkAclID.NotFound)",
    ),
    "LaunchTemplateId": (
        _stored("ec2", "_launch_templates"),
        "The launch template '{value}' does not exist (InvalidLaunchTemplateId.NotFound)",
    ),
    "DBParameterGroupName": (_stored("rds", "_param_groups"), "DBParameterGroup not found: {value}"),
    "BackupPlanId": (_stored("backup", "_plans"), "Backup plan {value} does not exist (ResourceNotFoundException)"),
    "TargetBackupVault": _BACKUP_VAULT,
    "DestinationBackupVaultArn": (_vault, "Backup vault {value} does not exist (ResourceNotFoundException)"),
    "WebACLArn": (
        lambda arn: any(acl["ARN"] == arn for acl in emulator.store("waf", "_web_acls").values()),
        "The web ACL {value} does not exist in {region} (WAFNonexistentItemException)",
    ),
    "S3BucketName": (_bucket, "S3 bucket {value} does not exist (S3BucketDoesNotExistException)"),
    "CloudWatchLogsLogGroupArn": (_group_by_arn, "The log group {value} does not exist in {region}"),
}
_BY_TYPE: dict[tuple[str, str], tuple[Exists, str]] = {
    ("AWS::Route53::RecordSet", "HostedZoneId"): (_zone, "No hosted zone found with ID: {value} (NoSuchHostedZone)"),
    ("AWS::EC2::FlowLog", "LogGroupName"): _LOG_GROUP,
    ("AWS::Logs::MetricFilter", "LogGroupName"): _LOG_GROUP,
    ("AWS::S3::BucketPolicy", "Bucket"): (_bucket, "The specified bucket {value} does not exist (NoSuchBucket)"),
    ("AWS::IAM::InstanceProfile", "Roles"): (_role, "The role with name {value} cannot be found (NoSuchEntity)"),
    ("AWS::RDS::DBInstance", "DBSubnetGroupName"): (
        _stored("rds", "_subnet_groups"),
        "DB subnet group '{value}' does not exist (DBSubnetGroupNotFoundFault)",
    ),
    ("AWS::SNS::TopicPolicy", "Topics"): _TOPIC,
    ("AWS::AutoScaling::ScalingPolicy", "AutoScalingGroupName"): (
        _stored("autoscaling", "_asgs"),
        "AutoScalingGroup name not found: {value} (ValidationError)",
    ),
    ("AWS::EC2::LaunchTemplate", "Arn"): (_profile, "Invalid IAM Instance Profile ARN: {value}"),
    # The zone of a load balancer is AWS's own.
    ("AWS::Route53::RecordSet", "AliasTarget.HostedZoneId"): (lambda _: True, ""),
    # A replica is encrypted with a key of its own region: the secret's handler asks there.
    ("AWS::SecretsManager::Secret", "ReplicaRegions.KmsKeyId"): (lambda _: True, ""),
}
