"""A sound deployment as other people write one: a shop in two regions, one stack for each and one for names.

Nothing here comes from `synth`, and nothing bears its names: rules that only knew our own templates would miss here
what they claim to find. Every value is literal and every rule inline; `shapes` writes the same in other ways.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = Any
EAST, WEST, NAMES = "east", "west", "names"


@dataclass
class Built:
    """One stack of it, to be changed in place."""

    region: str
    resources: dict[str, Json]
    parameters: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Parameter to the stack and output that feed it."""
    outputs: dict[str, Json] = field(default_factory=dict)
    sections: dict[str, dict[str, Json]] = field(default_factory=dict)
    """More entries of the template's other sections."""


def ref(name: str) -> Json:
    """`Ref`."""
    return {"Ref": name}


def att(name: str, attribute: str) -> Json:
    """`Fn::GetAtt`."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str) -> Json:
    """`Fn::Sub`."""
    return {"Fn::Sub": text}


def of(type_: str, **properties: Json) -> Json:
    """A resource of a type."""
    return {"Type": f"AWS::{type_}", "Properties": properties}


def kept(type_: str, **properties: Json) -> Json:
    """A resource that stays when its stack goes."""
    return {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", **of(type_, **properties)}


def statement(actions: str | list[str], resources: Json = "*", **more: Json) -> Json:
    """A statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def policy(*statements: Json) -> Json:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(service: str) -> Json:
    """What lets a service take a role."""
    return policy({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def sound() -> dict[str, Built]:
    """The whole deployment, new each time."""
    east = Built("us-east-1", _region("us-east-1", "10.0", home=True))
    west = Built("us-west-2", _region("us-west-2", "10.1", home=False))
    east.parameters = {"PeerConnection": (WEST, "PeeringId"), "WestVault": (WEST, "VaultArn")}
    west.parameters = {"PeerVpc": (EAST, "VpcId"), "SourceDatabase": (EAST, "DatabaseArn")}
    for stack in (east, west):
        stack.outputs = {
            "VpcId": ref("Vpc"),
            "BalancerName": att("Balancer", "DNSName"),
            "BalancerZone": att("Balancer", "CanonicalHostedZoneID"),
            "DatabaseArn": att("Database", "DBInstanceArn"),
        }
    west.outputs["PeeringId"] = ref("Peering")
    west.outputs["VaultArn"] = att("Vault", "BackupVaultArn")
    names = Built("us-east-1", _names())
    names.parameters = {
        f"{side.capitalize()}{what}": (side, f"Balancer{what}") for side in (EAST, WEST) for what in ("Name", "Zone")
    }
    return {EAST: east, WEST: west, NAMES: names}


def _region(region: str, block: str, *, home: bool) -> dict[str, Json]:
    return {
        **_network(region, block),
        **_peering(block, home=home),
        **_service(region),
        **_machines(region),
        **_signals(),
        **_database(region, home=home),
        **_backup(home=home),
    }


def _network(region: str, block: str) -> dict[str, Json]:
    other = "10.1" if block == "10.0" else "10.0"
    found: dict[str, Json] = {
        "Vpc": of("EC2::VPC", CidrBlock=f"{block}.0.0/16", EnableDnsSupport=True, EnableDnsHostnames=True),
        "Gateway": of("EC2::InternetGateway"),
        "GatewayAttachment": of("EC2::VPCGatewayAttachment", VpcId=ref("Vpc"), InternetGatewayId=ref("Gateway")),
        "PublicTable": of("EC2::RouteTable", VpcId=ref("Vpc")),
        "PublicRoute": of(
            "EC2::Route",
            RouteTableId=ref("PublicTable"),
            DestinationCidrBlock="0.0.0.0/0",
            GatewayId=ref("Gateway"),
        ),
        "DataTable": of("EC2::RouteTable", VpcId=ref("Vpc")),
        "BalancerGroup": of(
            "EC2::SecurityGroup",
            GroupDescription="Users",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "0.0.0.0/0"} for port in (80, 443)
            ],
        ),
        "AppGroup": of(
            "EC2::SecurityGroup",
            GroupDescription="Instances",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "SourceSecurityGroupId": ref("BalancerGroup")}
            ],
        ),
        "DataGroup": of(
            "EC2::SecurityGroup",
            GroupDescription="Database",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "SourceSecurityGroupId": ref("AppGroup")},
                {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": f"{other}.16.0/20"},
            ],
        ),
    }
    for position, zone in enumerate("ab"):
        for tier, third in (("Public", 0), ("App", 16), ("Data", 32)):
            name = f"{tier}Subnet{zone.upper()}"
            found[name] = of(
                "EC2::Subnet",
                VpcId=ref("Vpc"),
                CidrBlock=f"{block}.{third + position * 8}.0/21",
                AvailabilityZone=f"{region}{zone}",
            )
            table = f"AppTable{zone.upper()}" if tier == "App" else f"{tier}Table"
            found[f"{name}Routes"] = of("EC2::SubnetRouteTableAssociation", SubnetId=ref(name), RouteTableId=ref(table))
        here = zone.upper()
        found[f"Address{here}"] = {"DependsOn": "GatewayAttachment", **of("EC2::EIP", Domain="vpc")}
        found[f"Nat{here}"] = of(
            "EC2::NatGateway", AllocationId=att(f"Address{here}", "AllocationId"), SubnetId=ref(f"PublicSubnet{here}")
        )
        found[f"AppTable{here}"] = of("EC2::RouteTable", VpcId=ref("Vpc"))
        found[f"AppRoute{here}"] = of(
            "EC2::Route",
            RouteTableId=ref(f"AppTable{here}"),
            DestinationCidrBlock="0.0.0.0/0",
            NatGatewayId=ref(f"Nat{here}"),
        )
    return found


