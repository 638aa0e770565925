"""Pieces of templates that the tests of several rules begin with, as lines of a section Resources."""

from __future__ import annotations

from typing import Final

VPC: Final = """
Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
Gateway: {Type: AWS::EC2::InternetGateway}
Attached: {Type: AWS::EC2::VPCGatewayAttachment, Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}}
PublicTable: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
PublicRoute:
  Type: AWS::EC2::Route
  Properties: {RouteTableId: !Ref PublicTable, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Gateway}
PublicA: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a}}
PublicB: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.1.0/24, AvailabilityZone: us-east-1b}}
PublicARoutes:
  {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref PublicA, RouteTableId: !Ref PublicTable}}
PublicBRoutes:
  {Type: AWS::EC2::SubnetRouteTableAssociation, Properties: {SubnetId: !Ref PublicB, RouteTableId: !Ref PublicTable}}
"""
"""A network with a public subnet in each of two zones."""

BALANCER: Final = """
Users:
  Type: AWS::EC2::SecurityGroup
  Properties:
    VpcId: !Ref Vpc
    SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]
Balancer:
  Type: AWS::ElasticLoadBalancingV2::LoadBalancer
  Properties: {Subnets: [!Ref PublicA, !Ref PublicB], SecurityGroups: [!Ref Users]}
Listener:
  Type: AWS::ElasticLoadBalancingV2::Listener
  Properties:
    LoadBalancerArn: !Ref Balancer
    Port: 443
    Protocol: HTTPS
    SslPolicy: ELBSecurityPolicy-TLS13-1-2-2021-06
    DefaultActions: [{Type: forward, TargetGroupArn: !Ref Targets}]
Targets:
  Type: AWS::ElasticLoadBalancingV2::TargetGroup
  Properties: {VpcId: !Ref Vpc, Port: 8080, Protocol: HTTP, HealthCheckPath: /healthz}
"""
"""A public balancer with one listener and one target group, in the network above."""

FLEET: Final = """
Instances:
  Type: AWS::EC2::SecurityGroup
  Properties:
    VpcId: !Ref Vpc
    SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 8080, ToPort: 8080, SourceSecurityGroupId: !Ref Users}]
Template:
  Type: AWS::EC2::LaunchTemplate
  Properties:
    LaunchTemplateData:
      SecurityGroupIds: [!Ref Instances]
      UserData: !Base64 |
        #!/bin/sh
        /opt/app/serve --port 8080
Fleet:
  Type: AWS::AutoScaling::AutoScalingGroup
  Properties:
    MinSize: 2
    MaxSize: 6
    HealthCheckType: ELB
    VPCZoneIdentifier: [!Ref PublicA, !Ref PublicB]
    TargetGroupARNs: [!Ref Targets]
    LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: "1"}
"""
"""A fleet behind the balancer above."""

ROLE: Final = """
Role:
  Type: AWS::IAM::Role
  Properties:
    AssumeRolePolicyDocument:
      Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole}]
    Policies:
      - PolicyName: own
        PolicyDocument: {Statement: [STATEMENT]}
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
"""
"""A role that instances take; `STATEMENT` stands for what it may do."""

DATABASE: Final = """
Database:
  Type: AWS::RDS::DBInstance
  DeletionPolicy: Snapshot
  UpdateReplacePolicy: Snapshot
  Properties: {Engine: postgres, MultiAZ: true, StorageEncrypted: true, DeletionProtection: true, MORE}
"""
"""A database; `MORE` stands for more of its properties."""

RECORDS: Final = """
East:
  Type: AWS::ElasticLoadBalancingV2::LoadBalancer
  Properties: {Name: east}
West:
  Type: AWS::ElasticLoadBalancingV2::LoadBalancer
  Properties: {Name: west}
Check:
  Type: AWS::Route53::HealthCheck
  Properties:
    HealthCheckConfig:
      {Type: HTTPS, FullyQualifiedDomainName: !GetAtt East.DNSName, RequestInterval: 10, FailureThreshold: 3}
First:
  Type: AWS::Route53::RecordSet
  Properties:
    Name: shop.example.com
    Type: A
    SetIdentifier: first
    Failover: PRIMARY
    HealthCheckId: !Ref Check
    AliasTarget: {DNSName: !GetAtt East.DNSName, HostedZoneId: Z1}
Second:
  Type: AWS::Route53::RecordSet
  Properties:
    Name: shop.example.com
    Type: A
    SetIdentifier: second
    Failover: SECONDARY
    AliasTarget: {DNSName: !GetAtt West.DNSName, HostedZoneId: Z1}
"""
"""A failover pair of two balancers, guarded by a check."""

PLAN: Final = """
Vault: {Type: AWS::Backup::BackupVault, Properties: {BackupVaultName: own}}
Plan:
  Type: AWS::Backup::BackupPlan
  Properties:
    BackupPlan:
      BackupPlanName: nightly
      BackupPlanRule: [{RuleName: nightly, TargetBackupVault: own, RULE}]
Selection:
  Type: AWS::Backup::BackupSelection
  Properties:
    BackupPlanId: !Ref Plan
    BackupSelection: {SelectionName: own, IamRoleArn: "arn:aws:iam::123456789012:role/backup", SELECTION}
"""
"""A backup plan; `RULE` and `SELECTION` stand for more of theirs."""
