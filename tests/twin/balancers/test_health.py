"""Targets: what is checked, what is said of them, and where requests go because of it."""

from __future__ import annotations

import http.client
import socket
import threading
import time

import pytest

from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.balancers.desired import Check
from bicoastal.twin.interfaces import INTERNET, Verdict, balancer_name, instance_name
from bicoastal.twin.pace import FAST, Pace
from bicoastal.twin.processes import Process, Program
from tests.twin.balancers.conftest import HOME, Bench, Benches, fixed, forward, until

BRISK = Pace("brisk", 100)
"""Ten seconds of AWS's are a tenth of one."""


def test_a_target_is_said_to_be_what_its_checks_find(bench: Bench) -> None:
    balancer, group = bench.balancer(), bench.group("app", "i-1", "i-2")
    assert bench.health(group) == dict.fromkeys(("i-1", "i-2"), ("unused", "Target.NotInUse"))
    bench.listener(balancer, forward(group))
    bench.answers(balancer)
    until(lambda: bench.health(group)["i-1"][0] != "unused", "it is in use")
    # Nobody listens there: two failures later it is unhealthy.
    bench.until_health(group, i_1="unhealthy", i_2="unhealthy")
    assert bench.health(group)["i-1"] == ("unhealthy", "Target.FailedHealthChecks")
    server = bench.server("i-1")
    assert bench.until_health(group, i_1="healthy", i_2="unhealthy")["i-1"] == ("healthy", "")
    server.health = 503
    assert bench.until_health(group, i_1="unhealthy", i_2="unhealthy")["i-1"][1] == "Target.ResponseCodeMismatch"
    said = bench.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "i-1"}])
    health = said["TargetHealthDescriptions"][0]
    assert health["TargetHealth"]["Description"] == "Health checks failed with these codes: [503]"
    assert health["HealthCheckPort"] == "8080"
    bench.elb.modify_target_group(TargetGroupArn=group, Matcher={"HttpCode": "200,500-503"})
    bench.until_health(group, i_1="healthy", i_2="unhealthy")


def test_a_new_target_is_healthy_with_its_first_pass_and_initial_until_then(benches: Benches) -> None:
    # At a slow pace, so that nothing can have been unhealthy yet.
    bench = benches(Pace("slow", 0.5))
    balancer, group = bench.balancer(), bench.group("app", "i-1")
    bench.listener(balancer, forward(group))
    until(lambda: bench.health(group)["i-1"] == ("initial", "Elb.InitialHealthChecking"), "it is being checked")
    bench.server("i-1")
    bench.until_health(group, i_1="healthy")


def test_requests_go_to_healthy_targets_and_to_all_when_none_is(bench: Bench) -> None:
    balancer = bench.balancer()
    one, other = bench.server("i-1"), bench.server("i-2")
    group = bench.group("app", "i-1", "i-2")
    bench.listener(balancer, forward(group))
    bench.answers(balancer)
    bench.until_health(group, i_1="healthy", i_2="healthy")
    until(lambda: {bench.ask(balancer).body for _ in range(8)} == {"i-1", "i-2"}, "both get requests")
    one.health = 500
    bench.until_health(group, i_1="unhealthy", i_2="healthy")
    assert {bench.ask(balancer).body for _ in range(20)} == {"i-2"}, "what is said is what is routed by"
    other.health = 500
    bench.until_health(group, i_1="unhealthy", i_2="unhealthy")
    assert {bench.ask(balancer).body for _ in range(20)} == {"i-1", "i-2"}, "it fails open"


def test_a_target_that_is_deregistered_finishes_what_it_has_and_gets_no_more(bench: Bench) -> None:
    balancer = bench.balancer()
    one = bench.server("i-1")
    bench.server("i-2")
    group = bench.group("app", "i-1")
    bench.elb.modify_target_group_attributes(
        TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    )
    bench.listener(balancer, forward(group))
    bench.answers(balancer)
    bench.until_health(group, i_1="healthy")
    one.delay_s = 1.0
    before = len(one.seen)
    answered: list[str] = []
    slow = threading.Thread(target=lambda: answered.append(bench.ask(balancer).body))
    slow.start()
    until(lambda: len(one.seen) > before, "the request is under way")
    bench.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "i-2"}])
    bench.elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "i-1"}])
    begun = time.monotonic()
    assert bench.health(group)["i-1"] == ("draining", "Target.DeregistrationInProgress")
    # The load balancer learns it a moment after the API has said so, as on AWS.
    until(lambda: {bench.ask(balancer).body for _ in range(10)} == {"i-2"}, "the other one has its place")
    assert {bench.ask(balancer).body for _ in range(10)} == {"i-2"}
    slow.join()
    assert answered == ["i-1"]
    until(lambda: "i-1" not in bench.health(group), "its delay is over")
    assert time.monotonic() - begun > FAST.seconds(30) * 0.9
    gone = bench.elb.describe_target_health(TargetGroupArn=group, Targets=[{"Id": "i-1"}])
    assert gone["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"] == "Target.NotRegistered"
    one.delay_s = 0.0
    bench.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "i-1"}])
    bench.until_health(group, i_1="healthy", i_2="healthy")


