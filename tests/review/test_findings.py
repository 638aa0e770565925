"""The engine of the rules: which it asks, where it says that something is, and what is suppressed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.demand import two_region_web
from bicoastal.review.findings import explained, look
from tests.support.findings import of_deployment, said
from tests.support.reviewed import sample
from tests.support.templates import deployment_of

FLEET = """
Workers:
  Type: AWS::AutoScaling::AutoScalingGroup
METADATA
  Properties: {MinSize: 1, MaxSize: 4, AvailabilityZones: [us-east-1a]}
"""
SUPPRESSED = """  Metadata:
    bicoastal:
      suppress: [{rule: fleet-in-one-zone, reason: Batch work; nobody waits.}]"""


def test_our_own_templates_are_in_order() -> None:
    deployment = sample().deployment()
    assert [str(finding) for finding in look(Case(deployment, sample().demand)).findings] == []


def test_a_finding_says_what_where_why_and_the_next_move() -> None:
    deployment = deployment_of(FLEET.replace("METADATA\n", "").replace("\n", "\n  "))
    (finding,) = of_deployment(deployment, "fleet-in-one-zone")
    assert finding.severity is Severity.ERROR
    assert finding.title == "An Auto Scaling group stands in one Availability Zone"
    assert finding.detail.startswith("Workers stands in us-east-1a alone. When that zone fails")
    assert finding.remedy == "Give it subnets in two Availability Zones or more."
    assert (finding.region, finding.resource) == ("us-east-1", "Workers")
    assert finding.location.path == ("Resources", "Workers", "Properties", "AvailabilityZones")
    assert finding.location.position is not None


def test_what_is_suppressed_with_a_reason_is_counted_and_not_said() -> None:
    deployment = deployment_of(FLEET.replace("METADATA", SUPPRESSED).replace("\n", "\n  "))
    found = look(Case(deployment, two_region_web()), frozenset({"fleet-in-one-zone"}))
    assert (found.findings, found.suppressed) == ((), 1)


def test_a_whole_file_is_suppressed_at_its_top() -> None:
    head = "Metadata: {bicoastal: {suppress: [{rule: fleet-in-one-zone, reason: A laboratory.}]}}"
    assert said("fleet-in-one-zone", FLEET.replace("METADATA\n", ""), head=head) == []


@pytest.mark.parametrize(
    "entry", ["{rule: fleet-in-one-zone}", "{rule: fleet-in-one-zone, reason: ' '}", "fleet-in-one-zone"]
)
def test_without_a_reason_nothing_is_suppressed(entry: str) -> None:
    metadata = f"  Metadata: {{bicoastal: {{suppress: [{entry}]}}}}"
    template = FLEET.replace("METADATA", metadata)
    assert len(said("fleet-in-one-zone", template)) == 1
    (text,) = said("suppression-without-reason", template)
    assert text.startswith("warning: Workers suppresses fleet-in-one-zone and does not say why.")


def test_a_rule_that_stumbles_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from bicoastal.review.rules.scaling import fleet_of_one  # noqa: PLC0415 - the one that is made to stumble

    def broken(_case: Case) -> None:
        raise LookupError("no such thing")

    monkeypatch.setattr(fleet_of_one, "look", broken)
    deployment = deployment_of(FLEET.replace("METADATA\n", "").replace("\n", "\n  "))
    found = of_deployment(deployment, "fleet-of-one", "fleet-in-one-zone")
    assert [(finding.rule, finding.severity) for finding in found] == [
        ("fleet-in-one-zone", Severity.ERROR),
        ("rule-failed", Severity.INFO),
    ]
    assert found[1].title == "Rule fleet-of-one could not be asked here: LookupError: no such thing"


def test_rules_that_have_nothing_to_say_are_not_even_loaded() -> None:
    code = """
import sys
from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.reader import parse_template
from bicoastal.review.case import Case
from bicoastal.review.demand import two_region_web
from bicoastal.review.findings import look
text = "Resources: {Topic: {Type: 'AWS::SNS::Topic'}}"
look(Case(Deployment.of_files([(parse_template(text, "t.yaml"), "us-east-1")]), two_region_web()))
print(*[name for name in sys.modules if name.startswith("bicoastal.review.rules.database.")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""


def test_rules_are_explained_by_their_id() -> None:
    assert explained("fleet-in-one-zone").types == ("AWS::AutoScaling::AutoScalingGroup",)
    with pytest.raises(KeyError):
        explained("no-such-rule")
