"""The whole twin on one page: which rooms there are, what each is given, and in which order they begin and end.

Rooms know the AWS API and the small protocols of `interfaces`; that a balancer's figures reach an alarm, or an agent
the instance that it runs on, is decided here and nowhere else. Nothing here knows what will be deployed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bicoastal.twin.addresses import Addresses
from bicoastal.twin.admission import Admission
from bicoastal.twin.api import Api, Watcher
from bicoastal.twin.authority import Authority
from bicoastal.twin.automation.controller import Automation
from bicoastal.twin.backups.controller import Backups
from bicoastal.twin.balancers.controller import Balancers
from bicoastal.twin.cloud.process import Cloud, Endpoint
from bicoastal.twin.controller import Loop, Status
from bicoastal.twin.databases.controller import Databases
from bicoastal.twin.faults import Faults
from bicoastal.twin.fleets.controller import Fleets
from bicoastal.twin.ground import Ground
from bicoastal.twin.home import Home
from bicoastal.twin.instances.controller import Instances
from bicoastal.twin.interfaces import Agent, Host
from bicoastal.twin.memory import many_files
from bicoastal.twin.metrics.controller import Metrics
from bicoastal.twin.names.controller import Names
from bicoastal.twin.names.front import FrontDoor
from bicoastal.twin.pace import REAL, Pace
from bicoastal.twin.processes import Leftover, end_leftovers
from bicoastal.twin.wire import Place, Wire

PLANES = ("databases", "instances", "fleets", "balancers", "names", "metrics", "automation", "backups")
_PERIOD_S = 2.0
"""Between two looks of a controller that nobody pokes: changes of the API poke all of them."""


class Twin:
    """Two regions on one machine; a context manager that ends all of it."""

    def __init__(self, folder: Path, regions: Sequence[str], pace: Pace = REAL, port: int = 0) -> None:
        """`port` is the front door's (0: a free one). Nothing is started before `start`."""
        self._folder = folder
        self._regions = tuple(regions)
        self._pace = pace
        self._port = port
        self._ends = ExitStack()
        self._loops: list[Loop[Any, Any]] = []
        self.leftovers: list[Leftover] = []
        """What an earlier twin in this folder had left running, and was ended."""

    def start(self) -> None:
        """Start every room. Raises SystemFault, with everything ended again, when one cannot."""
        many_files()
        with ExitStack() as stack:
            self._start(stack)
            self._ends = stack.pop_all()

    def stop(self) -> None:
        """End everything, in the reverse order; data stays."""
        self._ends.close()

    def __enter__(self) -> Twin:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.stop()

    @property
    def endpoint(self) -> Endpoint:
        """Of the AWS API."""
        return self.ground.api.endpoint

    @property
    def status(self) -> Sequence[Status]:
        """What each controller is doing."""
        return [*(loop.status for loop in self._loops), self.metrics.status]

    def _start(self, stack: ExitStack) -> None:
        home = stack.enter_context(Home(self._folder))
        self.leftovers = end_leftovers(home)
        addresses = stack.enter_context(Addresses(home))
        cloud = Cloud(home.cloud, PLANES, self._pace.factor)
        stack.callback(cloud.stop)
        cloud.start()
        wire = stack.enter_context(Wire())
        authority = Authority(home.certificates)
        api = Api(cloud.wait_until_ready(), self._regions)
        self.ground = Ground(home, api, addresses, authority, wire, self._pace)
        self._rooms(stack)

    def _rooms(self, stack: ExitStack) -> None:
        ground = self.ground
        self.admission = admits = Admission(ground.api)
        stack.callback(admits.close)
        self.instances = Instances(ground, admits=admits, start_agent=self._start_agent)
        self.databases = Databases(ground, admits=admits, place=self._place)
        self.fleets = Fleets(ground)
        self.balancers = Balancers(ground, admits=admits)
        self.backups = Backups(ground)
        self.metrics = Metrics(
            ground,
            rooms=(self.databases, self.fleets, self.balancers, self.backups),
            find_host=self.instances.find,
            hosts=self.instances.hosts,
        )
        self.names = Names(ground, admits=admits, alarm_state=self.metrics.alarm_state)
        self.automation = Automation(ground, find_host=self.instances.find)
        self.faults = Faults(ground, (self.databases, self.instances, self.fleets, self.balancers, self.names))
        self.front_door = FrontDoor(ground, self.names, port=self._port)
        for controller in (
            self.databases, self.instances, self.fleets, self.balancers, self.automation, self.backups, self.names,
        ):  # fmt: skip
            loop: Loop[Any, Any] = Loop(controller, _PERIOD_S)
            self._loops.append(loop)
            loop.start()
            stack.callback(loop.stop)
        self.fleets.wake = self._loops[2].poke
        self.metrics.start()
        stack.callback(self.metrics.stop)
        self.front_door.start()
        stack.callback(self.front_door.stop)
        watcher = Watcher(ground.api, self._changed)
        watcher.start()
        stack.callback(watcher.stop)

    def _changed(self) -> None:
        self.admission.changed()
        for loop in self._loops:
            loop.poke()

    def _start_agent(self, host: Host, configuration: Path) -> Agent:
        """The metrics room knows the instances, and they know its agents: the one that is made later is asked later."""
        return self.metrics.start_agent(host, configuration)

    def _place(self, owner: str) -> Place:
        """Where a program of the twin runs, with the zone of its instance."""
        kind, _, rest = owner.partition("/")
        region, _, name = rest.partition("/")
        host = self.instances.find(region, name) if kind == "instance" else None
        return Place(region, host.zone if host is not None else "")
