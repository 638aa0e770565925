"""The hosted zone: made or taken."""

from __future__ import annotations

from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.manifest import FromOutput, Literal
from tests.support.regions import HOME, build
from tests.support.route53 import resolved
from tests.support.specs import spec


def test_a_zone_of_the_spec_is_taken_and_none_is_made() -> None:
    built = build(spec(domain={"name": "orders.example.com", "zone_id": "Z0123456789ABC"}))
    assert built.zone.stack is None
    assert built.names.stack.sources[HOME]["HostedZoneId"] == Literal("Z0123456789ABC")


def test_the_made_zone_recovers_fast_and_outlives_its_stack() -> None:
    stack = build(spec()).zone.stack
    assert stack is not None
    assert resolved(stack, {})["HostedZone"]["HostedZoneFeatures"] == {"EnableAcceleratedRecovery": True}
    text = stack.to_yaml()
    assert "DeletionPolicy: RetainExceptOnCreate" in text
    assert "UpdateReplacePolicy: Retain" in text
    assert build(spec()).names.stack.sources[HOME]["HostedZoneId"] == FromOutput("zone/us-east-1", "HostedZoneId")


def test_only_aws_issues_certificates_for_the_names_of_a_made_zone() -> None:
    stack = build(spec()).zone.stack
    assert stack is not None
    record = resolved(stack, {})["CertificateAuthorities"]
    assert (record["Type"], record["ResourceRecords"]) == ("CAA", ['0 issue "amazon.com"'])


def test_no_update_of_a_stack_waits_for_route_53() -> None:
    """CloudFormation looks typed ids up at each change set; this one would be looked up in us-east-1 (D4)."""
    for of in (spec(), spec(domain={"name": "orders.example.com", "zone_id": "Z0123456789ABC"})):
        for stack in compose(of).stacks:
            for name, parameter in stack.document.get("Parameters", {}).items():
                assert "Route53" not in parameter["Type"], f"{stack.kind}.{name}"
