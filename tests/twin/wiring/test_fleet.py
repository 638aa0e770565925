"""Faults around the fleet: instances that really boot, behind a load balancer that really asks them.

The application is a small one that needs no database; the databases stand on paper.
"""

from __future__ import annotations

import http.client
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bicoastal.blueprint.bundle import application_bundle, version_of
from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.admission import Admission
from bicoastal.twin.api import Watcher
from bicoastal.twin.balancers.controller import Balancers
from bicoastal.twin.controller import Loop
from bicoastal.twin.faults import Faults
from bicoastal.twin.fleets.controller import Fleets
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.instances.controller import Instances
from bicoastal.twin.interfaces import balancer_name
from bicoastal.twin.pace import FAST
from bicoastal.twin.processes import end_leftovers
from tests.support.cloudformation import Walker
from tests.support.running import until
from tests.support.specs import spec
from tests.support.wiring import changed, fault, walker_of, without
from tests.twin.conftest import REGIONS
from tests.twin.instances.conftest import the_kit

Json = Any
HOME, _ = REGIONS
SERVICE, NETWORK = f"service/{HOME}", f"network/{HOME}"
FLEET = "orders-production-fleet"
APPLICATION = """\
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/", "/healthz") else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass
class Site:
    """The home region's service as deployed."""

    ground: Ground
    walker: Walker
    faults: Faults

    def get(self, path: str = "/") -> int:
        """What a user of the balancer gets; 0: nothing."""
        (found,) = self.client("elbv2").describe_load_balancers()["LoadBalancers"]
        address = self.ground.addresses.of(balancer_name(HOME, found["LoadBalancerArn"]))
        context = ssl.create_default_context(cafile=str(self.ground.authority.certificate))
        context.check_hostname = False
        connection = http.client.HTTPSConnection(address, reachable_port(443), timeout=10, context=context)
        try:
            connection.request("GET", path, headers={"Host": "orders.example.com"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def client(self, service: str) -> Any:
        return self.ground.api.client(service, HOME)

    @property
    def group(self) -> Json:
        (found,) = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[FLEET])[
            "AutoScalingGroups"
        ]
        return found

    def zones(self) -> list[str]:
        """Where instances serve."""
        return sorted(one["AvailabilityZone"] for one in self.group["Instances"] if self._serves(one))

    def healthy(self) -> set[str]:
        """The application's targets that pass their check."""
        targets = self.client("elbv2")
        group = next(item for item in targets.describe_target_groups()["TargetGroups"] if item["Port"] == 8080)
        found = targets.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
        return {item["Target"]["Id"] for item in found if item["TargetHealth"]["State"] == "healthy"}

    def activities(self) -> list[Json]:
        return list(self.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=FLEET)["Activities"])

    def await_service(self) -> None:
        """Two instances in two zones, healthy, and a page."""
        until("the fleet serves", lambda: len(set(self.zones())) == len(self.healthy()) == 2, 90)
        until("the page is there", lambda: self.get() == 200, 30)

    @staticmethod
    def _serves(member: Json) -> bool:
        return bool(member["LifecycleState"] == "InService" and member["HealthStatus"] == "Healthy")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    application = tmp_path_factory.mktemp("application")
    (application / "server.py").write_text(APPLICATION)
    bundle = application_bundle(application)
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        made = stack.enter_context(ground(root, ("instances", "fleets", "balancers"), REGIONS, FAST))
        stack.callback(end_leftovers, made.home, 1)
        admission = Admission(made.api)
        stack.callback(admission.close)
        rooms = Instances(made, admits=admission), Fleets(made), Balancers(made, admits=admission)
        loops: list[Loop[Any, Any]] = [Loop(room, 1.0) for room in rooms]
        rooms[1].wake = loops[1].poke
        for react in (admission.changed, *(loop.poke for loop in loops)):
            watcher = Watcher(made.api, react)
            watcher.start()
            stack.callback(watcher.stop)
        for loop in loops:
            loop.start()
            stack.callback(loop.stop)
        walker = walker_of(spec(app={"command": "exec python3.11 server.py"}), made, SERVICE)
        walker.chosen = {"KitVersion": version_of(the_kit()), "ApplicationVersion": version_of(bundle)}
        for entry in walker.manifest.stacks:
            walker.create(entry)
            if entry.id == f"foundation/{HOME}":
                bucket, s3 = walker.outputs[entry.id]["ArtifactBucket"], made.api.client("s3", HOME)
                s3.put_object(Bucket=bucket, Key=f"kits/{walker.chosen['KitVersion']}.tar.gz", Body=the_kit())
                key = f"applications/{walker.chosen['ApplicationVersion']}.tar.gz"
                s3.put_object(Bucket=bucket, Key=key, Body=bundle)
                s3.put_object(Bucket=bucket, Key="ca/rds.pem", Body=made.authority.certificate.read_bytes())
        yield Site(made, walker, Faults(made, rooms))


