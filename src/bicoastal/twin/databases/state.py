"""What is remembered of a DB instance beside its data, so that a twin that was killed goes on where it was.

Written whole, and always before the step that it announces: who reads it after a crash may do the step again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

NODES = ("a", "b")
Rejoin = Literal["", "follow", "copy"]


@dataclass
class State:
    """One file in the instance's folder."""

    resource_id: str
    """Another than the API's: what is here belonged to an earlier instance of this name."""
    zones: dict[str, str] = field(default_factory=dict)
    """Of each of the two nodes."""
    primary: str = NODES[0]
    """The node that serves; the other one is the standby, where there is one."""
    born: bool = False
    synchronous: bool = False
    """Commits wait for the standby."""
    synced: bool = False
    """The standby has every write that was acknowledged: it may take over."""
    rejoin: Rejoin = ""
    """How the other node becomes the standby: it ended cleanly and follows, or it is made anew."""
    group: str = ""
    """The parameter group that is in force."""
    operation: str = ""
    """The last one that was carried out."""
    password_version: int = 0

    @property
    def other(self) -> str:
        """The node that does not serve."""
        return NODES[1 - NODES.index(self.primary)]

    @classmethod
    def load(cls, folder: Path) -> State | None:
        """What is there; None where nothing is."""
        try:
            return cls(**json.loads((folder / "instance.json").read_text()))
        except FileNotFoundError:
            return None

    def save(self, folder: Path) -> None:
        """Whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        partial = folder / "instance.part"
        partial.write_text(json.dumps(asdict(self), indent=1))
        partial.replace(folder / "instance.json")
