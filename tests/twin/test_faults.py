"""The drill's hand: what it takes is gone everywhere at once, what it gives back is there, and AWS within goes on."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

from bicoastal.core.errors import SystemFault
from bicoastal.twin.cloud.gateway import Fault
from bicoastal.twin.cloud.process import ask
from bicoastal.twin.faults import Faults
from bicoastal.twin.ground import Ground, ground
from bicoastal.twin.interfaces import How
from bicoastal.twin.wire import Address, Place, Route
from tests.support.cloudformation import client

EAST, WEST = "us-east-1", "us-west-2"
SILENCE_S = 0.3
"""Longer than a round trip between the regions: what has not come by then does not come."""
REFUSED = (EndpointConnectionError, HTTPClientError)


@dataclass
class Room:
    """Hosts in both regions, one by its id; some can be made to stay."""

    name: str
    hosts: dict[str, set[str]] = field(default_factory=lambda: {EAST: {"e1", "e2"}, WEST: {"w1"}})
    lost: dict[str, How] = field(default_factory=dict)
    zones: set[tuple[str, str]] = field(default_factory=set)
    stuck: bool = False

    def lose(self, region: str, how: How) -> None:
        if self.stuck:
            raise SystemFault(f"the hosts of {region} cannot be ended")
        self.lost[region] = how

    def recover(self, region: str) -> None:
        self.lost.pop(region, None)

    def crash(self, region: str, id_: str) -> None:
        self.hosts[region].remove(id_)


class Databases(Room):
    """Hosts with disks, in zones."""

    def wreck(self, region: str, id_: str) -> None:
        self.hosts[region].remove(id_)
        self.hosts[region].add(f"{id_}, empty")

    def take_away(self, region: str, id_: str) -> None:
        self.hosts[region].remove(id_)

    def give_back(self, region: str, id_: str) -> None:
        self.hosts[region].add(id_)

    def lose_zone(self, region: str, zone: str) -> None:
        self.zones.add((region, zone))

    def recover_zone(self, region: str, zone: str) -> None:
        self.zones.discard((region, zone))


@dataclass
class Scene:
    """A twin's ground with rooms of hosts, and a way between the regions that carries bytes."""

    ground: Ground
    rooms: list[Room]
    faults: Faults
    ways: dict[tuple[str, str], tuple[str, int]]

    def carries(self, source: str, destination: str) -> bool:
        """Whether a byte that is sent from one region to the other is echoed."""
        try:
            with socket.create_connection(self.ways[source, destination], timeout=2) as connection:
                connection.settimeout(SILENCE_S)
                connection.sendall(b"?")
                return connection.recv(1) == b"?"
        except OSError:
            return False

    def customer(self, service: str, region: str) -> Any:
        """A client of a customer's, whose calls meet faults and are recorded."""
        endpoint = self.ground.api.endpoint
        return client(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, service=service, region=region)


@pytest.fixture(scope="module")
def base() -> Iterator[Ground]:
    root = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    root.chmod(0o755)
    with ground(root, (), (EAST, WEST)) as made:
        yield made
    shutil.rmtree(root)


@pytest.fixture
def scene(base: Ground) -> Iterator[Scene]:
    rooms = [Room("instances"), Databases("databases")]
    echo = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_echo, args=(echo,), daemon=True).start()
    listeners = {}
    for way in ((EAST, WEST), (WEST, EAST), (EAST, EAST)):
        route = Route(Place(way[0]), Place(way[1]), echo.getsockname())
        listeners[way] = base.wire.listen(("127.0.0.1", 0), partial(_by, route))
    ways = {way: listener.address for way, listener in listeners.items()}
    faults = Faults(base, rooms)
    yield Scene(base, rooms, faults, ways)
    faults.undo()
    ask(base.api.endpoint, "faults", [])
    for listener in listeners.values():
        listener.close()
    # Or the thread that accepts would keep it open.
    echo.shutdown(socket.SHUT_RDWR)
    echo.close()


def _by(route: Route, peer: Address) -> Route:
    del peer
    return route


