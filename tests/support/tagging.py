"""What each service says itself of a resource's tags, and under which ARN the tagging API has the resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.cloudformation import Account

Json = Any
NO_TAGGING_API = ("AWS::AutoScaling::AutoScalingGroup", "AWS::CloudWatch::Dashboard", "AWS::IAM::Role")
"""Types that take tags, and that GetResources does not answer with in a region."""
_ARNS: Mapping[str, str] = {
    "AWS::Backup::BackupPlan": "backup:{region}:{account}:backup-plan:{id}",
    "AWS::Backup::BackupVault": "backup:{region}:{account}:backup-vault:{id}",
    "AWS::Backup::RestoreTestingPlan": "backup:{region}:{account}:restore-testing-plan:{id}",
    "AWS::CloudTrail::Trail": "cloudtrail:{region}:{account}:trail/{id}",
    "AWS::CloudWatch::Alarm": "cloudwatch:{region}:{account}:alarm:{id}",
    "AWS::CloudWatch::CompositeAlarm": "cloudwatch:{region}:{account}:alarm:{id}",
    "AWS::EC2::EIP": "ec2:{region}:{account}:elastic-ip/{id}",
    "AWS::EC2::FlowLog": "ec2:{region}:{account}:vpc-flow-log/{id}",
    "AWS::EC2::InternetGateway": "ec2:{region}:{account}:internet-gateway/{id}",
    "AWS::EC2::NatGateway": "ec2:{region}:{account}:natgateway/{id}",
    "AWS::EC2::NetworkAcl": "ec2:{region}:{account}:network-acl/{id}",
    "AWS::EC2::RouteTable": "ec2:{region}:{account}:route-table/{id}",
    "AWS::EC2::SecurityGroup": "ec2:{region}:{account}:security-group/{id}",
    "AWS::EC2::Subnet": "ec2:{region}:{account}:subnet/{id}",
    "AWS::EC2::VPC": "ec2:{region}:{account}:vpc/{id}",
    "AWS::EC2::VPCEndpoint": "ec2:{region}:{account}:vpc-endpoint/{id}",
    "AWS::EC2::VPCPeeringConnection": "ec2:{region}:{account}:vpc-peering-connection/{id}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{id}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{id}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{id}",
    "AWS::RDS::DBInstance": "rds:{region}:{account}:db:{id}",
    "AWS::RDS::DBParameterGroup": "rds:{region}:{account}:pg:{id}",
    "AWS::RDS::DBSubnetGroup": "rds:{region}:{account}:subgrp:{id}",
    "AWS::RDS::EventSubscription": "rds:{region}:{account}:es:{id}",
    "AWS::Route53::HealthCheck": "route53:::healthcheck/{id}",
    "AWS::Route53::HostedZone": "route53:::hostedzone/{id}",
    "AWS::S3::Bucket": "s3:::{id}",
    "AWS::SSM::Document": "ssm:{region}:{account}:document/{id}",
    "AWS::Scheduler::ScheduleGroup": "scheduler:{region}:{account}:schedule-group/{id}",
}
"""For the types whose physical id is no ARN."""


def arn_of(account: Account, region: str, kind: str, id_: str) -> str:
    """Of a resource that CloudFormation made."""
    if kind == "AWS::WAFv2::WebACL":
        name, key, scope = id_.split("|")
        acl = account.client("wafv2", region).get_web_acl(Name=name, Id=key, Scope=scope)
        return str(acl["WebACL"]["ARN"])
    if kind == "AWS::EC2::EIP":
        # Its physical id is the address.
        found = account.client("ec2", region).describe_addresses(PublicIps=[id_])
        id_ = found["Addresses"][0]["AllocationId"]
    if id_.startswith("arn:"):
        return id_
    number = account.client("sts", region).get_caller_identity()["Account"]
    return "arn:aws:" + _ARNS[kind].format(region=region, account=number, id=id_)


def own_tags(account: Account, region: str, arn: str) -> dict[str, str]:
    """By the calls of the resource's own service."""
    service = arn.split(":")[2]
    names = {"elasticloadbalancing": "elbv2"}
    return _OWN[service](account.client(names.get(service, service), region), arn)


def _listed(tags: list[Json], key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {tag[key]: tag[value] for tag in tags}


def _ec2(client: Any, arn: str) -> dict[str, str]:
    found = client.describe_tags(Filters=[{"Name": "resource-id", "Values": [arn.rpartition("/")[2]]}])["Tags"]
    return _listed(found)


def _ssm(client: Any, arn: str) -> dict[str, str]:
    found = client.list_tags_for_resource(ResourceType="Document", ResourceId=arn.partition("document/")[2])
    return _listed(found["TagList"])


def _route53(client: Any, arn: str) -> dict[str, str]:
    kind, _, id_ = arn.rpartition(":")[2].partition("/")
    found = client.list_tags_for_resource(ResourceType=kind, ResourceId=id_)
    return _listed(found["ResourceTagSet"]["Tags"])


_OWN: Mapping[str, Callable[[Any, str], dict[str, str]]] = {
    "acm": lambda client, arn: _listed(client.list_tags_for_certificate(CertificateArn=arn)["Tags"]),
    "backup": lambda client, arn: client.list_tags(ResourceArn=arn)["Tags"],
    "cloudtrail": lambda client, arn: _listed(client.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"]),
    "cloudwatch": lambda client, arn: _listed(client.list_tags_for_resource(ResourceARN=arn)["Tags"]),
    "ec2": _ec2,
    "elasticloadbalancing": lambda client, arn: _listed(
        client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
    ),
    "events": lambda client, arn: _listed(client.list_tags_for_resource(ResourceARN=arn)["Tags"]),
    "kms": lambda client, arn: _listed(client.list_resource_tags(KeyId=arn)["Tags"], "TagKey", "TagValue"),
    "logs": lambda client, arn: client.list_tags_for_resource(resourceArn=arn)["tags"],
    "rds": lambda client, arn: _listed(client.list_tags_for_resource(ResourceName=arn)["TagList"]),
    "route53": _route53,
    "s3": lambda client, arn: _listed(client.get_bucket_tagging(Bucket=arn.rpartition(":")[2])["TagSet"]),
    "scheduler": lambda client, arn: _listed(client.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    "secretsmanager": lambda client, arn: _listed(client.describe_secret(SecretId=arn)["Tags"]),
    "sns": lambda client, arn: _listed(client.list_tags_for_resource(ResourceArn=arn)["Tags"]),
    "ssm": _ssm,
    "wafv2": lambda client, arn: _listed(
        client.list_tags_for_resource(ResourceARN=arn)["TagInfoForResource"]["TagList"]
    ),
}