def _peering(block: str, *, home: bool) -> dict[str, Json]:
    other = "10.1" if home else "10.0"
    connection = ref("PeerConnection") if home else ref("Peering")
    found: dict[str, Json] = {}
    for table, third in (("AppTableA", 32), ("AppTableB", 32), ("DataTable", 16)):
        found[f"{table}PeerRoute"] = of(
            "EC2::Route",
            RouteTableId=ref(table),
            DestinationCidrBlock=f"{other}.{third}.0/20",
            VpcPeeringConnectionId=connection,
        )
    if not home:
        found["Peering"] = of(
            "EC2::VPCPeeringConnection", VpcId=ref("Vpc"), PeerVpcId=ref("PeerVpc"), PeerRegion="us-east-1"
        )
    del block
    return found


def _service(region: str) -> dict[str, Json]:
    return {
        "Balancer": of(
            "ElasticLoadBalancingV2::LoadBalancer",
            Scheme="internet-facing",
            Subnets=[ref("PublicSubnetA"), ref("PublicSubnetB")],
            SecurityGroups=[ref("BalancerGroup")],
            LoadBalancerAttributes=[
                {"Key": "client_keep_alive.seconds", "Value": "120"},
                {"Key": "deletion_protection.enabled", "Value": "true"},
            ],
        ),
        "Certificate": of(
            "CertificateManager::Certificate",
            DomainName="shop.example.com",
            ValidationMethod="DNS",
            DomainValidationOptions=[{"DomainName": "shop.example.com", "HostedZoneId": "Z0123456789ABCDEFGHIJ"}],
        ),
        "SecureListener": of(
            "ElasticLoadBalancingV2::Listener",
            LoadBalancerArn=ref("Balancer"),
            Port=443,
            Protocol="HTTPS",
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates=[{"CertificateArn": ref("Certificate")}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": ref("Targets")}],
        ),
        "PlainListener": of(
            "ElasticLoadBalancingV2::Listener",
            LoadBalancerArn=ref("Balancer"),
            Port=80,
            Protocol="HTTP",
            DefaultActions=[
                {
                    "Type": "redirect",
                    "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
                }
            ],
        ),
        "Targets": of(
            "ElasticLoadBalancingV2::TargetGroup",
            VpcId=ref("Vpc"),
            Port=8080,
            Protocol="HTTP",
            HealthCheckPath="/healthz",
            HealthCheckIntervalSeconds=10,
        ),
        "Bucket": kept(
            "S3::Bucket",
            BucketName=f"shop-releases-{region}",
            VersioningConfiguration={"Status": "Suspended"},
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
        ),
    }


USER_DATA = """#cloud-config
packages: [amazon-cloudwatch-agent]
write_files:
  - path: /opt/shop/server.py
    content: |
      import http.server
      class Handler(http.server.BaseHTTPRequestHandler):
          def do_GET(self):
              found = self.path == "/healthz" or self.path == "/"
              self.send_response(200 if found else 404)
              self.end_headers()
      http.server.HTTPServer(("", 8080), Handler).serve_forever()
  - path: /etc/systemd/system/shop.service
    content: |
      [Service]
      ExecStartPre=/usr/bin/aws s3 cp s3://shop-releases-${AWS::Region}/shop.tar.gz /opt/shop/
      ExecStartPre=/usr/bin/aws secretsmanager get-secret-value --secret-id ${Password}
      ExecStart=/usr/bin/python3 /opt/shop/server.py
      Restart=always
      [Install]
      WantedBy=multi-user.target
  - path: /opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json
    content: |
      {"metrics": {"namespace": "Shop",
         "append_dimensions": {"AutoScalingGroupName": "${!aws:AutoScalingGroupName}",
                               "InstanceId": "${!aws:InstanceId}"},
         "aggregation_dimensions": [["AutoScalingGroupName"]],
         "metrics_collected": {"mem": {"measurement": ["mem_used_percent"]}}},
       "logs": {"logs_collected": {"files": {"collect_list": [
         {"file_path": "/var/log/shop.log", "log_group_name": "/shop/application"}]}}}}
runcmd:
  - systemctl enable --now amazon-cloudwatch-agent shop
  - /opt/aws/bin/cfn-signal --stack ${AWS::StackName} --resource Fleet --region ${AWS::Region}
"""


def _machines(region: str) -> dict[str, Json]:
    group = f"arn:aws:logs:{region}:${{AWS::AccountId}}:log-group:/shop/application:*"
    return {
        "Role": of(
            "IAM::Role",
            AssumeRolePolicyDocument=trust("ec2.amazonaws.com"),
            ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"],
            Policies=[
                {
                    "PolicyName": "shop",
                    "PolicyDocument": policy(
                        statement(["logs:CreateLogStream", "logs:PutLogEvents"], sub(group)),
                        statement("cloudwatch:PutMetricData"),
                        statement("s3:GetObject", f"arn:aws:s3:::shop-releases-{region}/*"),
                        statement("secretsmanager:GetSecretValue", ref("Password")),
                        statement("cloudformation:SignalResource", ref("AWS::StackId")),
                    ),
                }
            ],
        ),
        "Profile": of("IAM::InstanceProfile", Roles=[ref("Role")]),
        "ApplicationLog": of("Logs::LogGroup", LogGroupName="/shop/application", RetentionInDays=30),
        "Template": of(
            "EC2::LaunchTemplate",
            LaunchTemplateData={
                "ImageId": "{{resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}}",
                "InstanceType": "t3.micro",
                "SecurityGroupIds": [ref("AppGroup")],
                "IamInstanceProfile": {"Arn": att("Profile", "Arn")},
                "MetadataOptions": {"HttpTokens": "required"},
                "BlockDeviceMappings": [
                    {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True}}
                ],
                "UserData": {"Fn::Base64": sub(USER_DATA)},
            },
        ),
        "Fleet": {
            "CreationPolicy": {"ResourceSignal": {"Count": 2, "Timeout": "PT10M"}},
            "UpdatePolicy": {
                "AutoScalingRollingUpdate": {
                    "MinInstancesInService": 2,
                    "PauseTime": "PT10M",
                    "WaitOnResourceSignals": True,
                }
            },
            **of(
                "AutoScaling::AutoScalingGroup",
                MinSize="2",
                MaxSize="6",
                VPCZoneIdentifier=[ref("AppSubnetA"), ref("AppSubnetB")],
                TargetGroupARNs=[ref("Targets")],
                HealthCheckType="ELB",
                HealthCheckGracePeriod=120,
                LaunchTemplate={
                    "LaunchTemplateId": ref("Template"),
                    "Version": att("Template", "LatestVersionNumber"),
                },
                MetricsCollection=[{"Granularity": "1Minute"}],
                Tags=[{"Key": "Service", "Value": "shop", "PropagateAtLaunch": True}],
            ),
        },
    }


