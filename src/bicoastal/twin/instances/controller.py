"""Keeps the twin's instances as the API says: booted, stopped, started, rebooted, terminated, forgotten.

Each round reads DescribeInstances of each region; an instance's state and status checks are told by reports. Machines
of a region that is lost stay as they are until it recovers: nothing heals there.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.twin.ground import Ground
from bicoastal.twin.instances import programs, usage
from bicoastal.twin.instances.bytecode import Bytecode
from bicoastal.twin.instances.front_desk import Answerer, FrontDesk
from bicoastal.twin.instances.machine import Hardware, House, Machine
from bicoastal.twin.instances.metadata import Identity, Options
from bicoastal.twin.instances.reactor import Reactor
from bicoastal.twin.instances.units import Unit
from bicoastal.twin.interfaces import Admits, Host, How, StartAgent, admits_everything, instance_name

Json = Any
Key = tuple[str, str]
"""Region and instance id."""
REMEMBERED_S = 3600.0
"""How long a terminated instance is still described."""
_LIVE = ("pending", "running")
_MIB = 1 << 20
_NO_LAUNCH = "Server.InternalError: An internal error caused the instance to terminate during launch."


@dataclass(frozen=True)
class Desired:
    """An instance as the API describes it."""

    record: Mapping[str, Json]
    checks: str
    """`ok`, `initializing`, `impaired`; empty where it does not run."""
    looked: float
    """Monotonic seconds at which this look began: what was told later it does not show."""

    @property
    def state(self) -> str:
        """`pending`, `running`, ..."""
        return str(self.record["State"]["Name"])


class Instances:
    """The controller; gives the twin's other rooms their hosts."""

    name = "instances"

    def __init__(
        self, ground: Ground, admits: Admits = admits_everything, start_agent: StartAgent | None = None
    ) -> None:
        """`admits` decides which of AWS's services an instance reaches; `start_agent` makes its CloudWatch agent."""
        self._ground = ground
        self._reactor = Reactor()
        self._reactor.start()
        self._machines: dict[Key, Machine] = {}
        self._lost: dict[str, How] = {}
        self._crashed: set[Key] = set()
        self._told: dict[Key, float] = {}
        """When an instance was last told to be reachable."""
        self._ended: dict[Key, float] = {}
        self._types: dict[str, tuple[int, int]] = {}
        self._roles: dict[str, str] = {}
        self._lock = threading.Lock()
        sessions: dict[int, tuple[Machine, Unit | None]] = {}
        self._desk = FrontDesk(f"bicoastal/{ground.addresses.resolver}/desk", self._whose)
        self._desk.open()
        self._programs: Future[Path] = Future()
        # Copying an interpreter takes a second, as root: the first instances are a few seconds away.
        threading.Thread(target=self._install, name="twin-programs", daemon=True).start()
        bytecode = Bytecode(ground.home.root / "programs" / "bytecode", ground.home.account)
        self._house = House(ground, self._reactor, self._programs.result, bytecode, admits, start_agent, sessions)

    # The controller.

    def observe(self) -> Mapping[Key, Desired]:
        """Every instance that the API describes. Raises SystemFault."""
        found: dict[Key, Desired] = {}
        for region in self._ground.regions:
            client = self._ground.api.client("ec2", region)
            looked = time.monotonic()
            with aws_faults(f"reading the instances of {region}"):
                answer = client.describe_instances()
                items = [item for group in answer["Reservations"] for item in group["Instances"]]
                checks: dict[str, str] = {}
                if any(item["State"]["Name"] == "running" for item in items):
                    listed = client.describe_instance_status()["InstanceStatuses"]
                    checks = {item["InstanceId"]: item["InstanceStatus"]["Status"] for item in listed}
            for item in items:
                found[region, item["InstanceId"]] = Desired(item, checks.get(item["InstanceId"], ""), looked)
        return found

    def running(self) -> set[Key]:
        """The machines that there are."""
        return set(self._machines)

    def converge(self, key: Key, desired: Desired | None) -> None:
        """Make one instance what it should be. Raises SystemFault."""
        if key[0] in self._lost:
            return
        state = desired.state if desired else "terminated"
        machine = self._machines.get(key)
        if desired and state in _LIVE:
            if machine is None and key not in self._crashed:
                self._boot(key, desired)
            elif machine is not None and self._should_reboot(key, desired):
                self._end(key, machine)
                self._boot(key, desired)
            elif machine is not None:
                self._note_tags(machine, desired)
        elif state in ("stopping", "stopped"):
            self._end(key, machine)
            self._crashed.discard(key)
            if state == "stopping":
                self._report(key, state="stopped", console=self._console(key))
        else:
            self._end(key, machine)
            self._remove(key, state)

    def close(self) -> None:
        """End every machine as by a power cut; disks stay."""
        for key in list(self._machines):
            machine = self._machines.pop(key, None)
            if machine is not None:
                machine.cut()
        self._desk.close()
        self._reactor.stop()

    # What other rooms ask.

    def find(self, region: str, id_: str) -> Host | None:
        """The running instance."""
        return self._machines.get((region, id_)) if region not in self._lost else None

    def hosts(self) -> list[Host]:
        """All that run."""
        return [machine for (region, _), machine in list(self._machines.items()) if region not in self._lost]

    def lose(self, region: str, how: How) -> None:
        """`refuse`: all programs of its hosts are gone, at once. `black-hole`: they run on, cut off from outside."""
        self._lost[region] = how
        if how == "refuse":
            for key, machine in list(self._machines.items()):
                if key[0] == region:
                    machine.cut()

    def recover(self, region: str) -> None:
        """Hosts that were gone are booted from their disks, as after a power cut; the others have never noticed."""
        if self._lost.get(region) == "refuse":
            for key, machine in list(self._machines.items()):
                if key[0] == region:
                    machine.cut()
                    self._machines.pop(key, None)
        self._lost.pop(region, None)

    def crash(self, region: str, id_: str) -> None:
        """One host fails: its programs are gone, and its status check says so. It is not booted again here.

        One that had not begun to boot comes to nothing, as on AWS.
        """
        key = (region, id_)
        self._crashed.add(key)
        machine = self._machines.pop(key, None)
        if machine is not None:
            machine.cut()
        if self._report(key, reachable=False, console=self._console(key)).get("state") == "pending":
            self._report(key, state="terminated", reason=_NO_LAUNCH)

    # Steps.

    def _boot(self, key: Key, desired: Desired) -> None:
        machine = Machine(self._hardware(key, desired), self._house, self._turned_off)
        self._machines[key] = machine
        self._told.pop(key, None)
        if desired.state == "pending":
            self._report(key, state="running")
        # Beside: a command of the user data may take long, and must not keep the instance from being terminated.
        threading.Thread(target=self._come_up, args=(key, machine), name=f"twin-boot-{key[1]}", daemon=True).start()

    def _come_up(self, key: Key, machine: Machine) -> None:
        try:
            machine.boot()
            if self._machines.get(key) is machine and not self._lost.get(key[0]):
                self._tell_checks(key, reachable=True)
        except Exception as error:
            machine.say(f"does not boot: {error}")
            with contextlib.suppress(Exception):
                machine.cut()
            # The next round tries again.
            if self._machines.get(key) is machine:
                self._machines.pop(key)

    def _should_reboot(self, key: Key, desired: Desired) -> bool:
        """RebootInstances begins the checks anew, of an instance that had passed them."""
        told = self._told.get(key)
        return desired.checks == "initializing" and told is not None and told < desired.looked

    def _end(self, key: Key, machine: Machine | None) -> None:
        if machine is not None:
            machine.shut_down()
            self._machines.pop(key, None)
        self._told.pop(key, None)

    def _remove(self, key: Key, state: str) -> None:
        """Terminated: the disk goes, then the record, then the address, which another may have from then on."""
        region, id_ = key
        root = self._ground.home.instances(region, id_)
        if state == "shutting-down":
            programs.remove_tree(root)
            self._report(key, state="terminated", console=self._console(key))
            return
        ended = self._ended.setdefault(key, time.monotonic())
        if time.monotonic() - ended >= self._ground.pace.seconds(REMEMBERED_S):
            programs.remove_tree(root)
            self._report(key, state="gone")
            self._ground.addresses.forget(instance_name(region, id_))
            self._ended.pop(key, None)
            self._crashed.discard(key)

    def _turned_off(self, machine: Machine, how: str) -> None:
        """An instance ends itself: by its attribute it is stopped then, or terminated. In a thread of its timer."""
        key = (machine.region, machine.id)
        if how == "reboot":
            machine.shut_down()
            self._machines.pop(key, None)
            return
        with contextlib.suppress(SystemFault):
            with aws_faults("DescribeInstanceAttribute"):
                answer = self._ground.api.client("ec2", machine.region).describe_instance_attribute(
                    InstanceId=machine.id, Attribute="instanceInitiatedShutdownBehavior"
                )
            ends = answer["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
            self._report(
                key,
                state="shutting-down" if ends else "stopping",
                reason="Client.InstanceInitiatedShutdown: Instance initiated shutdown",
            )

    def _hardware(self, key: Key, desired: Desired) -> Hardware:
        region, id_ = key
        record = desired.record
        client = self._ground.api.client("ec2", region)
        with aws_faults(f"reading the user data of {id_}"):
            data = client.describe_instance_attribute(InstanceId=id_, Attribute="userData")["UserData"]
        profile = record.get("IamInstanceProfile") or {}
        role = self._role(profile.get("Arn", ""))
        vcpus, memory_mib = self._type(region, record["InstanceType"])
        tags = {tag["Key"]: tag["Value"] for tag in record.get("Tags") or ()}
        user_data = base64.b64decode(data.get("Value") or "")
        identity = Identity(
            region=region,
            zone=record["Placement"]["AvailabilityZone"],
            account=self._ground.api.endpoint.account,
            id=id_,
            image=record["ImageId"],
            type=record["InstanceType"],
            architecture=record["Architecture"],
            private_ip=record["PrivateIpAddress"],
            host_name=record["PrivateDnsName"],
            launched=record["LaunchTime"].strftime("%Y-%m-%dT%H:%M:%SZ"),
            groups=tuple(group["GroupName"] for group in record["SecurityGroups"]),
            tags=tags,
            role=role.rpartition("/")[2],
            profile={"InstanceProfileArn": profile.get("Arn", ""), "InstanceProfileId": profile.get("Id", "")},
            user_data=user_data,
        )
        options = Options.of(record.get("MetadataOptions") or {})
        return Hardware(region, id_, identity, options, role, vcpus, memory_mib * _MIB, user_data, tags)

    def _role(self, profile_arn: str) -> str:
        """ARN of the role of an instance profile; empty where there is none."""
        if not profile_arn:
            return ""
        name = profile_arn.rpartition("/")[2]
        with aws_faults(f"reading the instance profile {name}"):
            found = self._ground.api.client("iam", self._ground.regions[0]).get_instance_profile(
                InstanceProfileName=name
            )["InstanceProfile"]
        return str(found["Roles"][0]["Arn"]) if found["Roles"] else ""

    def _type(self, region: str, name: str) -> tuple[int, int]:
        """VCPUs and MiB of memory of an instance type."""
        if name not in self._types:
            with aws_faults(f"reading the instance type {name}"):
                found = self._ground.api.client("ec2", region).describe_instance_types(InstanceTypes=[name])
            item = found["InstanceTypes"][0]
            self._types[name] = (item["VCpuInfo"]["DefaultVCpus"], item["MemoryInfo"]["SizeInMiB"])
        return self._types[name]

    @staticmethod
    def _note_tags(machine: Machine, desired: Desired) -> None:
        machine.note_tags({tag["Key"]: tag["Value"] for tag in desired.record.get("Tags") or ()})

    def _tell_checks(self, key: Key, *, reachable: bool) -> None:
        self._report(key, reachable=reachable, console=self._console(key))
        if reachable:
            self._told[key] = time.monotonic()

    def _console(self, key: Key) -> str:
        return Machine.console_of(self._ground.home.log("instances", *key))

    def _report(self, key: Key, **data: Json) -> Mapping[str, Json]:
        """Returns the instance's `state` then; nothing of one that EC2 does not know."""
        said: Mapping[str, Json] = self._ground.api.report("ec2.instance", key[0], id=key[1], **data)
        return said

    # Who is who.

    def _install(self) -> None:
        try:
            self._programs.set_result(programs.install(self._ground.home, self._desk.name))
        except Exception as error:
            self._programs.set_exception(error)

    def _whose(self, pid: int) -> tuple[Answerer, int] | None:
        """The machine and the session of a process."""
        session = usage.owner_of(pid, self._house.sessions)
        found = self._house.sessions.get(session) if session is not None else None
        return (found[0], session) if found and session is not None else None
