"""What Route 53 answers, on a small tree by hand."""

import json

from bicoastal.review.model.names import Names
from bicoastal.review.model.resolution import Resolution, Situation
from bicoastal.review.model.signals import Signals, compare
from tests.support.templates import deployment_of

TREE = """
  Balancer: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties: {LoadBalancerArn: !Ref Balancer, Protocol: HTTPS, Port: 443, DefaultActions: []}
  Switch:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 1
      Conditions: [{Field: path-pattern, PathPatternConfig: {Values: [/switch]}}]
      Actions: [{Type: fixed-response, FixedResponseConfig: {StatusCode: "200"}}]
  Endpoint:
    Type: AWS::Route53::HealthCheck
    Properties:
      HealthCheckConfig: {Type: HTTPS, FullyQualifiedDomainName: !GetAtt Balancer.DNSName, ResourcePath: /healthz}
  SwitchOff:
    Type: AWS::Route53::HealthCheck
    Properties:
      HealthCheckConfig:
        Type: HTTPS_STR_MATCH
        FullyQualifiedDomainName: !GetAtt Balancer.DNSName
        ResourcePath: /switch
        SearchString: "on"
        Inverted: true
  Both:
    Type: AWS::Route53::HealthCheck
    Properties:
      HealthCheckConfig:
        {Type: CALCULATED, HealthThreshold: 2, ChildHealthChecks: [!Ref Endpoint, !Ref SwitchOff]}
  Live:
    Type: AWS::Route53::RecordSet
    Properties:
      HostedZoneId: Z1
      Name: live.example.com
      Type: A
      SetIdentifier: one
      Weight: 1
      HealthCheckId: !Ref Both
      AliasTarget: {HostedZoneId: Z2, DNSName: !GetAtt Balancer.DNSName, EvaluateTargetHealth: true}
  First:
    Type: AWS::Route53::RecordSet
    Properties:
      HostedZoneId: Z1
      Name: WWW.example.com.
      Type: A
      SetIdentifier: first
      Failover: PRIMARY
      AliasTarget: {HostedZoneId: Z1, DNSName: live.example.com, EvaluateTargetHealth: true}
  Second:
    Type: AWS::Route53::RecordSet
    Properties:
      {HostedZoneId: Z1, Name: www.example.com, Type: A, SetIdentifier: second, Failover: SECONDARY,
       TTL: "60", ResourceRecords: [192.0.2.1]}
"""


def answers(situation: Situation, text: str = TREE) -> dict[str, float]:
    deployment = deployment_of(text)
    resolution = Resolution(deployment, Names(deployment), Signals(deployment, {}), 6)
    return resolution.shares("www.example.com", situation, near="us-east-1")


def test_the_primary_answers_while_it_is_healthy() -> None:
    assert answers(Situation()) == {"us-east-1": 1.0}


def test_a_lost_region_is_left() -> None:
    assert answers(Situation(lost=frozenset({"us-east-1"}))) == {"192.0.2.1": 1.0}


def test_a_switch_that_is_on_fails_the_inverted_check() -> None:
    assert answers(Situation(taken_over="us-east-1")) == {"192.0.2.1": 1.0}


def test_an_alias_that_does_not_evaluate_its_target_is_always_healthy() -> None:
    blind = TREE.replace("DNSName: live.example.com, EvaluateTargetHealth: true", "DNSName: live.example.com")
    assert answers(Situation(lost=frozenset({"us-east-1"})), blind) == {"us-east-1": 1.0}


def test_aliases_in_a_circle_end() -> None:
    circle = TREE.replace("DNSName: live.example.com", "DNSName: www.example.com")
    assert answers(Situation()) == {"us-east-1": 1.0}
    assert answers(Situation(), circle) == {}


def chain(levels: int, width: int) -> str:
    """Names that are each an alias of the next, several times over."""
    records = []
    for level in range(levels):
        target = {"HostedZoneId": "Z1", "EvaluateTargetHealth": True, "DNSName": f"n{level + 1}.example.com"}
        entry = {"HostedZoneId": "Z1", "Name": f"n{level}.example.com", "Type": "A", "Weight": 1}
        properties = {**entry, "AliasTarget": target}
        body = json.dumps({"Type": "AWS::Route53::RecordSet", "Properties": properties})
        records += [f"  R{level}x{copy}: {body}" for copy in range(width)]
    last = TREE.replace("WWW.example.com.", "www.example.com").replace("www.", f"n{levels}.")
    return last + "\n".join(records)


def test_trees_that_share_branches_are_walked_once() -> None:
    deployment = deployment_of(chain(levels=40, width=10))
    resolution = Resolution(deployment, Names(deployment), Signals(deployment, {}), 6)
    shares = resolution.shares("n0.example.com", Situation(), near="us-east-1")
    assert list(shares) == ["us-east-1"]
    assert abs(shares["us-east-1"] - 1) < 1e-9


def test_a_chain_without_end_is_given_up() -> None:
    deployment = deployment_of(chain(levels=1500, width=1))
    names = Names(deployment)
    resolution = Resolution(deployment, names, Signals(deployment, {}), 6)
    assert resolution.shares("n0.example.com", Situation(), near="us-east-1") == {}
    assert [item.logical_id for item in names.balancers(names.named("n0.example.com")[0])] == ["Balancer"]


def test_comparisons_are_cloudwatchs() -> None:
    assert compare(5, "GreaterThanOrEqualToThreshold", 5)
    assert not compare(5, "GreaterThanThreshold", 5)
    assert compare(5, "LessThanOrEqualToThreshold", 5)
    assert not compare(5, "LessThanThreshold", 5)
