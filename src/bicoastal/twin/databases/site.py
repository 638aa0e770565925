"""What every database of a twin shares: the ground, PostgreSQL's programs, the roles' passwords, and each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bicoastal.twin.databases.desired import Key
from bicoastal.twin.databases.programs import Programs
from bicoastal.twin.databases.server import Passwords
from bicoastal.twin.databases.template import Template
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Admits, How
from bicoastal.twin.wire import Place

if TYPE_CHECKING:
    from bicoastal.twin.databases.instance import Instance


@dataclass(frozen=True)
class Site:
    """One for a twin."""

    ground: Ground
    programs: Programs
    passwords: Passwords
    template: Template
    admits: Admits
    place: Callable[[str], Place]
    """Where the owner of a program is: `instance/us-east-1/i-0123`."""
    lost: Callable[[str], How | None]
    """How a region is lost; None while it is there."""
    zone_lost: Callable[[str, str], bool]
    """Whether a region's zone is."""
    find: Callable[[Key], Instance | None]
    """Another instance that runs here."""
