"""Properties without which a resource cannot be created, from AWS's resource schemas and API references, 2026-11.

`A|B` means that one of the two must be there. Only types whose absence of a property shows a broken wire are listed:
misspelt and missing literals are the schema validators' business.
"""

from __future__ import annotations

from collections.abc import Mapping

ESSENTIAL: Mapping[str, tuple[str, ...]] = {
    "AWS::AutoScaling::AutoScalingGroup": ("MinSize", "MaxSize", "VPCZoneIdentifier|AvailabilityZones"),
    "AWS::AutoScaling::ScalingPolicy": ("AutoScalingGroupName",),
    "AWS::Backup::BackupSelection": ("BackupPlanId", "BackupSelection"),
    "AWS::Backup::RestoreTestingSelection": ("RestoreTestingPlanName", "IamRoleArn", "ProtectedResourceType"),
    "AWS::CloudTrail::Trail": ("S3BucketName", "IsLogging"),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmRule",),
    "AWS::EC2::FlowLog": ("ResourceId", "LogDestination|LogGroupName", "DeliverLogsPermissionArn"),
    "AWS::EC2::NatGateway": ("SubnetId", "AllocationId"),
    "AWS::EC2::NetworkAcl": ("VpcId",),
    "AWS::EC2::NetworkAclEntry": ("NetworkAclId", "RuleNumber"),
    "AWS::EC2::Route": (
        "RouteTableId",
        "GatewayId|NatGatewayId|VpcPeeringConnectionId|TransitGatewayId|VpcEndpointId|EgressOnlyInternetGatewayId"
        "|NetworkInterfaceId|InstanceId|CarrierGatewayId|LocalGatewayId|CoreNetworkArn",
    ),
    "AWS::EC2::RouteTable": ("VpcId",),
    "AWS::EC2::SecurityGroupEgress": ("GroupId",),
    "AWS::EC2::SecurityGroupIngress": ("GroupId|GroupName",),
    "AWS::EC2::Subnet": ("VpcId",),
    "AWS::EC2::SubnetNetworkAclAssociation": ("NetworkAclId", "SubnetId"),
    "AWS::EC2::SubnetRouteTableAssociation": ("RouteTableId", "SubnetId"),
    "AWS::EC2::VPCEndpoint": ("VpcId", "ServiceName|ServiceNetworkArn|ResourceConfigurationArn"),
    "AWS::EC2::VPCGatewayAttachment": ("VpcId", "InternetGatewayId|VpnGatewayId"),
    "AWS::EC2::VPCPeeringConnection": ("VpcId", "PeerVpcId"),
    "AWS::ElasticLoadBalancingV2::Listener": ("LoadBalancerArn", "DefaultActions"),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ("ListenerArn", "Actions", "Conditions"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("Subnets|SubnetMappings",),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ("VpcId",),
    "AWS::Events::Rule": ("EventPattern|ScheduleExpression", "Targets"),
    "AWS::IAM::InstanceProfile": ("Roles",),
    "AWS::KMS::Alias": ("TargetKeyId",),
    "AWS::Logs::MetricFilter": ("LogGroupName",),
    "AWS::Logs::SubscriptionFilter": ("LogGroupName", "DestinationArn"),
    "AWS::RDS::DBSubnetGroup": ("SubnetIds",),
    "AWS::RDS::EventSubscription": ("SnsTopicArn",),
    "AWS::Route53::RecordSet": ("HostedZoneId|HostedZoneName", "AliasTarget|ResourceRecords"),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::Subscription": ("TopicArn",),
    "AWS::SNS::TopicPolicy": ("Topics",),
    "AWS::SecretsManager::ResourcePolicy": ("SecretId",),
    "AWS::WAFv2::LoggingConfiguration": ("ResourceArn", "LogDestinationConfigs"),
    "AWS::WAFv2::WebACLAssociation": ("ResourceArn", "WebACLArn"),
}
