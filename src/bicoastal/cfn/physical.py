"""How AWS names what a template creates: which property is the physical name, and what `Ref` and `Arn` then are.

Templates refer to each other's resources by name as often as by `Ref` (a log group in an agent's configuration, a
role's ARN in a policy). With this table both lead to the same resource. Types whose names AWS makes up are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bicoastal.cfn.values import ACCOUNT, Value, text_of


@dataclass(frozen=True)
class Naming:
    """Where a type's name stands and how its ARN is built from it."""

    property: str
    arn: str = ""
    """`{name}`, `{region}` and `{account}` are filled in; empty where the ARN holds something random."""
    ref_is_arn: bool = False
    everywhere: bool = False
    """One of this name in the account, not one in each region."""


NAMING: Mapping[str, Naming] = {
    "AWS::AutoScaling::AutoScalingGroup": Naming("AutoScalingGroupName"),
    "AWS::Backup::BackupVault": Naming("BackupVaultName", "arn:aws:backup:{region}:{account}:backup-vault:{name}"),
    "AWS::CloudTrail::Trail": Naming("TrailName", "arn:aws:cloudtrail:{region}:{account}:trail/{name}"),
    "AWS::CloudWatch::Alarm": Naming("AlarmName", "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"),
    "AWS::CloudWatch::CompositeAlarm": Naming("AlarmName", "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"),
    "AWS::DynamoDB::Table": Naming("TableName", "arn:aws:dynamodb:{region}:{account}:table/{name}"),
    "AWS::Events::Rule": Naming("Name", "arn:aws:events:{region}:{account}:rule/{name}"),
    "AWS::IAM::InstanceProfile": Naming(
        "InstanceProfileName", "arn:aws:iam::{account}:instance-profile/{name}", everywhere=True
    ),
    "AWS::IAM::ManagedPolicy": Naming(
        "ManagedPolicyName", "arn:aws:iam::{account}:policy/{name}", ref_is_arn=True, everywhere=True
    ),
    "AWS::IAM::Role": Naming("RoleName", "arn:aws:iam::{account}:role/{name}", everywhere=True),
    "AWS::KMS::Alias": Naming("AliasName", "arn:aws:kms:{region}:{account}:{name}"),
    "AWS::Lambda::Function": Naming("FunctionName", "arn:aws:lambda:{region}:{account}:function:{name}"),
    "AWS::Logs::LogGroup": Naming("LogGroupName", "arn:aws:logs:{region}:{account}:log-group:{name}:*"),
    "AWS::RDS::DBInstance": Naming("DBInstanceIdentifier", "arn:aws:rds:{region}:{account}:db:{name}"),
    "AWS::RDS::DBParameterGroup": Naming("DBParameterGroupName"),
    "AWS::RDS::DBSubnetGroup": Naming("DBSubnetGroupName"),
    "AWS::S3::Bucket": Naming("BucketName", "arn:aws:s3:::{name}", everywhere=True),
    "AWS::SNS::Topic": Naming("TopicName", "arn:aws:sns:{region}:{account}:{name}", ref_is_arn=True),
    "AWS::SQS::Queue": Naming("QueueName", "arn:aws:sqs:{region}:{account}:{name}"),
    "AWS::SSM::Document": Naming("Name", "arn:aws:ssm:{region}:{account}:document/{name}"),
    "AWS::SSM::Parameter": Naming("Name", "arn:aws:ssm:{region}:{account}:parameter/{name}"),
    "AWS::Scheduler::ScheduleGroup": Naming("Name", "arn:aws:scheduler:{region}:{account}:schedule-group/{name}"),
    "AWS::SecretsManager::Secret": Naming("Name"),
    "AWS::WAFv2::WebACL": Naming("Name"),
}

_ARN_ATTRIBUTES = frozenset({"Arn", "BackupVaultArn", "DBInstanceArn", "TopicArn"})


def physical(type_: str, attribute: str, name: Value, region: str) -> Value:
    """What a reference to a named resource of a type turns out to be; None where only AWS can tell."""
    naming = NAMING.get(type_)
    if naming is None:
        return None
    if attribute == "" and not naming.ref_is_arn:
        return name
    if (attribute in _ARN_ATTRIBUTES or (attribute == "" and naming.ref_is_arn)) and naming.arn:
        partition = "aws-us-gov" if region.startswith("us-gov-") else "aws-cn" if region.startswith("cn-") else "aws"
        filled = naming.arn.replace("arn:aws:", f"arn:{partition}:", 1).replace("{region}", region)
        before, _, after = filled.partition("{name}")
        return text_of([*_with_account(before), name, after])
    return None


def _with_account(text: str) -> list[Value]:
    before, hole, after = text.partition("{account}")
    return [before, ACCOUNT, after] if hole else [text]
