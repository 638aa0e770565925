"""The region's entry: an Application Load Balancer, its certificate, its target groups, the switch and the read gate.

Listener rules, in order: 1 the switch (answered here, with no instance involved), 2 the application's health path
(always to the application), then everything else by the read gate. The first two answer under any host name,
because health checkers ask at the balancer's own. Operations move two parameters and nothing else: `Switch` and
`ReadGate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bicoastal.blueprint.checks import SWITCH_PATH
from bicoastal.blueprint.ports import GATE, HTTP, HTTPS
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, equals, if_, select, split
from bicoastal.spec.model import Spec

SWITCH_OFF: Final = "off"
GATE_HEALTH_PATH: Final = "/.well-known/bicoastal/gate"
"""The gate's own health, answered 200 by the kit; every other path on its port gets 503 with Retry-After."""
TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
CLIENT_KEEP_ALIVE_S: Final = 60
IDLE_TIMEOUT_S: Final = 60
DEREGISTRATION_DELAY_S: Final = 30
HEALTH_INTERVAL_S: Final = 5
HEALTH_TIMEOUT_S: Final = 4
GATE_OPEN: Final = "open"
GATE_CLOSED: Final = "closed"


@dataclass(frozen=True)
class Balancer:
    """The balancer's resources, for what stands behind it and what watches it."""

    resource: Resource
    certificate: Resource
    application_targets: Resource
    gate_targets: Resource
    https: Resource
    """The listener: targets can be health-checked only from when it forwards to them."""

    @property
    def dimension(self) -> Value:
        """The balancer in its metrics."""
        return {"Name": "LoadBalancer", "Value": self.resource.att("LoadBalancerFullName")}

    @property
    def target_dimensions(self) -> list[Value]:
        """The application's target group in its metrics."""
        return [
            {"Name": "TargetGroup", "Value": self.application_targets.att("TargetGroupFullName")},
            self.dimension,
        ]

    @property
    def target_group_number(self) -> Value:
        """What AWS appends to the target group's name to tell it from every other one, replaced ones included."""
        return select(2, split("/", self.application_targets.att("TargetGroupFullName")))


def balancer(
    stack: Stack, *, vpc: Value, subnets: Value, security_group: Value, log_bucket: Value, zone: Value
) -> Balancer:
    """Everything between the public name and the instances; `zone` is where the certificate is validated."""
    spec = stack.spec
    resource = _load_balancer(stack, subnets, security_group, log_bucket)
    certificate = _certificate(stack, zone)
    application = _application_targets(stack, vpc)
    gate = _gate_targets(stack, vpc)
    _redirect(stack, resource)
    https = _https(stack, resource, certificate, _by_read_gate(stack, application, gate))
    _switch_rule(stack, https)
    _health_rule(stack, spec, https, application)
    return Balancer(resource, certificate, application, gate, https)


def _load_balancer(stack: Stack, subnets: Value, security_group: Value, log_bucket: Value) -> Resource:
    return stack.add(
        "Balancer",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        {
            "Type": "application",
            "Scheme": "internet-facing",
            "IpAddressType": "ipv4",
            "Subnets": subnets,
            "SecurityGroups": [security_group],
            "LoadBalancerAttributes": [
                _attribute("deletion_protection.enabled", "true"),
                _attribute("access_logs.s3.enabled", "true"),
                _attribute("access_logs.s3.bucket", log_bucket),
                _attribute("routing.http.drop_invalid_header_fields.enabled", "true"),
                Commented(
                    _attribute("routing.http.desync_mitigation_mode", "defensive"),
                    "Refuses what request smuggling is made of. `strictest` also refuses harmless old clients.",
                ),
                Commented(
                    _attribute("client_keep_alive.seconds", str(CLIENT_KEEP_ALIVE_S)),
                    "The default is an hour: clients would stay on a region that DNS has left long ago.",
                ),
                Commented(
                    _attribute("idle_timeout.timeout_seconds", str(IDLE_TIMEOUT_S)),
                    "The application must keep idle connections open for longer, or the balancer answers 502 now and "
                    "then.",
                ),
            ],
        },
    )


def _certificate(stack: Stack, zone: Value) -> Resource:
    domain = stack.spec.domain.name
    names = (domain, f"*.{domain}")
    return stack.add(
        "Certificate",
        "AWS::CertificateManager::Certificate",
        {
            "DomainName": domain,
            "SubjectAlternativeNames": [f"*.{domain}"],
            "ValidationMethod": "DNS",
            "DomainValidationOptions": [{"DomainName": name, "HostedZoneId": zone} for name in names],
            "KeyAlgorithm": Commented(
                "RSA_2048",
                "What every client speaks, and Route 53's health checkers: a handshake that they refuse is "
                "a lost region.",
            ),
        },
        comment="Both regions' certificates are validated by the same record, which stays for the renewals. The "
        "wildcard is for the regions' own names.",
        accept={
            "CKV2_AWS_71": "The wildcard covers the regions' own names, REGION.NAME, and nothing of others: NAME "
            "is the application's own, and the key never leaves ACM."
        },
    )