def _echo(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(64):
            connection.sendall(data)


def test_a_lost_region_is_gone_in_every_way_and_comes_back(scene: Scene) -> None:
    assert scene.carries(WEST, EAST)
    act = scene.faults.lose_region(EAST, "refuse")
    assert [room.lost for room in scene.rooms] == [{EAST: "refuse"}, {EAST: "refuse"}]
    assert not scene.carries(WEST, EAST)
    assert not scene.carries(EAST, WEST)
    assert scene.carries(EAST, EAST), "what is within it, its rooms have taken or not"
    with pytest.raises(REFUSED):
        scene.customer("ec2", EAST).describe_vpcs()
    assert scene.customer("ec2", WEST).describe_vpcs()["Vpcs"]
    assert scene.faults.lost == {EAST: "refuse"}
    assert act.began <= act.ended <= time.time()
    scene.faults.recover_region(EAST)
    assert [room.lost for room in scene.rooms] == [{}, {}]
    assert scene.carries(WEST, EAST)
    assert scene.customer("ec2", EAST).describe_vpcs()["Vpcs"]
    assert [act.what for act in scene.faults.acts] == ["us-east-1 is lost (refuse)", "us-east-1 is there again"]


def test_with_home_the_global_control_planes_are_gone_from_everywhere(scene: Scene) -> None:
    iam, route53 = scene.customer("iam", WEST), scene.customer("route53", WEST)
    scene.faults.lose_region(WEST, "refuse")
    assert "Roles" in iam.list_roles()
    assert "HostedZones" in route53.list_hosted_zones()
    scene.faults.recover_region(WEST)
    scene.faults.lose_region(EAST, "refuse")
    for call in (iam.list_roles, route53.list_hosted_zones):
        with pytest.raises(REFUSED):
            call()
    seen = ask(scene.ground.api.endpoint, "calls?after=0")[-2:]
    assert [(call["service"], call["region"], call["outcome"]) for call in seen] == [
        ("iam", EAST, "refuse"),
        ("route53", EAST, "refuse"),
    ], "the gateway has counted them, as calls to where their control planes are"


def test_the_twins_own_controllers_go_on(scene: Scene) -> None:
    for how in ("refuse", "black-hole"):
        scene.faults.lose_region(EAST, how)
        began = time.monotonic()
        assert scene.ground.api.client("ec2", EAST).describe_vpcs()["Vpcs"]
        assert "Roles" in scene.ground.api.client("iam", EAST).list_roles()
        assert scene.ground.api.changes(0) >= 0
        assert time.monotonic() - began < 5
        scene.faults.recover_region(EAST)


def test_a_black_hole_says_nothing_until_it_is_healed(scene: Scene) -> None:
    scene.faults.lose_region(EAST, "black-hole")
    assert not scene.carries(WEST, EAST)
    answered = threading.Event()
    # Made before: it takes longer than the silence, on a machine with other work.
    rds = scene.customer("rds", EAST)

    def call() -> None:
        with pytest.raises((ClientError, *REFUSED)):
            rds.describe_db_instances()
        answered.set()

    threading.Thread(target=call, daemon=True).start()
    assert not answered.wait(SILENCE_S)
    scene.faults.recover_region(EAST)
    assert answered.wait(10)
    assert scene.carries(WEST, EAST)


def test_a_partition_cuts_one_way_or_both_and_outlives_the_recovery_of_a_region(scene: Scene) -> None:
    scene.faults.partition(EAST, WEST, "refuse", both=False)
    scene.faults.heal(WEST, EAST)
    assert scene.carries(EAST, WEST), "healed, whichever end is named first"
    scene.faults.partition(EAST, WEST, "refuse")
    scene.faults.lose_region(WEST, "black-hole")
    scene.faults.recover_region(WEST)
    assert not scene.carries(EAST, WEST)
    assert scene.customer("ec2", WEST).describe_vpcs()["Vpcs"], "the API is none of the wire's business"
    scene.faults.heal(EAST, WEST)
    assert scene.carries(EAST, WEST)
    scene.faults.lose_region(WEST, "refuse")
    scene.faults.partition(EAST, WEST, "refuse")
    scene.faults.heal(EAST, WEST)
    assert not scene.carries(EAST, WEST), "a lost region stays cut off"


def test_single_hosts_fail(scene: Scene) -> None:
    scene.faults.kill_instance(EAST, "e1")
    scene.faults.kill_database_primary(WEST, "w1")
    assert scene.rooms[0].hosts == {EAST: {"e2"}, WEST: {"w1"}}
    assert scene.rooms[1].hosts == {EAST: {"e1", "e2"}, WEST: set()}
    with pytest.raises(SystemFault, match="no host of the databases can be made to fail alone"):
        Faults(scene.ground, scene.rooms[:1]).kill_database_primary(EAST, "e1")


def test_a_database_loses_its_disk_or_all_of_its_hosts_for_a_while(scene: Scene) -> None:
    scene.faults.kill_database_primary(EAST, "e1", disk=True)
    assert scene.rooms[1].hosts[EAST] == {"e1, empty", "e2"}
    scene.faults.take_database(WEST, "w1")
    assert scene.rooms[1].hosts[WEST] == set()
    scene.faults.give_database(WEST, "w1")
    assert scene.rooms[1].hosts[WEST] == {"w1"}
    scene.faults.take_database(WEST, "w1")
    scene.faults.undo()
    assert scene.rooms[1].hosts[WEST] == {"w1"}
    with pytest.raises(SystemFault, match="no disk of the databases"):
        Faults(scene.ground, [Room("databases")]).kill_database_primary(EAST, "e1", disk=True)


def test_a_lost_zone_takes_databases_nodes_and_launches_nothing(scene: Scene) -> None:
    ec2 = scene.customer("ec2", EAST)
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    image = {"ImageId": "ami-0abcdef1234567890", "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    scene.faults.lose_zone(EAST, zone)
    assert scene.rooms[1].zones == {(EAST, zone)}
    with pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        ec2.run_instances(**image, Placement={"AvailabilityZone": zone})
    scene.faults.recover_zone(EAST, zone)
    assert scene.rooms[1].zones == set()
    with pytest.raises(ValueError, match="is no Availability Zone of us-west-2"):
        scene.faults.lose_zone(WEST, zone)


def test_faults_of_the_api_stand_beside_a_lost_region_and_those_of_others(scene: Scene) -> None:
    endpoint = scene.ground.api.endpoint
    ask(endpoint, "faults", [{"kind": "throttle", "service": "sns"}])
    scene.faults.fail_api(Fault("throttle", region=WEST, service="rds"))
    scene.faults.lose_region(EAST, "refuse")
    for service in ("rds", "sns"):
        with pytest.raises(ClientError, match="Throttling"):
            scene.customer(service, WEST).describe_db_instances() if service == "rds" else scene.customer(
                service, WEST
            ).list_topics()
    scene.faults.recover_region(EAST)
    with pytest.raises(ClientError, match="Throttling"):
        scene.customer("rds", WEST).describe_db_instances()
    scene.faults.fail_api()
    assert scene.customer("rds", WEST).describe_db_instances()["DBInstances"] == []
    assert [fault["service"] for fault in ask(endpoint, "faults")] == ["sns"]


def test_undo_gives_everything_back(scene: Scene) -> None:
    scene.faults.lose_region(EAST, "black-hole")
    scene.faults.partition(WEST, EAST, "refuse")
    scene.faults.fail_api(Fault("unavailable", service="rds"))
    scene.faults.undo()
    assert [room.lost for room in scene.rooms] == [{}, {}]
    assert scene.carries(EAST, WEST)
    assert ask(scene.ground.api.endpoint, "faults") == []


def test_what_cannot_be_taken_is_said_and_the_rest_is_taken(scene: Scene) -> None:
    scene.rooms[0].stuck = True
    with pytest.raises(SystemFault, match="the hosts of us-east-1 cannot be ended"):
        scene.faults.lose_region(EAST, "refuse")
    assert scene.rooms[1].lost == {EAST: "refuse"}
    assert not scene.carries(WEST, EAST)
    with pytest.raises(ValueError, match="eu-west-1 is no region of this twin: it has us-east-1, us-west-2"):
        scene.faults.lose_region("eu-west-1", "refuse")
