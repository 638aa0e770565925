"""What AWS refuses, the twin's cloud refuses: a stand-in that takes everything proves nothing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.cloudformation import Account, until

REGION = "us-west-2"
KEY_ELSEWHERE = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
NOWHERE = "arn:aws:elasticloadbalancing:us-west-2:111122223333:targetgroup/none/0123456789abcdef"
_VPC = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}
_DATABASE = {
    "DBInstanceClass": "db.t4g.medium",
    "Engine": "postgres",
    "MasterUsername": "admin_user",
    "MasterUserPassword": "long-enough-1",
    "AllocatedStorage": "20",
}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}

REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a property that the type does not have": (
        {"It": {"Type": "AWS::SNS::Topic", "Properties": {"TopikName": "alerts"}}},
        r"extraneous key \[TopikName\] is not permitted",
    ),
    "a property deep inside that nobody knows": (
        {"Vpc": _VPC, "It": {"Type": "AWS::EC2::SecurityGroup", "Properties": {
            "GroupDescription": "x", "VpcId": {"Ref": "Vpc"},
            "SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIpp": "10.0.0.0/8"}]}}},
        r"#/SecurityGroupIngress/0: extraneous key \[CidrIpp\]",
    ),
    "a required property that is missing": (
        {"It": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {"AlarmName": "x"}}},
        r"required key \[AlarmRule\] not found",
    ),
    "a value that is not one of the enumeration": (
        {"Vpc": _VPC, "It": {"Type": "AWS::EC2::FlowLog", "Properties": {
            "ResourceId": {"Ref": "Vpc"}, "ResourceType": "VCP", "TrafficType": "ALL", "LogGroupName": "x",
            "DeliverLogsPermissionArn": "arn:aws:iam::111122223333:role/x"}}},
        "not a valid enum value",
    ),
    "a type that is wrong": (
        {"It": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": "a month"}}},
        "expected type: integer",
    ),
    "a VPC that is not there": (
        {"It": {"Type": "AWS::EC2::NetworkAcl", "Properties": {"VpcId": "vpc-0123456789abcdef0"}}},
        "The vpc ID 'vpc-0123456789abcdef0' does not exist",
    ),
    "a NAT gateway without an internet gateway": (
        {"Vpc": _VPC,
         "Net": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24"}},
         "Ip": {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}},
         "It": {"Type": "AWS::EC2::NatGateway", "Properties": {
             "SubnetId": {"Ref": "Net"}, "AllocationId": {"Fn::GetAtt": ["Ip", "AllocationId"]}}}},
        "has no Internet gateway attached",
    ),
    "a second entry of the same number": (
        {"Vpc": _VPC, "Acl": {"Type": "AWS::EC2::NetworkAcl", "Properties": {"VpcId": {"Ref": "Vpc"}}},
         "One": {"Type": "AWS::EC2::NetworkAclEntry", "Properties": {
             "NetworkAclId": {"Ref": "Acl"}, "RuleNumber": 1, "Protocol": -1, "RuleAction": "allow",
             "CidrBlock": "10.0.0.0/8"}},
         "It": {"Type": "AWS::EC2::NetworkAclEntry", "DependsOn": "One", "Properties": {
             "NetworkAclId": {"Ref": "Acl"}, "RuleNumber": 1, "Protocol": -1, "RuleAction": "deny",
             "CidrBlock": "10.0.0.0/8"}}},
        "NetworkAclEntryAlreadyExists",
    ),
    "a second route to the same place": (
        {"Vpc": _VPC, "Gate": {"Type": "AWS::EC2::InternetGateway"},
         "Table": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
         "One": {"Type": "AWS::EC2::Route", "Properties": {
             "RouteTableId": {"Ref": "Table"}, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": {"Ref": "Gate"}}},
         "It": {"Type": "AWS::EC2::Route", "DependsOn": "One", "Properties": {
             "RouteTableId": {"Ref": "Table"}, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": {"Ref": "Gate"}}}},
        "RouteAlreadyExists",
    ),
    "a peering with a VPC that is not there": (
        {"Vpc": _VPC, "It": {"Type": "AWS::EC2::VPCPeeringConnection", "Properties": {
            "VpcId": {"Ref": "Vpc"}, "PeerVpcId": "vpc-0123456789abcdef0", "PeerRegion": "us-east-1"}}},
        "does not exist in us-east-1",
    ),
    "a listener for an unknown target group": (
        {"Vpc": _VPC, "Gate": {"Type": "AWS::EC2::InternetGateway"},
         "Attached": {"Type": "AWS::EC2::VPCGatewayAttachment", "Properties": {
             "VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gate"}}},
         "NetA": {"Type": "AWS::EC2::Subnet", "Properties": {
             "VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-west-2a"}},
         "NetB": {"Type": "AWS::EC2::Subnet", "Properties": {
             "VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-west-2b"}},
         "Balancer": {"Type": "AWS::ElasticLoadBalancingV2::LoadBalancer", "DependsOn": "Attached", "Properties": {
             "Subnets": [{"Ref": "NetA"}, {"Ref": "NetB"}]}},
         "It": {"Type": "AWS::ElasticLoadBalancingV2::Listener", "Properties": {
             "LoadBalancerArn": {"Ref": "Balancer"}, "Port": 80, "Protocol": "HTTP",
             "DefaultActions": [{"Type": "forward", "TargetGroupArn": NOWHERE}]}}},
        "target groups not found",
    ),
    "a fleet for an unknown target group": (
        {"Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {
            "LaunchTemplateData": {"InstanceType": "t3.micro"}}},
         "It": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
             "MinSize": "1", "MaxSize": "1", "AvailabilityZones": ["us-west-2a"], "TargetGroupARNs": [NOWHERE],
             "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"}}}},
        "target groups not found",
    ),
    "a key of another region": (
        {"It": {"Type": "AWS::Logs::LogGroup", "Properties": {"KmsKeyId": KEY_ELSEWHERE}}},
        "does not exist in us-west-2",
    ),
    "a boundary that is not there": (
        {"It": {"Type": "AWS::IAM::Role", "Properties": {
            "AssumeRolePolicyDocument": _TRUST, "PermissionsBoundary": "arn:aws:iam::111122223333:policy/none"}}},
        "does not exist or is not attachable",
    ),
    "a replica of an unknown source": (
        {"It": {"Type": "AWS::RDS::DBInstance", "Properties": {
            "DBInstanceClass": "db.t4g.medium",
            "SourceDBInstanceIdentifier": "arn:aws:rds:us-east-1:111122223333:db:none"}}},
        "DBInstanceNotFound",
    ),
    "a master user beside a source": (
        {"It": {"Type": "AWS::RDS::DBInstance", "Properties": {
            **_DATABASE, "SourceDBInstanceIdentifier": "arn:aws:rds:us-east-1:111122223333:db:none"}}},
        "is not allowed with",
    ),
    "a source without automated backups": (
        {"Source": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete", "Properties": {
            **_DATABASE, "DBInstanceIdentifier": "without-backups", "BackupRetentionPeriod": 0}},
         "It": {"Type": "AWS::RDS::DBInstance", "DependsOn": "Source", "DeletionPolicy": "Delete", "Properties": {
             "DBInstanceClass": "db.t4g.medium", "SourceDBInstanceIdentifier": "without-backups"}}},
        "Automated backups are not enabled",
    ),
    "a password that RDS does not take": (
        {"It": {"Type": "AWS::RDS::DBInstance", "Properties": {**_DATABASE, "MasterUserPassword": "with@sign-in"}}},
        "MasterUserPassword is not a valid password",
    ),
    "events of a database that is not there": (
        {"Topic": {"Type": "AWS::SNS::Topic"}, "It": {"Type": "AWS::RDS::EventSubscription", "Properties": {
            "SnsTopicArn": {"Ref": "Topic"}, "SourceType": "db-instance", "SourceIds": ["none"]}}},
        "SourceNotFound",
    ),
    "a health check on an alarm with metric math": (
        {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "AlarmName": "math", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1,
            "Metrics": [{"Id": "sum", "Expression": "1 + 1"}]}},
         "It": {"Type": "AWS::Route53::HealthCheck", "DependsOn": "Alarm", "Properties": {"HealthCheckConfig": {
             "Type": "CLOUDWATCH_METRIC", "AlarmIdentifier": {"Name": "math", "Region": REGION}}}}},
        "metric math",
    ),
    "a calculated check of a calculated check": (
        {"Leaf": {"Type": "AWS::Route53::HealthCheck", "Properties": {"HealthCheckConfig": {
            "Type": "HTTPS", "FullyQualifiedDomainName": "example.com"}}},
         "Inner": {"Type": "AWS::Route53::HealthCheck", "Properties": {"HealthCheckConfig": {
             "Type": "CALCULATED", "ChildHealthChecks": [{"Ref": "Leaf"}], "HealthThreshold": 1}}},
         "It": {"Type": "AWS::Route53::HealthCheck", "Properties": {"HealthCheckConfig": {
             "Type": "CALCULATED", "ChildHealthChecks": [{"Ref": "Inner"}], "HealthThreshold": 1}}}},
        "cannot monitor",
    ),
    "an alarm that tells a topic that is not there": (
        {"It": {"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "MetricName": "x", "Namespace": "x", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1,
            "Threshold": 1, "Period": 60, "Statistic": "Sum",
            "AlarmActions": ["arn:aws:sns:us-west-2:111122223333:none"]}}},
        "Invalid alarm action",
    ),
    "a composite alarm of an alarm that is not there": (
        {"It": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": {"AlarmRule": 'ALARM("none")'}}},
        "do not exist",
    ),
    "a document whose step leads nowhere": (
        {"It": {"Type": "AWS::SSM::Document", "Properties": {"DocumentType": "Automation", "Content": {
            "schemaVersion": "0.3",
            "mainSteps": [
                {"name": "One", "action": "aws:sleep", "nextStep": "Two", "inputs": {"Duration": "PT1S"}}]}}}},
        "leads to Two",
    ),
    "a secret's replica with a key of the wrong region": (
        {"It": {"Type": "AWS::SecretsManager::Secret", "Properties": {
            "GenerateSecretString": {}, "ReplicaRegions": [{"Region": "eu-west-1", "KmsKeyId": KEY_ELSEWHERE}]}}},
        "does not exist in eu-west-1",
    ),
    "a web ACL's log to a group without the prefix": (
        {"Acl": {"Type": "AWS::WAFv2::WebACL", "Properties": {
            "Name": "web", "Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": {
                "CloudWatchMetricsEnabled": True, "MetricName": "web", "SampledRequestsEnabled": False}}},
         "It": {"Type": "AWS::WAFv2::LoggingConfiguration", "Properties": {
             "ResourceArn": {"Fn::GetAtt": ["Acl", "Arn"]},
             "LogDestinationConfigs": ["arn:aws:logs:us-west-2:111122223333:log-group:mine"]}}},
        "begins with aws-waf-logs-",
    ),
    "a trail whose bucket does not let it write": (
        {"Bucket": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Delete"},
         "It": {"Type": "AWS::CloudTrail::Trail", "Properties": {
             "IsLogging": True, "S3BucketName": {"Ref": "Bucket"}}}},
        "InsufficientS3BucketPolicy",
    ),
    "a backup plan's vault that is not there": (
        {"It": {"Type": "AWS::Backup::BackupPlan", "Properties": {"BackupPlan": {
            "BackupPlanName": "x", "BackupPlanRule": [{"RuleName": "x", "TargetBackupVault": "none"}]}}}},
        "Backup vault none does not exist",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_what_aws_refuses_is_refused(account: Account, what: str) -> None:
    resources, reason = REFUSALS[what]
    cloudformation = account.client("cloudformation", REGION)
    name = "refused-" + "".join(letter for letter in what if letter.isalpha())
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps({"Resources": resources}),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    for _ in until(what):
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [
        event["ResourceStatusReason"]
        for event in events
        if event["LogicalResourceId"] == "It" and event["ResourceStatus"] == "CREATE_FAILED"
    ]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reasons
    assert re.search(reason, reasons[0]), reasons[0]