def test_a_target_has_a_port_of_its_own_and_may_have_two(bench: Bench) -> None:
    balancer = bench.balancer()
    bench.server("i-3", 9001), bench.server("i-3", 9002)
    group = bench.group("ports")
    targets = [{"Id": "i-3", "Port": 9001}, {"Id": "i-3", "Port": 9002}]
    bench.elb.register_targets(TargetGroupArn=group, Targets=targets)
    bench.listener(balancer, forward(group))
    bench.answers(balancer)

    def states() -> dict[int, str]:
        found = bench.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {item["Target"]["Port"]: item["TargetHealth"]["State"] for item in found}

    until(lambda: states() == {9001: "healthy", 9002: "healthy"}, "both are healthy")
    bench.elb.deregister_targets(TargetGroupArn=group, Targets=[targets[0]])
    until(lambda: states()[9001] == "draining", "one drains")
    assert states()[9002] == "healthy"


def test_what_is_wrong_with_targets_is_told_by_the_status_code(benches: Benches) -> None:
    bench = benches(BRISK)
    balancer = bench.balancer()
    group = bench.group("app")
    bench.listener(balancer, forward(group))
    answer = bench.answers(balancer)
    assert (answer.status, answer.headers["server"]) == (503, "awselb/2.0")
    assert "503 Service Temporarily Unavailable" in answer.body
    bench.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "i-1"}])
    refused = until(lambda: (found := bench.ask(balancer)).status != 503 and found, "there is a target")
    assert refused.status == 502, "it refuses"
    server = bench.server("i-1")
    until(lambda: bench.ask(balancer).status == 200, "it answers")
    server.delay_s = 3.0
    slow = bench.ask(balancer)
    assert slow.status == 504, "it takes longer than the idle timeout, a minute"
    assert "504 Gateway Time-out" in slow.body


def test_a_target_that_hangs_up_is_a_bad_gateway(bench: Bench) -> None:
    balancer, group = bench.balancer(), bench.group("app", "i-4")
    with socket.create_server((bench.ground.addresses.of(instance_name(HOME, "i-4")), 8080)) as door:

        def hang_up() -> None:
            while True:
                try:
                    door.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        bench.listener(balancer, forward(group))
        bench.until_health(group, i_4="unhealthy")
        assert bench.ask(balancer).status == 502
        door.shutdown(socket.SHUT_RDWR)


def test_a_target_that_was_stopped_is_not_used(bench: Bench) -> None:
    ec2 = bench.ground.api.client("ec2", HOME)
    id_ = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    balancer, group = bench.balancer(), bench.group("app", id_)
    bench.server(id_)
    bench.listener(balancer, forward(group))
    until(lambda: bench.health(group)[id_][0] == "healthy", "it runs")
    ec2.stop_instances(InstanceIds=[id_])
    until(lambda: bench.health(group)[id_] == ("unused", "Target.InvalidState"), "it is stopped")
    until(lambda: bench.answers(balancer).status == 503, "nothing is left to ask")


def test_attributes_of_a_group_and_of_the_load_balancer_act(bench: Bench) -> None:
    balancer, group = bench.balancer(), bench.group("app", "i-5", Matcher={"HttpCode": "200-399"})
    server = bench.server("i-5")
    bench.listener(balancer, forward(group))
    bench.until_health(group, i_5="healthy")
    for attributes in (
        {"load_balancing.algorithm.type": "least_outstanding_requests"},
        {"load_balancing.algorithm.type": "weighted_random"},
        {"load_balancing.algorithm.type": "round_robin", "slow_start.duration_seconds": "60"},
    ):
        pairs = [{"Key": key, "Value": value} for key, value in attributes.items()]
        bench.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=pairs)
        bench.loop.poke()
        assert bench.ask(balancer).status == 200
    bench.elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer,
        Attributes=[
            {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
            {"Key": "client_keep_alive.seconds", "Value": "60"},
        ],
    )
    raw = {"odd_name": "dropped"}

    def dropped() -> bool:
        connection = http.client.HTTPConnection(bench.address(balancer), reachable_port(80), timeout=20)
        connection.request("GET", "/", headers=raw)
        connection.getresponse().read()
        connection.close()
        return "odd_name" not in server.seen[-1]

    until(dropped, "names with an underscore are not for targets")
    assert bench.loop.status.troubles == (), "Envoy took all of it"