def _application_targets(stack: Stack, vpc: Value) -> Resource:
    spec = stack.spec
    return stack.add(
        "ApplicationTargets",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            "TargetType": "instance",
            "Protocol": "HTTP",
            "ProtocolVersion": "HTTP1",
            "Port": spec.app.port,
            "VpcId": vpc,
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": "traffic-port",
            "HealthCheckPath": spec.app.health_path,
            "HealthCheckIntervalSeconds": HEALTH_INTERVAL_S,
            "HealthCheckTimeoutSeconds": HEALTH_TIMEOUT_S,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
            "Matcher": {"HttpCode": "200"},
            "TargetGroupAttributes": [
                Commented(
                    _attribute("load_balancing.algorithm.type", "least_outstanding_requests"),
                    "A slow instance gets fewer requests. Slow start can't be combined with it.",
                ),
                _attribute("load_balancing.cross_zone.enabled", "true"),
                _attribute("deregistration_delay.timeout_seconds", str(DEREGISTRATION_DELAY_S)),
            ],
        },
    )


def _gate_targets(stack: Stack, vpc: Value) -> Resource:
    return stack.add(
        "GateTargets",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        {
            "TargetType": "instance",
            "Protocol": "HTTP",
            "ProtocolVersion": "HTTP1",
            "Port": GATE,
            "VpcId": vpc,
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": "traffic-port",
            "HealthCheckPath": GATE_HEALTH_PATH,
            "HealthCheckIntervalSeconds": Commented(
                30,
                "Slow and patient on purpose: an instance unhealthy in any of its groups is replaced, and a kit that "
                "restarts must not cost an instance that serves.",
            ),
            "HealthCheckTimeoutSeconds": 10,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 10,
            "Matcher": {"HttpCode": "200"},
            "TargetGroupAttributes": [
                _attribute("load_balancing.cross_zone.enabled", "true"),
                _attribute("deregistration_delay.timeout_seconds", "0"),
            ],
        },
        comment="The kit on every instance, which answers 503 with Retry-After while reads are drained before a "
        "promotion.",
    )


def _by_read_gate(stack: Stack, application: Resource, gate: Resource) -> Value:
    """The action of everything that no rule takes: all of it to the application, or all of it to the gate."""
    position = stack.live(
        "ReadGate",
        dict.fromkeys(stack.regions, GATE_OPEN),
        "open: requests reach the application. closed: they are answered 503 with Retry-After, while a failover "
        "drains reads.",
        AllowedValues=[GATE_OPEN, GATE_CLOSED],
    )
    closed = stack.condition("ReadGateClosed", equals(position, GATE_CLOSED))
    return {
        "Type": "forward",
        "ForwardConfig": {
            "TargetGroups": [
                {"TargetGroupArn": application.ref, "Weight": if_(closed, 0, 1)},
                {"TargetGroupArn": gate.ref, "Weight": if_(closed, 1, 0)},
            ]
        },
    }


def _redirect(stack: Stack, balancer_: Resource) -> None:
    stack.add(
        "HttpListener",
        "AWS::ElasticLoadBalancingV2::Listener",
        {
            "LoadBalancerArn": balancer_.ref,
            "Protocol": "HTTP",
            "Port": HTTP,
            "DefaultActions": [
                {
                    "Type": "redirect",
                    "RedirectConfig": {
                        "Protocol": "HTTPS",
                        "Port": str(HTTPS),
                        "Host": "#{host}",
                        "Path": "/#{path}",
                        "Query": "#{query}",
                        "StatusCode": "HTTP_301",
                    },
                }
            ],
        },
    )


def _https(stack: Stack, balancer_: Resource, certificate: Resource, action: Value) -> Resource:
    return stack.add(
        "HttpsListener",
        "AWS::ElasticLoadBalancingV2::Listener",
        {
            "LoadBalancerArn": balancer_.ref,
            "Protocol": "HTTPS",
            "Port": HTTPS,
            "SslPolicy": Commented(
                TLS_POLICY,
                "TLS 1.3, and 1.2 with forward secrecy: Route 53's health checkers speak no more than 1.2, so a "
                "policy of 1.3 alone would take the region out of DNS.",
            ),
            "Certificates": [{"CertificateArn": certificate.ref}],
            "ListenerAttributes": [
                _attribute("routing.http.response.server.enabled", "false"),
                _attribute("routing.http.response.strict_transport_security.header_value", "max-age=31536000"),
            ],
            "DefaultActions": [
                Commented(
                    action,
                    "The read gate. Host names are not filtered here: another name that a team points at the "
                    "application works, as long as it brings a certificate.",
                )
            ],
        },
    )


def _switch_rule(stack: Stack, https: Resource) -> None:
    body = stack.live(
        "Switch",
        dict.fromkeys(stack.regions, SWITCH_OFF),
        "off, or on:EPOCH; when this region has taken over: the other region's health check looks for it (D4).",
        AllowedPattern=r"^(off|on:[1-9][0-9]{0,17};)$",
        ConstraintDescription="off, or on:EPOCH; such as on:4;",
    )
    stack.add(
        "SwitchRule",
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        {
            "ListenerArn": https.ref,
            "Priority": 1,
            "Conditions": [_path(SWITCH_PATH)],
            "Actions": [
                {
                    "Type": "fixed-response",
                    "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": body},
                }
            ],
        },
        comment="Answered by the balancer itself: the switch works with every instance and every API of the other "
        "region gone.",
    )


def _health_rule(stack: Stack, spec: Spec, https: Resource, application: Resource) -> None:
    stack.add(
        "HealthPathRule",
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        {
            "ListenerArn": https.ref,
            "Priority": 2,
            "Conditions": [_path(spec.app.health_path)],
            "Actions": [{"Type": "forward", "TargetGroupArn": application.ref}],
        },
        comment="Around the read gate: a region that drains its reads is healthy, and must not leave DNS.",
    )


def _path(path: str) -> Value:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}


def _attribute(key: str, value: Value) -> Mapping[str, Value]:
    return {"Key": key, "Value": value}
