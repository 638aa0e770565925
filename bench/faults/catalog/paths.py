"""What is wrong with networks, with wires between stacks, with secrets, and with the failover itself."""

from __future__ import annotations

from bench.faults.base import USER_DATA, of, policy, ref, statement, sub, trust
from bench.faults.fault import GONE, Fault

_SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}


def _document(name: str, *calls: tuple[str, str]) -> object:
    return of(
        "SSM::Document",
        Name=name,
        DocumentType="Automation",
        Content={
            "schemaVersion": "0.3",
            "description": "Failover of the shop",
            "mainSteps": [
                {"name": api, "action": "aws:executeAwsApi", "inputs": {"Service": service, "Api": api}}
                for service, api in calls
            ],
        },
    )


FAULTS = (
    Fault("peering-blocks-overlap", {("west", "Vpc", "CidrBlock"): "10.0.128.0/17"}, "inside"),
    Fault(
        "group-of-other-region",
        {
            ("east", "DataGroup", "SecurityGroupIngress", 1): {
                "IpProtocol": "tcp",
                "FromPort": 5432,
                "ToPort": 5432,
                "SourceSecurityGroupId": ref("WestGroup"),
            }
        },
        feeds={"east": {"WestGroup": ("west", "AppGroupId")}},
        gives={"west": {"AppGroupId": ref("AppGroup")}},
    ),
    Fault("one-nat-gateway-for-all-zones", {("west", "AppRouteB", "NatGatewayId"): ref("NatA")}),
    Fault("nat-gateway-without-way-out", {("east", "NatA", "SubnetId"): ref("AppSubnetA")}),
    Fault("instances-without-way-out", {("east", "AppRouteB"): GONE}),
    Fault("subnet-blocks-clash", {("east", "AppSubnetB", "CidrBlock"): "10.0.20.0/22"}, "overlap"),
    Fault("subnet-blocks-clash", {("west", "DataSubnetB", "CidrBlock"): "10.2.40.0/21"}, "outside"),
    Fault("administration-open-to-the-world", {("east", "AppGroup", "SecurityGroupIngress", 0): _SSH}, "ssh"),
    Fault(
        "administration-open-to-the-world",
        {("west", "AppGroup", "SecurityGroupIngress", 0): {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}},
        "everything",
    ),
    Fault("reference-leads-nowhere", {("east", "Fleet", "VPCZoneIdentifier", 1): ref("AppSubnetC")}, "ref"),
    Fault("reference-leads-nowhere", {("west", "DatabaseLog", "LogGroupName"): sub("/${Shop}/postgresql")}, "sub"),
    Fault("stack-wire-broken", {}, "output", feeds={"names": {"EastName": ("east", "BalancerAddress")}}),
    Fault(
        "stack-wire-broken",
        {("west", "Database", "KmsKeyId"): {"Fn::ImportValue": "shop-key"}},
        "export",
        gives={"east": {"KeyArn": {"Value": ref("Key"), "Export": {"Name": "shop-key"}}}},
    ),
    Fault("secret-in-clear", {("east", "Database", "MasterUserPassword"): "correct-horse-battery"}, "property"),
    Fault(
        "secret-in-clear",
        {
            ("west", "Template", "LaunchTemplateData", "UserData"): {
                "Fn::Base64": sub(USER_DATA.replace("Restart=always", "Environment=DB_PASSWORD=hunter2-hunter2"))
            }
        },
        "user-data",
    ),
    Fault(
        "bucket-open-to-the-public",
        {("east", "Bucket", "PublicAccessBlockConfiguration", "BlockPublicPolicy"): False},
        "unblocked",
    ),
    Fault(
        "bucket-open-to-the-public",
        {
            ("west", "Bucket", "PublicAccessBlockConfiguration"): GONE,
            ("west", "Bucket", "AccessControl"): "PublicRead",
        },
        "acl",
    ),
    Fault(
        "failover-needs-lost-region",
        {("east", "Failover"): _document("shop-failover", ("rds", "PromoteReadReplica"))},
        "document",
    ),
    Fault(
        "failover-needs-lost-region",
        {
            ("east", "Failover"): of(
                "Lambda::Function",
                FunctionName="shop-failover",
                Role={"Fn::GetAtt": ["FailoverRole", "Arn"]},
                Runtime="python3.13",
                Handler="index.handler",
                Code={
                    "ZipFile": "import boto3\n\n\ndef handler(event, context):\n"
                    "    rds = boto3.client('rds', 'us-west-2')\n"
                    "    rds.promote_read_replica(DBInstanceIdentifier='shop-us-west-2')\n"
                },
            ),
            ("east", "FailoverLog"): of("Logs::LogGroup", LogGroupName="/aws/lambda/shop-failover", RetentionInDays=30),
            ("east", "FailoverRole"): of(
                "IAM::Role",
                AssumeRolePolicyDocument=trust("lambda.amazonaws.com"),
                ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
                Policies=[{"PolicyName": "rds", "PolicyDocument": policy(statement("rds:PromoteReadReplica"))}],
            ),
        },
        "function",
    ),
    Fault(
        "failover-needs-global-control-plane",
        {
            ("west", "Failover"): _document(
                "shop-failover", ("rds", "PromoteReadReplica"), ("route53", "ChangeResourceRecordSets")
            )
        },
    ),
    # Suppressing without a reason.
    Fault(
        "suppression-without-reason",
        {("east", "Fleet", "Metadata"): {"bicoastal": {"suppress": [{"rule": "fleet-of-one"}]}}},
    ),
)