def alarm(namespace: str, name: str, threshold: float, actions: list[Json], **more: Json) -> Json:
    """An alarm on one metric."""
    dimensions = more.pop("Dimensions")
    return of(
        "CloudWatch::Alarm",
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        **{
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 3,
            "Threshold": threshold,
            "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": actions,
            **more,
        },
    )


def _signals() -> dict[str, Json]:
    return {
        "Alerts": of("SNS::Topic", KmsMasterKeyId=ref("Key")),
        "Someone": of("SNS::Subscription", TopicArn=ref("Alerts"), Protocol="email", Endpoint="oncall@example.com"),
        "MemoryHigh": alarm(
            "Shop", "mem_used_percent", 80, [ref("MoreInstances")], Dimensions={"AutoScalingGroupName": ref("Fleet")}
        ),
        "MoreInstances": of(
            "AutoScaling::ScalingPolicy",
            AutoScalingGroupName=ref("Fleet"),
            PolicyType="StepScaling",
            AdjustmentType="ChangeInCapacity",
            StepAdjustments=[{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 2}],
        ),
        "ByTraffic": of(
            "AutoScaling::ScalingPolicy",
            AutoScalingGroupName=ref("Fleet"),
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration={
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "ALBRequestCountPerTarget",
                    "ResourceLabel": sub("${Balancer.LoadBalancerFullName}/${Targets.TargetGroupFullName}"),
                },
                "TargetValue": 600,
            },
        ),
        "Unhealthy": alarm(
            "AWS/ApplicationELB",
            "UnHealthyHostCount",
            0,
            [ref("Alerts")],
            Dimensions={
                "LoadBalancer": att("Balancer", "LoadBalancerFullName"),
                "TargetGroup": att("Targets", "TargetGroupFullName"),
            },
        ),
        "StorageLow": alarm(
            "AWS/RDS",
            "FreeStorageSpace",
            5_000_000_000,
            [ref("Alerts")],
            Dimensions={"DBInstanceIdentifier": ref("Database")},
            ComparisonOperator="LessThanThreshold",
        ),
        "Full": alarm(
            "AWS/AutoScaling",
            "GroupInServiceInstances",
            5,
            [ref("Alerts")],
            Dimensions={"AutoScalingGroupName": ref("Fleet")},
        ),
    }


