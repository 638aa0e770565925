"""The whole deployment on the twin's cloud: what the templates ask is what each service's own API answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.operate import tags
from bicoastal.operate.subject import Subject
from bicoastal.twin.cloud.schemas import tag_property
from tests.support.cloudformation import Account, Walker
from tests.support.deployed import deployed, plain
from tests.support.specs import spec
from tests.support.tagging import NO_TAGGING_API, arn_of, own_tags

HOME, STANDBY = "us-east-1", "us-west-2"
UP_S = 32.0
"""Four times the bar, which `bench/twin.py` holds on a machine that does nothing else."""
Json = Any


def test_all_stacks_stand_in_both_regions_soon(standing: Walker) -> None:
    for region in (HOME, STANDBY):
        found = standing.account.client("cloudformation", region).describe_stacks()["Stacks"]
        assert {stack["StackStatus"] for stack in found} == {"CREATE_COMPLETE"}
        assert len(found) == sum(entry.region == region for entry in standing.manifest.stacks)
    assert standing.up_s <= UP_S


def _first(answer: Json, *path: str | int) -> Json:
    for step in path:
        answer = answer[step]
    return answer


def _named(items: list[Json], name: str) -> Json:
    return next(item for item in items if any(t == {"Key": "Name", "Value": name} for t in item.get("Tags", ())))


def _fleet(account: Account, region: str) -> Json:
    return account.client("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"][0]


def _template(account: Account, region: str) -> Json:
    used = _fleet(account, region)["LaunchTemplate"]
    found = account.client("ec2", region).describe_launch_template_versions(
        LaunchTemplateId=used["LaunchTemplateId"], Versions=[used["Version"]]
    )
    return found["LaunchTemplateVersions"][0]["LaunchTemplateData"]


def _database(account: Account, region: str) -> Json:
    return account.client("rds", region).describe_db_instances()["DBInstances"][0]


def _balancer(account: Account, region: str) -> Json:
    return account.client("elbv2", region).describe_load_balancers()["LoadBalancers"][0]


def _rules(account: Account, region: str) -> list[Json]:
    elbv2 = account.client("elbv2", region)
    listeners = elbv2.describe_listeners(LoadBalancerArn=_balancer(account, region)["LoadBalancerArn"])["Listeners"]
    https = next(item for item in listeners if item["Port"] == 443)
    return list(elbv2.describe_rules(ListenerArn=https["ListenerArn"])["Rules"])


def _alarm(account: Account, region: str, name: str) -> Json:
    return account.client("cloudwatch", region).describe_alarms(AlarmNames=[name])["MetricAlarms"][0]


def _checks(account: Account) -> list[Json]:
    return [check["HealthCheckConfig"] for check in account.client("route53").list_health_checks()["HealthChecks"]]


def _records(account: Account) -> list[Json]:
    route53 = account.client("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    return list(route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"])


def _bucket(account: Account, region: str, kind: str) -> str:
    return f"orders-production-{kind}-{account.endpoint.account}-{region}"


def _routes(account: Account, region: str, name: str) -> set[tuple[str, str]]:
    table = _named(account.client("ec2", region).describe_route_tables()["RouteTables"], name)
    kinds = ("GatewayId", "NatGatewayId", "VpcPeeringConnectionId")
    return {
        (route.get("DestinationCidrBlock", "prefix"), next((route[kind] for kind in kinds if kind in route), "")[:3])
        for route in table["Routes"]
    }


def _role_policy(account: Account, region: str) -> Json:
    iam = account.client("iam", region)
    return iam.get_role(RoleName=f"orders-production-instance-{region}")["Role"]


ANSWERS: dict[str, tuple[Callable[[Account, str], Json], Json]] = {
    "VPC": (
        lambda a, r: _first(a.client("ec2", r).describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}]),
                            "Vpcs", 0, "CidrBlock") in ("10.10.0.0/16", "10.20.0.0/16"),
        True,
    ),
    "nine subnets in three zones": (
        lambda a, r: len({
            (s["AvailabilityZone"], s["CidrBlock"])
            for s in a.client("ec2", r).describe_subnets()["Subnets"] if not s["DefaultForAz"]
        }),
        9,
    ),
    "NAT gateway has its address": (
        lambda a, r: [len(n["NatGatewayAddresses"]) for n in a.client("ec2", r).describe_nat_gateways()["NatGateways"]],
        [1, 1, 1],
    ),
    "application subnets: out by NAT, across by peering": (
        lambda a, r: {kind for _, kind in _routes(a, r, "orders-production-application-route-table-a")},
        {"loc", "nat", "pcx", "vpc"},
    ),
    "data subnets: no way out": (
        lambda a, r: "0.0.0.0/0" in {to for to, _ in _routes(a, r, "orders-production-data-route-table")},
        False,
    ),
    "peering is active": (
        lambda a, r: _first(a.client("ec2", r).describe_vpc_peering_connections(), "VpcPeeringConnections", 0,
                            "Status", "Code"),
        "active",
    ),
    "ACL of the data subnets": (
        lambda a, r: sorted(
            (e["RuleNumber"], e["RuleAction"], e.get("PortRange", {}).get("From"))
            for e in _named(a.client("ec2", r).describe_network_acls()["NetworkAcls"],
                            "orders-production-data-network-acl")["Entries"] if not e["Egress"]
        )[:1],
        [(100, "allow", 5432)],
    ),
    "ACL stands before three subnets": (
        lambda a, r: len(_named(a.client("ec2", r).describe_network_acls()["NetworkAcls"],
                                "orders-production-data-network-acl")["Associations"]),
        3,
    ),
    "flow log writes to a group": (
        lambda a, r: _first(a.client("ec2", r).describe_flow_logs(), "FlowLogs", 0, "LogGroupName"),
        "/orders-production/flow-logs",
    ),
    "database is Multi-AZ": (lambda a, r: _database(a, r)["MultiAZ"], True),
    "database is encrypted by its region's key": (
        lambda a, r: (_database(a, r)["StorageEncrypted"], _database(a, r)["KmsKeyId"].split(":")[3] == r),
        (True, True),
    ),
    "database exports its logs": (
        lambda a, r: _database(a, r)["EnabledCloudwatchLogsExports"], ["postgresql", "upgrade"]
    ),
    "database is protected": (lambda a, r: _database(a, r)["DeletionProtection"], True),
    "database follows": (
        lambda a, r: _database(a, r).get("ReadReplicaSourceDBInstanceIdentifier", "").split(":")[3:4],
        {HOME: [], STANDBY: [HOME]},
    ),
    "database is followed": (
        lambda a, r: [arn.split(":")[3] for arn in _database(a, r)["ReadReplicaDBInstanceIdentifiers"]],
        {HOME: [STANDBY], STANDBY: []},
    ),
    "TLS is forced": (
        lambda a, r: [
            p["ParameterValue"]
            for page in a.client("rds", r).get_paginator("describe_db_parameters").paginate(
                DBParameterGroupName=_database(a, r)["DBParameterGroups"][0]["DBParameterGroupName"])
            for p in page["Parameters"] if p["ParameterName"] == "rds.force_ssl"
        ],
        ["1"],
    ),
    "database events go to the topic": (
        lambda a, r: _first(a.client("rds", r).describe_event_subscriptions(), "EventSubscriptionsList", 0,
                            "SnsTopicArn").split(":")[3] == r,
        True,
    ),
    "fleet's sizes": (
        lambda a, r: [_fleet(a, r)[name] for name in ("MinSize", "MaxSize", "DesiredCapacity")],
        [2, 6, 2],
    ),
    "fleet's target groups": (lambda a, r: len(_fleet(a, r)["TargetGroupARNs"]), 2),
    "fleet's zones": (lambda a, r: _fleet(a, r)["AvailabilityZones"], {
        region: [f"{region}{zone}" for zone in "abc"] for region in (HOME, STANDBY)
    }),
    "fleet's metrics": (
        lambda a, r: "GroupInServiceInstances" in {m["Metric"] for m in _fleet(a, r)["EnabledMetrics"]},
        True,
    ),
    "fleet's instances are nobody's invention": (lambda a, r: _fleet(a, r)["Instances"], []),
    "instances": (lambda a, r: _template(a, r)["InstanceType"], "t3.micro"),
    "instances ask for metadata with a token": (
        lambda a, r: _template(a, r)["MetadataOptions"]["HttpTokens"], "required"
    ),
    "instances have user data": (lambda a, r: len(_template(a, r)["UserData"]) > 1000, True),
    "instances' profile": (
        lambda a, r: _template(a, r)["IamInstanceProfile"]["Arn"].rpartition("/")[2],
        {region: f"orders-production-instance-{region}" for region in (HOME, STANDBY)},
    ),
    "scaling policies": (
        lambda a, r: sorted(p["StepAdjustments"][0]["ScalingAdjustment"] > 0
                            for p in a.client("autoscaling", r).describe_policies()["ScalingPolicies"]),
        [False, True],
    ),
    "balancer is public": (lambda a, r: _balancer(a, r)["Scheme"], "internet-facing"),
    "balancer's first rule is the switch": (
        lambda a, r: next(
            rule["Actions"][0]["FixedResponseConfig"]["MessageBody"] for rule in _rules(a, r) if rule["Priority"] == "1"
        ),
        "off",
    ),
    "balancer's rules": (lambda a, r: {rule["Priority"] for rule in _rules(a, r)}, {"1", "2", "default"}),
    "read gate is open": (
        lambda a, r: sorted(
            group["Weight"]
            for group in next(rule for rule in _rules(a, r) if rule["Priority"] == "default")["Actions"][-1][
                "ForwardConfig"]["TargetGroups"]
        ),
        [0, 1],
    ),
    "health checks of targets": (
        lambda a, r: {g["HealthCheckPath"] for g in a.client("elbv2", r).describe_target_groups()["TargetGroups"]},
        {"/healthz", "/.well-known/bicoastal/gate"},
    ),
    "web ACL stands before the balancer": (
        lambda a, r: a.client("wafv2", r).get_web_acl_for_resource(
            ResourceArn=_balancer(a, r)["LoadBalancerArn"])["WebACL"]["Name"],
        "orders-production-web",
    ),
    "web ACL logs": (
        lambda a, r: len(a.client("wafv2", r).list_logging_configurations(Scope="REGIONAL")["LoggingConfigurations"]),
        1,
    ),
    "scale-out is metric math": (
        lambda a, r: [q["ReturnData"] for q in _alarm(a, r, "orders-production-scale-out")["Metrics"]].count(True), 1
    ),
    "scale-out acts on the fleet": (
        lambda a, r: "scalingPolicy" in _alarm(a, r, "orders-production-scale-out")["AlarmActions"][0], True
    ),
    "composite alarm": (
        lambda a, r: _first(a.client("cloudwatch", r).describe_alarms(AlarmTypes=["CompositeAlarm"]),
                            "CompositeAlarms", 0, "AlarmName"),
        "orders-production-cannot-serve",
    ),
    "every log group has a retention and a key": (
        lambda a, r: {
            (g.get("retentionInDays"), "kmsKeyId" in g)
            for page in a.client("logs", r).get_paginator("describe_log_groups").paginate() for g in page["logGroups"]
        },
        {(30, True)},
    ),
    "trail": (
        lambda a, r: (a.client("cloudtrail", r).get_trail_status(Name="orders-production-trail")["IsLogging"],
                      a.client("cloudtrail", r).describe_trails()["trailList"][0]["KmsKeyId"].split(":")[3] == r),
        (True, True),
    ),
    "documents": (
        lambda a, r: a.client("ssm", r).describe_document(Name="orders-production-close-access")["Document"][
            "DocumentType"],
        "Automation",
    ),
    "roles are bounded": (
        lambda a, r: _role_policy(a, r)["PermissionsBoundary"]["PermissionsBoundaryArn"].rpartition("/")[2],
        {region: f"orders-production-boundary-{region}" for region in (HOME, STANDBY)},
    ),
    "secrets are in both regions": (
        lambda a, r: sorted(
            s["Name"].rpartition("/")[2] for s in a.client("secretsmanager", r).list_secrets()["SecretList"]
        ),
        ["app", "kit", "master", "owner"],
    ),
    "backup plan": (
        lambda a, r: [
            rule["CopyActions"][0]["DestinationBackupVaultArn"].split(":")[3]
            for plan in a.client("backup", r).list_backup_plans()["BackupPlansList"]
            for rule in a.client("backup", r).get_backup_plan(BackupPlanId=plan["BackupPlanId"])["BackupPlan"]["Rules"]
        ],
        {HOME: [STANDBY], STANDBY: [HOME]},
    ),
    "only the primary is backed up": (
        lambda a, r: sum(
            len(a.client("backup", r).list_backup_selections(BackupPlanId=plan["BackupPlanId"])["BackupSelectionsList"])
            for plan in a.client("backup", r).list_backup_plans()["BackupPlansList"]
        ),
        {HOME: 1, STANDBY: 0},
    ),
    "restores are tried": (
        lambda a, r: _first(a.client("backup", r).list_restore_testing_selections(
            RestoreTestingPlanName="orders_production_weekly"), "RestoreTestingSelections", 0,
            "ProtectedResourceType"),
        "RDS",
    ),
    "buckets are versioned": (
        lambda a, r: a.client("s3", r).get_bucket_versioning(Bucket=_bucket(a, r, "files"))["Status"], "Enabled"
    ),
    "buckets are closed to the public": (
        lambda a, r: set(a.client("s3", r).get_public_access_block(Bucket=_bucket(a, r, "files"))[
            "PublicAccessBlockConfiguration"].values()),
        {True},
    ),
    "buckets are encrypted by the region's key": (
        lambda a, r: a.client("s3", r).get_bucket_encryption(Bucket=_bucket(a, r, "files"))[
            "ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"][
                "KMSMasterKeyID"].split(":")[3],
        {HOME: HOME, STANDBY: STANDBY},
    ),
    "buckets forget": (
        lambda a, r: len(a.client("s3", r).get_bucket_lifecycle_configuration(Bucket=_bucket(a, r, "files"))["Rules"])
        > 0,
        True,
    ),
    "a stack's tags are on its resources": (
        lambda a, r: {t["Key"]: t["Value"] for t in _database(a, r)["TagList"]}["aws:cloudformation:stack-name"],
        "orders-production-database",
    ),
    "dashboard": (
        lambda a, r: len(a.client("cloudwatch", r).list_dashboards()["DashboardEntries"]), 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ANSWERS)
@pytest.mark.parametrize("region", [HOME, STANDBY])
def test_what_was_asked_is_what_is_answered(standing: Walker, region: str, what: str) -> None:
    ask, expected = ANSWERS[what]
    if isinstance(expected, dict) and set(expected) == {HOME, STANDBY}:
        expected = expected[region]
    assert ask(standing.account, region) == expected


def test_health_checks_are_what_the_names_need(standing: Walker) -> None:
    checks = _checks(standing.account)
    assert [check["Type"] for check in checks].count("CALCULATED") == 6
    switches = [check for check in checks if check["Type"] == "HTTPS_STR_MATCH"]
    assert {(check["SearchString"], check["Inverted"], check["RequestInterval"]) for check in switches} == {
        ("on:2;", True, 10)
    }
    quiet = [check for check in checks if check["Type"] == "CLOUDWATCH_METRIC" and check["Inverted"]]
    assert {check["AlarmIdentifier"]["Region"] for check in quiet} == {STANDBY}


def test_records_hang_on_the_checks(standing: Walker) -> None:
    known = {check["Id"] for check in standing.account.client("route53").list_health_checks()["HealthChecks"]}
    hung = {record["HealthCheckId"] for record in _records(standing.account) if "HealthCheckId" in record}
    assert hung
    assert hung <= known


@pytest.mark.parametrize("region", [HOME, STANDBY])
def test_the_tagging_api_knows_what_is_tagged_in_a_region_as_its_own_services_do(standing: Walker, region: str) -> None:
    wrong: dict[str, Any] = {}
    known = _tags(standing.account, region, everything=True)
    for entry in standing.manifest.stacks:
        if entry.region != region:
            continue
        stack = standing.account.client("cloudformation", region)
        for resource in stack.describe_stack_resources(StackName=entry.name)["StackResources"]:
            kind, id_ = resource["ResourceType"], resource["PhysicalResourceId"]
            if tag_property(kind) is None or kind in NO_TAGGING_API:
                continue
            arn = arn_of(standing.account, region, kind, id_)
            own = own_tags(standing.account, region, arn)
            if not own or known.get(arn) != own:
                wrong[f"{kind} {id_} {arn}"] = (own, known.get(arn))
    assert wrong == {}


@pytest.mark.parametrize("region", [HOME, STANDBY])
def test_the_tags_of_a_failover_are_put_on_everything_of_a_region_and_taken_off_exactly(
    standing: Walker, region: str
) -> None:
    wanted = {"cost-center": "disaster", "incident": "7"}
    subject = Subject("orders", "production", "orders.example.com", HOME, STANDBY, "nearest", 10, wanted)
    bucket = _bucket(standing.account, region, "files")
    session = _who_may_tag(standing.account, region, wanted, bucket)
    sns = standing.account.client("sns", region)
    gone = sns.create_topic(Name="gone", Tags=_listed({**OWNER, "cost-center": "1"}))["TopicArn"]
    before = {each: _tags(standing.account, each) for each in (HOME, STANDBY)}
    outcome = tags.override(session, subject, region, bucket)
    during = _tags(standing.account, region)
    assert not outcome.refused
    assert len(during) > 40
    assert [arn for arn, found in during.items() if not wanted.items() <= found.items()] == []
    other = STANDBY if region == HOME else HOME
    assert _tags(standing.account, other) == before[other], "the other region is not touched"
    sns.delete_topic(TopicArn=gone)
    launched = sns.create_topic(Name="launched", Tags=_listed({**OWNER, **wanted}))["TopicArn"]
    assert not tags.override(session, subject, region, bucket).changed, "all of it was overridden already"
    assert not tags.restore(session, subject, region, bucket).refused
    after = _tags(standing.account, region)
    usual = next(found["cost-center"] for arn, found in before[region].items() if ":db:" in arn)
    assert after.pop(launched) == {**OWNER, "cost-center": usual}, "what bears them since has what the others had"
    del before[region][gone]
    assert after == before[region]
    assert tags.read_ledger(session, region, bucket) == {}
    sns.delete_topic(TopicArn=launched)


def _who_may_tag(account: Account, region: str, wanted: dict[str, str], bucket: str) -> Session:
    """Somebody with the deployment's policy for it, and beside it the answers, and the journal."""
    access = deployed(spec(failover_tags=wanted)).stacks[f"access/{region}"]
    policy = json.dumps(plain(access.resources["FailoverTagsPolicy"].get("PolicyDocument")))
    beside = [
        {"Effect": "Allow", "Action": "tag:GetResources", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:*Object", "Resource": f"arn:aws:s3:::{bucket}/operations/*"},
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*"},
    ]
    iam, name = account.client("iam"), f"tagger-{region}"
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="beside", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": beside})
    )
    arn = iam.create_policy(
        PolicyName=name, PolicyDocument=policy.replace("${AWS::AccountId}", account.endpoint.account)
    )["Policy"]["Arn"]
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Session.at(account.endpoint.url, key["AccessKeyId"], key["SecretAccessKey"])


OWNER = {"application": "orders", "environment": "production"}


def _listed(found: dict[str, str]) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in found.items()]


def _tags(account: Account, region: str, *, everything: bool = False) -> dict[str, dict[str, str]]:
    """What the tagging API and the fleet say; not what is global."""
    found: dict[str, dict[str, str]] = {}
    for page in account.client("resourcegroupstaggingapi", region).get_paginator("get_resources").paginate():
        for item in page["ResourceTagMappingList"]:
            tagged = {tag["Key"]: tag["Value"] for tag in item["Tags"]}
            service = item["ResourceARN"].split(":")[2]
            if everything or (tagged.get("application") == "orders" and service not in ("iam", "route53")):
                found[item["ResourceARN"]] = tagged
    for group in account.client("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"]:
        found[group["AutoScalingGroupARN"]] = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
    return found