@pytest.fixture
def site(built: Site) -> Site:
    """The same, whatever the test before has done to it."""
    built.await_service()
    return built


def test_2_balancer_blocked_by_the_targets_group(site: Site) -> None:
    """The instances serve, and no user gets to them."""
    with fault(site.walker, NETWORK, without("BalancerToApplicationIngress")):
        until("users get nothing", lambda: site.get() in (502, 503, 504), 30)
        until("no target is healthy", lambda: not site.healthy(), 30)
        assert site.get("/.well-known/bicoastal/switch") == 200, "the balancer itself is there"


def test_10_fleet_in_one_zone(site: Site) -> None:
    """Its zone is lost, and nothing serves until the zone is there again; over three zones the others serve on."""
    one = changed(
        "Fleet",
        "VPCZoneIdentifier: !Ref ApplicationSubnets",
        "VPCZoneIdentifier: [!Select [0, !Ref ApplicationSubnets]]",
    )
    with fault(site.walker, SERVICE, one):
        until(
            "all is in one zone", lambda: len(site.zones()) == len(site.healthy()) == 2 and len(set(site.zones())) == 1
        )
        until("the page is there", lambda: site.get() == 200, 30)
        zone = site.zones()[0]
        site.faults.lose_zone(HOME, zone)
        failed = len(site.activities())
        until("nobody serves", lambda: site.zones() == [] and site.get() in (502, 503, 504), 60)
        until("launches fail", lambda: len(site.activities()) > failed, 60)
        assert (site.zones(), site.group["DesiredCapacity"]) == ([], 2)
        site.faults.recover_zone(HOME, zone)
    site.await_service()

    lost, other = site.zones()
    site.faults.lose_zone(HOME, lost)
    assert other in site.zones()
    until("the page is there", lambda: site.get() == 200, 30)
    until("the other zones have it all", lambda: lost not in site.zones() and len(site.zones()) == 2, 60)
    said = " ".join(str(item.get("StatusMessage")) for item in site.activities())
    assert f"do not have sufficient t3.micro capacity in the Availability Zone you requested ({lost})" in said
    site.faults.recover_zone(HOME, lost)


def test_11_health_check_on_a_path_that_is_not_served(site: Site) -> None:
    """The application serves; no target is ever healthy, and the group replaces its instances for ever."""
    elsewhere = changed("ApplicationTargets", "HealthCheckPath: /healthz", "HealthCheckPath: /status")
    hasty = changed("Fleet", "HealthCheckGracePeriod: 600", "HealthCheckGracePeriod: 30")
    first = {one["InstanceId"] for one in site.group["Instances"]}
    with fault(site.walker, SERVICE, lambda text: hasty(elsewhere(text))):
        until("no target is healthy", lambda: not site.healthy(), 30)
        until("requests go to all of them, as none is healthy", lambda: site.get() == 200, 30)

        def ended() -> set[str]:
            because = "taken out of service in response to an ELB system health check failure"
            return {item["Description"].split()[-1] for item in site.activities() if because in item["Cause"]}

        until("what replaced them is replaced", lambda: ended() - first, 90)
        assert not site.healthy()
