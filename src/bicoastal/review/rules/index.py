"""Every rule by its id: its module, and the resource types that it speaks of.

Written by `python -m tools.rules`. With it, `review` knows without importing a rule whether it has anything to say
about a template.
"""

from __future__ import annotations

from collections.abc import Mapping

INDEX: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "backup-at-forbidden-time": ("backup.backup_at_forbidden_time", ("AWS::Backup::BackupPlan",)),
    "backup-copied-nowhere": ("backup.backup_copied_nowhere", ("AWS::Backup::BackupPlan",)),
    "backup-deleted-before-it-may": ("backup.backup_deleted_before_it_may", ("AWS::Backup::BackupPlan",)),
    "backup-role-cannot-back-up": ("backup.backup_role_cannot_back_up", ("AWS::Backup::BackupSelection",)),
    "backup-selects-nothing": ("backup.backup_selects_nothing", ("AWS::Backup::BackupSelection",)),
    "database-windows-overlap": ("backup.database_windows_overlap", ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster")),
    "plan-selects-nothing": ("backup.plan_selects_nothing", ("AWS::Backup::BackupPlan",)),
    "balancer-cannot-reach-targets": (
        "balancing.balancer_cannot_reach_targets",
        ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
    ),
    "balancer-closed-to-users": ("balancing.balancer_closed_to_users", ("AWS::ElasticLoadBalancingV2::Listener",)),
    "balancer-in-one-zone": ("balancing.balancer_in_one_zone", ("AWS::ElasticLoadBalancingV2::LoadBalancer",)),
    "fleet-ignores-balancer-health": (
        "balancing.fleet_ignores_balancer_health",
        ("AWS::AutoScaling::AutoScalingGroup",),
    ),
    "fleet-outside-balancers-zones": (
        "balancing.fleet_outside_balancers_zones",
        ("AWS::AutoScaling::AutoScalingGroup",),
    ),
    "health-check-path-not-served": (
        "balancing.health_check_path_not_served",
        ("AWS::ElasticLoadBalancingV2::TargetGroup",),
    ),
    "keep-alive-outlives-failover": (
        "balancing.keep_alive_outlives_failover",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "old-tls-accepted": ("balancing.old_tls_accepted", ("AWS::ElasticLoadBalancingV2::Listener",)),
    "plain-http-served": ("balancing.plain_http_served", ("AWS::ElasticLoadBalancingV2::Listener",)),
    "target-group-without-targets": (
        "balancing.target_group_without_targets",
        ("AWS::ElasticLoadBalancingV2::TargetGroup",),
    ),
    "target-port-not-served": ("balancing.target_port_not_served", ("AWS::ElasticLoadBalancingV2::TargetGroup",)),
    "application-cannot-reach-database": ("database.application_cannot_reach_database", ("AWS::RDS::DBInstance",)),
    "database-in-one-zone": ("database.database_in_one_zone", ("AWS::RDS::DBInstance",)),
    "database-in-public-subnet": ("database.database_in_public_subnet", ("AWS::RDS::DBSubnetGroup",)),
    "database-not-encrypted": ("database.database_not_encrypted", ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster")),
    "database-open-to-the-world": (
        "database.database_open_to_the_world",
        ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    ),
    "database-publicly-accessible": ("database.database_publicly_accessible", ("AWS::RDS::DBInstance",)),
    "database-subnets-in-one-zone": ("database.database_subnets_in_one_zone", ("AWS::RDS::DBSubnetGroup",)),
    "deletion-not-protected": ("database.deletion_not_protected", ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster")),
    "managed-password-with-replica": ("database.managed_password_with_replica", ("AWS::RDS::DBInstance",)),
    "promotion-replaces-database": ("database.promotion_replaces_database", ("AWS::RDS::DBInstance",)),
    "replacement-destroys-data": (
        "database.replacement_destroys_data",
        (
            "AWS::RDS::DBInstance",
            "AWS::RDS::DBCluster",
            "AWS::DynamoDB::Table",
            "AWS::EFS::FileSystem",
            "AWS::KMS::Key",
        ),
    ),
    "replica-cannot-be-promoted-safely": ("database.replica_cannot_be_promoted_safely", ("AWS::RDS::DBInstance",)),
    "replica-carries-own-login": ("database.replica_carries_own_login", ("AWS::RDS::DBInstance",)),
    "replica-key-of-other-region": (
        "database.replica_key_of_other_region",
        ("AWS::RDS::DBInstance", "AWS::RDS::DBCluster"),
    ),
    "replica-source-without-arn": ("database.replica_source_without_arn", ("AWS::RDS::DBInstance",)),
    "replica-source-without-backups": ("database.replica_source_without_backups", ("AWS::RDS::DBInstance",)),
    "tls-not-forced": ("database.tls_not_forced", ("AWS::RDS::DBParameterGroup", "AWS::RDS::DBClusterParameterGroup")),
    "wal-can-fill-primary": ("database.wal_can_fill_primary", ("AWS::RDS::DBInstance",)),
    "failover-needs-global-control-plane": (
        "failover.failover_needs_global_control_plane",
        ("AWS::SSM::Document", "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"),
    ),
    "failover-needs-lost-region": (
        "failover.failover_needs_lost_region",
        ("AWS::SSM::Document", "AWS::Lambda::Function", "AWS::StepFunctions::StateMachine"),
    ),
    "emergency-access-without-mfa": ("identity.emergency_access_without_mfa", ("AWS::IAM::Role",)),
    "instance-can-raise-itself": ("identity.instance_can_raise_itself", ("AWS::IAM::Role",)),
    "metadata-without-token": ("identity.metadata_without_token", ("AWS::EC2::LaunchTemplate",)),
    "role-cannot-fetch-release": ("identity.role_cannot_fetch_release", ("AWS::AutoScaling::AutoScalingGroup",)),
    "role-cannot-read-secret": ("identity.role_cannot_read_secret", ("AWS::SecretsManager::Secret",)),
    "role-cannot-write-logs": ("identity.role_cannot_write_logs", ("AWS::IAM::Role",)),
    "role-may-do-everything": ("identity.role_may_do_everything", ("AWS::IAM::Role",)),
    "role-not-assumable": ("identity.role_not_assumable", ("AWS::IAM::Role",)),
    "role-trusts-everybody": ("identity.role_trusts_everybody", ("AWS::IAM::Role",)),
    "log-group-kept-for-ever": ("logs.log_group_kept_for_ever", ("AWS::Logs::LogGroup",)),
    "log-group-not-declared": (
        "logs.log_group_not_declared",
        ("AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::FlowLog", "AWS::Lambda::Function", "AWS::RDS::DBInstance"),
    ),
    "calculated-check-never-changes": ("names.calculated_check_never_changes", ("AWS::Route53::HealthCheck",)),
    "calculated-check-of-calculated": ("names.calculated_check_of_calculated", ("AWS::Route53::HealthCheck",)),
    "check-blind-when-region-dies": ("names.check_blind_when_region_dies", ("AWS::Route53::HealthCheck",)),
    "check-on-alarm-not-allowed": ("names.check_on_alarm_not_allowed", ("AWS::Route53::HealthCheck",)),
    "dns-ttl-over-budget": ("names.dns_ttl_over_budget", ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup")),
    "failover-pair-incomplete": (
        "names.failover_pair_incomplete",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "failover-record-without-health-check": (
        "names.failover_record_without_health_check",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "health-check-asks-its-own-record": (
        "names.health_check_asks_its_own_record",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "health-check-disabled": ("names.health_check_disabled", ("AWS::Route53::HealthCheck",)),
    "health-check-of-other-side": (
        "names.health_check_of_other_side",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "health-check-too-slow": ("names.health_check_too_slow", ("AWS::Route53::HealthCheck",)),
    "routing-record-without-health-check": (
        "names.routing_record_without_health_check",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "secondary-in-primary-region": (
        "names.secondary_in_primary_region",
        ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    ),
    "administration-open-to-the-world": (
        "network.administration_open_to_the_world",
        ("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"),
    ),
    "group-of-other-region": (
        "network.group_of_other_region",
        ("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"),
    ),
    "instances-without-way-out": ("network.instances_without_way_out", ("AWS::AutoScaling::AutoScalingGroup",)),
    "nat-gateway-without-way-out": ("network.nat_gateway_without_way_out", ("AWS::EC2::NatGateway",)),
    "one-nat-gateway-for-all-zones": ("network.one_nat_gateway_for_all_zones", ("AWS::EC2::NatGateway",)),
    "peering-blocks-overlap": ("network.peering_blocks_overlap", ("AWS::EC2::VPCPeeringConnection",)),
    "peering-without-return-route": ("network.peering_without_return_route", ("AWS::EC2::VPCPeeringConnection",)),
    "subnet-blocks-clash": ("network.subnet_blocks_clash", ("AWS::EC2::Subnet",)),
    "desired-capacity-undoes-scaling": (
        "scaling.desired_capacity_undoes_scaling",
        ("AWS::AutoScaling::ScalingPolicy",),
    ),
    "fleet-cannot-grow": ("scaling.fleet_cannot_grow", ("AWS::AutoScaling::AutoScalingGroup",)),
    "fleet-does-not-scale": ("scaling.fleet_does_not_scale", ("AWS::AutoScaling::AutoScalingGroup",)),
    "fleet-in-one-zone": ("scaling.fleet_in_one_zone", ("AWS::AutoScaling::AutoScalingGroup",)),
    "fleet-of-one": ("scaling.fleet_of_one", ("AWS::AutoScaling::AutoScalingGroup",)),
    "fleet-tags-stay-behind": ("scaling.fleet_tags_stay_behind", ("AWS::AutoScaling::AutoScalingGroup",)),
    "rolling-update-cannot-signal": ("scaling.rolling_update_cannot_signal", ("AWS::AutoScaling::AutoScalingGroup",)),
    "standby-cannot-carry-load": ("scaling.standby_cannot_carry_load", ("AWS::AutoScaling::AutoScalingGroup",)),
    "volume-not-encrypted": (
        "scaling.volume_not_encrypted",
        ("AWS::EC2::LaunchTemplate", "AWS::EC2::Volume", "AWS::EC2::Instance"),
    ),
    "alarm-action-in-other-region": ("signals.alarm_action_in_other_region", ("AWS::CloudWatch::Alarm",)),
    "alarm-without-action": ("signals.alarm_without_action", ("AWS::CloudWatch::Alarm",)),
    "group-metrics-not-collected": ("signals.group_metrics_not_collected", ("AWS::CloudWatch::Alarm",)),
    "metric-nobody-publishes": (
        "signals.metric_nobody_publishes",
        ("AWS::CloudWatch::Alarm", "AWS::AutoScaling::ScalingPolicy"),
    ),
    "scaling-policy-nobody-calls": ("signals.scaling_policy_nobody_calls", ("AWS::AutoScaling::ScalingPolicy",)),
    "topic-key-refuses-alarms": ("signals.topic_key_refuses_alarms", ("AWS::SNS::Topic",)),
    "topic-without-subscriber": ("signals.topic_without_subscriber", ("AWS::SNS::Topic",)),
    "bucket-open-to-the-public": ("templates.bucket_open_to_the_public", ("AWS::S3::Bucket",)),
    "reference-leads-nowhere": ("templates.reference_leads_nowhere", ()),
    "secret-in-clear": ("templates.secret_in_clear", ()),
    "stack-wire-broken": ("templates.stack_wire_broken", ()),
    "suppression-without-reason": ("templates.suppression_without_reason", ()),
}