def _database(region: str, *, home: bool) -> dict[str, Json]:
    common: dict[str, Json] = {
        "DBInstanceClass": "db.t4g.small",
        "DBSubnetGroupName": ref("DataSubnets"),
        "VPCSecurityGroups": [ref("DataGroup")],
        "DBParameterGroupName": ref("Parameters"),
        "KmsKeyId": att("Key", "Arn"),
        "MultiAZ": True,
        "PubliclyAccessible": False,
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": "03:00-03:30",
        "PreferredMaintenanceWindow": "sun:06:00-sun:06:30",
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "EnableCloudwatchLogsExports": ["postgresql"],
        "Tags": [{"Key": "backup", "Value": "daily"}] if home else [{"Key": "backup", "Value": "none"}],
    }
    own: dict[str, Json] = (
        {
            "Engine": "postgres",
            "EngineVersion": "17",
            "DBName": "shop",
            "AllocatedStorage": "50",
            "StorageEncrypted": True,
            "MasterUsername": "shopmaster",
            "MasterUserPassword": sub("{{resolve:secretsmanager:${Password}:SecretString:password}}"),
        }
        if home
        else {"SourceDBInstanceIdentifier": ref("SourceDatabase")}
    )
    name = f"shop-{region}"
    everybody = {"Effect": "Allow", "Principal": {"AWS": sub("arn:aws:iam::${AWS::AccountId}:root")}}
    alarms = {"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}}
    return {
        "Key": kept(
            "KMS::Key",
            EnableKeyRotation=True,
            KeyPolicy=policy(
                {**everybody, "Action": "kms:*", "Resource": "*"},
                {**alarms, "Action": ["kms:Decrypt", "kms:GenerateDataKey*"], "Resource": "*"},
            ),
        ),
        "Password": kept(
            "SecretsManager::Secret",
            GenerateSecretString={
                "SecretStringTemplate": '{"username": "shopmaster"}',
                "GenerateStringKey": "password",
                "ExcludePunctuation": True,
                "PasswordLength": 40,
            },
        ),
        "DataSubnets": of(
            "RDS::DBSubnetGroup",
            DBSubnetGroupDescription="Database",
            SubnetIds=[ref("DataSubnetA"), ref("DataSubnetB")],
        ),
        "Parameters": of(
            "RDS::DBParameterGroup",
            Family="postgres17",
            Description="Shop",
            Parameters={"rds.force_ssl": "1", "max_slot_wal_keep_size": "10240"},
        ),
        "DatabaseLog": of("Logs::LogGroup", LogGroupName=f"/aws/rds/instance/{name}/postgresql", RetentionInDays=30),
        "Database": {
            "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            **of("RDS::DBInstance", DBInstanceIdentifier=name, **common, **own),
        },
    }


def _backup(*, home: bool) -> dict[str, Json]:
    found: dict[str, Json] = {
        "Vault": kept("Backup::BackupVault", BackupVaultName="shop", EncryptionKeyArn=att("Key", "Arn"))
    }
    if home:
        found |= {
            "Plan": of(
                "Backup::BackupPlan",
                BackupPlan={
                    "BackupPlanName": "shop",
                    "BackupPlanRule": [
                        {
                            "RuleName": "nightly",
                            "TargetBackupVault": ref("Vault"),
                            "ScheduleExpression": "cron(0 23 ? * MON-FRI *)",
                            "Lifecycle": {"DeleteAfterDays": 35},
                            "CopyActions": [
                                {
                                    "DestinationBackupVaultArn": ref("WestVault"),
                                    "Lifecycle": {"DeleteAfterDays": 35},
                                }
                            ],
                        }
                    ],
                },
            ),
            "BackupRole": of(
                "IAM::Role",
                AssumeRolePolicyDocument=trust("backup.amazonaws.com"),
                ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"],
            ),
            "Selection": of(
                "Backup::BackupSelection",
                BackupPlanId=ref("Plan"),
                BackupSelection={
                    "SelectionName": "database",
                    "IamRoleArn": att("BackupRole", "Arn"),
                    "Resources": [att("Database", "DBInstanceArn")],
                },
            ),
        }
    return found


def _check(side: str) -> Json:
    return of(
        "Route53::HealthCheck",
        HealthCheckConfig={
            "Type": "HTTPS",
            "FullyQualifiedDomainName": ref(f"{side}Name"),
            "ResourcePath": "/healthz",
            "Port": 443,
            "RequestInterval": 10,
            "FailureThreshold": 3,
        },
    )


def _record(name: str, side: str, **more: Json) -> Json:
    return of(
        "Route53::RecordSet",
        HostedZoneId=ref("Zone"),
        Name=name,
        Type="A",
        AliasTarget={
            "DNSName": ref(f"{side}Name"),
            "HostedZoneId": ref(f"{side}Zone"),
            "EvaluateTargetHealth": True,
        },
        **more,
    )


def _names() -> dict[str, Json]:
    def pair(name: str, primary: str, secondary: str) -> dict[str, Json]:
        return {
            f"{primary}First": _record(
                name, primary, SetIdentifier="first", Failover="PRIMARY", HealthCheckId=ref(f"{primary}Check")
            ),
            f"{primary}Second": _record(name, secondary, SetIdentifier="second", Failover="SECONDARY"),
        }

    found: dict[str, Json] = {
        "Zone": of("Route53::HostedZone", Name="shop.example.com"),
        "EastCheck": _check("East"),
        "WestCheck": _check("West"),
        **pair("east.shop.example.com", "East", "West"),
        **pair("west.shop.example.com", "West", "East"),
    }
    for side, region in (("East", "us-east-1"), ("West", "us-west-2")):
        found[f"{side}Users"] = of(
            "Route53::RecordSet",
            HostedZoneId=ref("Zone"),
            Name="shop.example.com",
            Type="A",
            SetIdentifier=side,
            Region=region,
            AliasTarget={
                "DNSName": f"{side.lower()}.shop.example.com",
                "HostedZoneId": ref("Zone"),
                "EvaluateTargetHealth": True,
            },
        )
    return found
