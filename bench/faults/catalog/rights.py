"""What roles lack or have too much of, and what keeps fleets from carrying the load."""

from __future__ import annotations

from bench.faults.base import USER_DATA, of, policy, ref, statement, sub, trust
from bench.faults.fault import GONE, Fault

_STATEMENTS = ("Policies", 0, "PolicyDocument", "Statement")
_DATA = ("LaunchTemplateData", "UserData")


def _user_data(old: str, new: str) -> object:
    assert old in USER_DATA
    return {"Fn::Base64": sub(USER_DATA.replace(old, new))}


def _people(**more: object) -> object:
    account = {"AWS": sub("arn:aws:iam::${AWS::AccountId}:root")}
    return of(
        "IAM::Role",
        AssumeRolePolicyDocument=policy(
            {"Effect": "Allow", "Principal": account, "Action": "sts:AssumeRole", **more},
        ),
        Policies=[{"PolicyName": "sessions", "PolicyDocument": policy(statement("ssm:StartSession"))}],
    )


FAULTS = (
    Fault("instance-can-raise-itself", {("east", "Role", *_STATEMENTS, 1): statement("iam:*")}, "every-action"),
    Fault(
        "instance-can-raise-itself",
        {("west", "Role", *_STATEMENTS, 1): statement(["iam:PassRole", "ec2:RunInstances"])},
        "pass-role",
    ),
    Fault(
        "role-may-do-everything",
        {("east", "BackupRole", "Policies"): [{"PolicyName": "all", "PolicyDocument": policy(statement("*"))}]},
        "stars",
    ),
    Fault(
        "role-may-do-everything",
        {("west", "Role", "ManagedPolicyArns"): ["arn:aws:iam::aws:policy/AdministratorAccess"]},
        "managed",
    ),
    Fault("role-cannot-read-secret", {("east", "Role", *_STATEMENTS, 3): GONE}, "gone"),
    Fault("role-cannot-read-secret", {("west", "Role", *_STATEMENTS, 3, "Resource"): ref("Key")}, "other"),
    Fault(
        "role-cannot-fetch-release",
        {("east", "Role", *_STATEMENTS, 2, "Resource"): "arn:aws:s3:::shop-releases-us-west-2/*"},
        "other-bucket",
    ),
    Fault(
        "role-cannot-fetch-release",
        {("west", "Role", *_STATEMENTS, 2, "Resource"): "arn:aws:s3:::shop-releases-us-west-2"},
        "bucket-alone",
    ),
    Fault("role-not-assumable", {("east", "Role", "AssumeRolePolicyDocument"): trust("ecs.amazonaws.com")}),
    Fault(
        "role-trusts-everybody",
        {("east", "BackupRole", "AssumeRolePolicyDocument", "Statement", 0, "Principal"): "*"},
        "star",
    ),
    Fault(
        "role-trusts-everybody",
        {("west", "Role", "AssumeRolePolicyDocument", "Statement", 0, "Principal", "AWS"): "*"},
        "accounts",
    ),
    Fault("emergency-access-without-mfa", {("east", "Responders"): _people()}),
    Fault(
        "emergency-access-without-mfa",
        {("west", "Responders"): _people(Condition={"StringEquals": {"aws:RequestedRegion": "us-west-2"}})},
        "other-condition",
    ),
    Fault(
        "metadata-without-token",
        {("east", "Template", "LaunchTemplateData", "MetadataOptions", "HttpTokens"): "optional"},
    ),
    Fault("fleet-cannot-grow", {("west", "Fleet", "MaxSize"): "2"}),
    Fault("fleet-of-one", {("east", "Fleet", "MinSize"): "1"}),
    Fault(
        "fleet-does-not-scale",
        {("west", "MoreInstances"): GONE, ("west", "ByTraffic"): GONE, ("west", "MemoryHigh"): GONE},
    ),
    Fault("desired-capacity-undoes-scaling", {("east", "Fleet", "DesiredCapacity"): "2"}),
    Fault(
        "rolling-update-cannot-signal",
        {
            ("east", "Template", *_DATA): _user_data(
                "  - /opt/aws/bin/cfn-signal --stack ${AWS::StackName} --resource Fleet --region ${AWS::Region}\n", ""
            )
        },
    ),
    Fault("standby-cannot-carry-load", {("east", "Fleet", "MaxSize"): "20"}),
    Fault(
        "volume-not-encrypted",
        {("west", "Template", "LaunchTemplateData", "BlockDeviceMappings", 0, "Ebs", "Encrypted"): False},
    ),
    Fault("fleet-tags-stay-behind", {("east", "Fleet", "Tags", 0, "PropagateAtLaunch"): False}),
)
