"""What every controller of a twin stands on: its folder, its API, its network, its clocks. It knows no service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bicoastal.twin.addresses import Addresses
from bicoastal.twin.api import Api
from bicoastal.twin.authority import Authority
from bicoastal.twin.callers import caller
from bicoastal.twin.cloud.process import Cloud
from bicoastal.twin.home import Home
from bicoastal.twin.pace import REAL, Pace
from bicoastal.twin.wire import Wire


@dataclass(frozen=True)
class Ground:
    """One for a twin."""

    home: Home
    api: Api
    addresses: Addresses
    authority: Authority
    wire: Wire
    pace: Pace
    caller: Callable[[tuple[str, int]], str] = caller
    """Whose program it is that connects from an address: `instance/REGION/ID`, or empty for a stranger."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Those that controllers look at."""
        return self.api.regions


@contextmanager
def ground(folder: Path, planes: tuple[str, ...], regions: tuple[str, ...], pace: Pace = REAL) -> Iterator[Ground]:
    """A ground in a folder, with its control plane running; ended with the block. Raises SystemFault."""
    with ExitStack() as stack:
        home = stack.enter_context(Home(folder))
        addresses = stack.enter_context(Addresses(home))
        wire = stack.enter_context(Wire())
        cloud = stack.enter_context(Cloud(home.cloud, planes, pace.factor))
        authority = Authority(home.certificates)
        yield Ground(home, Api(cloud.endpoint, regions), addresses, authority, wire, pace)
