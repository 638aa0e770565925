"""Every rule by its id: its module, and the resource types that it speaks of.

Written by `python -m tools.rules`. With it, `review` knows without importing a rule whether it has anything to say
about a template.
"""

from __future__ import annotations

from collections.abc import Mapping

INDEX: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "backup-selects-nothing": ("backup.backup_selects_nothing", ("AWS::Backup::BackupSelection",)),
    "balancer-cannot-reach-targets": (
        "balancing.balancer_cannot_reach_targets",
        ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
    ),
    "health-check-path-not-served": (
        "balancing.health_check_path_not_served",
        ("AWS::ElasticLoadBalancingV2::TargetGroup",),
    ),
    "database-in-public-subnet": ("database.database_in_public_subnet", ("AWS::RDS::DBSubnetGroup",)),
    "replica-key-of-other-region": (
        "database.replica_key_of_other_region",
        ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    ),
    "role-cannot-write-logs": ("identity.role_cannot_write_logs", ("AWS::IAM::Role",)),
    "log-group-not-declared": (
        "logs.log_group_not_declared",
        ("AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::FlowLog", "AWS::Lambda::Function", "AWS::RDS::DBInstance"),
    ),
    "failover-record-without-health-check": (
        "names.failover_record_without_health_check",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "secondary-in-primary-region": (
        "names.secondary_in_primary_region",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "peering-without-return-route": ("network.peering_without_return_route", ("AWS::EC2::VPCPeeringConnection",)),
    "fleet-in-one-zone": ("scaling.fleet_in_one_zone", ("AWS::AutoScaling::AutoScalingGroup",)),
    "metric-nobody-publishes": (
        "signals.metric_nobody_publishes",
        ("AWS::CloudWatch::Alarm", "AWS::AutoScaling::ScalingPolicy"),
    ),
    "suppression-without-reason": ("templates.suppression_without_reason", ()),
}