def test_a_client_s_connection_ends_when_it_is_old(benches: Benches) -> None:
    bench = benches(BRISK)
    balancer = bench.balancer()
    bench.elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer, Attributes=[{"Key": "client_keep_alive.seconds", "Value": "60"}]
    )
    bench.listener(balancer, fixed("here"))
    bench.answers(balancer)
    connection = http.client.HTTPConnection(bench.address(balancer), reachable_port(80), timeout=20)
    connection.connect()
    mine = connection.sock
    begun = time.monotonic()

    def replaced() -> bool:
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (ConnectionError, http.client.RemoteDisconnected):
            return True
        return connection.sock is not mine

    until(replaced, "it is not kept for ever, though it is in use")
    assert time.monotonic() - begun >= BRISK.seconds(60) * 0.9
    connection.close()


class Network:
    """Admits what is not forbidden."""

    def __init__(self) -> None:
        self.forbidden: set[tuple[str, str]] = set()

    def __call__(self, source: str, destination: str, port: int) -> Verdict:
        kinds = (source.partition("/")[0], destination.partition("/")[0])
        return Verdict(kinds not in self.forbidden, f"{source} to {destination}:{port}")


def test_a_path_that_the_network_does_not_admit_is_silence(benches: Benches) -> None:
    network = Network()
    bench = benches(BRISK, network)
    balancer, group = bench.balancer(), bench.group("app", "i-1")
    bench.server("i-1")
    bench.listener(balancer, forward(group))
    bench.answers(balancer)
    bench.until_health(group, i_1="healthy")
    network.forbidden = {("balancer", "instance")}
    assert bench.until_health(group, i_1="unhealthy")["i-1"][1] == "Target.Timeout"
    begun = time.monotonic()
    assert bench.ask(balancer).status == 504, "and not at once"
    assert time.monotonic() - begun > BRISK.seconds(60) * 0.8
    network.forbidden = set()
    bench.until_health(group, i_1="healthy")
    assert bench.ask(balancer).status == 200


def test_a_load_balancer_that_the_internet_may_not_reach_says_nothing(benches: Benches) -> None:
    network = Network()
    network.forbidden = {(INTERNET, "balancer")}
    bench = benches(FAST, network)
    balancer = bench.balancer()
    bench.listener(balancer, fixed("here"))
    until(bench.balancers.running, "it runs")

    def silent() -> bool:
        try:
            bench.ask(balancer, timeout_s=0.3)
        except TimeoutError:
            return True
        except OSError:
            return False
        return False

    until(silent, "connections hang")
    network.forbidden = set()
    bench.loop.poke()
    assert bench.answers(balancer, timeout_s=0.5).body == "here"
    network.forbidden = {(INTERNET, "balancer")}
    bench.loop.poke()
    until(silent, "connections hang again")


def test_an_internal_load_balancer_is_reached_by_instances_alone(benches: Benches) -> None:
    bench = benches()
    balancer = bench.balancer(Scheme="internal")
    bench.listener(balancer, fixed("inside"))

    def silent() -> bool:
        try:
            bench.ask(balancer, timeout_s=0.3)
        except TimeoutError:
            return True
        except OSError:
            return False
        return False

    until(silent, "a stranger gets no answer")
    home, name = bench.ground.home, instance_name(HOME, "i-1")
    script = f"exec 3<>/dev/tcp/{bench.address(balancer)}/10080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
    process = Process(home, Program("client", ("/bin/bash", "-c", script), owner=name), home.log("client"))
    process.start()
    process.wait_until_ended(20)
    assert process.log.read_text().endswith("inside")
    assert balancer_name(HOME, balancer).startswith("balancer/")


@pytest.mark.parametrize(
    ("codes", "code", "matches"),
    [("200", 200, True), ("200", 201, False), ("200-299", 250, True), ("200, 302", 302, True), ("200-299", 300, False)],
)
def test_codes_are_lists_and_ranges(codes: str, code: int, matches: bool) -> None:
    assert Check("HTTP", "traffic-port", "/", 30, 5, 5, 2, codes).matches(code) is matches
