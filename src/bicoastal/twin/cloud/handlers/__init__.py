"""Everything that the twin's AWS API has beyond ministack's, one module for each service."""

from __future__ import annotations

from bicoastal.twin.cloud import registry
from bicoastal.twin.cloud.handlers import (
    automation,
    autoscaling,
    backup,
    backup_routes,
    cloudformation,
    cloudtrail,
    cloudwatch,
    ec2,
    elbv2,
    flow_logs,
    iam,
    instances,
    logs,
    mfa,
    nat_gateways,
    network_acls,
    networks,
    offers,
    peerings,
    rds,
    resource_tags,
    rollback_triggers,
    route53,
    s3,
    secretsmanager,
    service_quotas,
    ssm,
    vpc_endpoints,
    wafv2,
)

_MODULES = (
    autoscaling, backup, cloudtrail, cloudwatch, ec2, elbv2, flow_logs, iam, instances, nat_gateways, network_acls,
    networks, peerings, rds, route53, secretsmanager, ssm, vpc_endpoints, wafv2,
)  # fmt: skip


def install() -> None:
    """Put types, actions and checks in place; once, before the first request."""
    for module in _MODULES:
        for kind in module.TYPES:
            registry.register(kind)
        registry.reports(getattr(module, "REPORTS", {}))
        registry.questions(getattr(module, "QUESTIONS", {}))
    registry.ec2_actions(
        {
            **flow_logs.ACTIONS,
            **nat_gateways.ACTIONS,
            **peerings.ACTIONS,
            **instances.ACTIONS,
            **network_acls.ACTIONS,
            **vpc_endpoints.ACTIONS,
            "DescribeInstanceTypeOfferings": offers.instance_type_offerings,
        }
    )
    registry.query_actions("alb", elbv2.NAMESPACE, elbv2.ACTIONS)
    registry.query_actions("rds", rds.NAMESPACE, rds.ACTIONS)
    registry.query_actions("autoscaling", autoscaling.NAMESPACE, autoscaling.ACTIONS)
    registry.json_actions("ssm", ssm.ACTIONS)
    automation.install()
    resource_tags.install()
    offers.install_parameters()
    registry.json_actions("wafv2", wafv2.ACTIONS)
    registry.rest_routes("backup", backup.route)
    backup_routes.install()
    registry.extend("AWS::EC2::Route", before=ec2.check_route)
    registry.extend("AWS::IAM::Role", after=iam.bound)
    registry.extend("AWS::S3::Bucket", after=s3.configure)
    registry.extend("AWS::WAFv2::WebACL", translate=wafv2.encoded)
    autoscaling.install()
    cloudwatch.install()
    elbv2.install()
    logs.install()
    mfa.install()
    rds.complete_answers()
    route53.install()
    secretsmanager.honor_exclusions()
    secretsmanager.compare_by_name()
    backup.tag_restore_testing_plans()
    service_quotas.install()
    cloudformation.install()
    registry.check_everything()
    rollback_triggers.install()
