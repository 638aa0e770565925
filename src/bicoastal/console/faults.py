"""What a page may take away from a twin, and give back: the drill's hand, in the words of buttons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from bicoastal.core.errors import Refused
from bicoastal.operate.watch.events import Event
from bicoastal.twin.faults import Act, Faults
from bicoastal.twin.interfaces import How

SECTION = "faults"
Body = Mapping[str, Any]


class Hand:
    """On one twin's faults."""

    def __init__(self, faults: Faults, happened: Callable[[Event], None]) -> None:
        self._faults, self._happened = faults, happened

    def standing(self) -> Mapping[str, Any]:
        """What is taken away now."""
        return {
            "lost": self._faults.lost,
            "zones": sorted(f"{zone}" for _, zone in self._faults.lost_zones),
            "partitions": [
                {"source": source, "destination": destination, "how": how}
                for (source, destination), how in sorted(self._faults.partitions.items())
            ],
        }

    def _undo(self) -> Act:
        return self._faults.undo()

    def do(self, body: Body) -> None:
        """What a button says. Raises Refused where it makes no sense, SystemFault where it could not be done."""
        kind = str(body.get("kind", ""))
        known: Mapping[str, Callable[[], Act]] = {
            "lose-region": lambda: self._faults.lose_region(_word(body, "region"), _how(body)),
            "return-region": lambda: self._faults.recover_region(_word(body, "region")),
            "kill-instance": lambda: self._faults.kill_instance(_word(body, "region"), _word(body, "id")),
            "kill-database": lambda: self._faults.kill_database_primary(_word(body, "region"), _word(body, "id")),
            "lose-zone": lambda: self._faults.lose_zone(_word(body, "region"), _word(body, "zone")),
            "return-zone": lambda: self._faults.recover_zone(_word(body, "region"), _word(body, "zone")),
            "partition": lambda: self._faults.partition(_word(body, "region"), _word(body, "other"), _how(body)),
            "heal": lambda: self._faults.heal(_word(body, "region"), _word(body, "other")),
            "undo": self._undo,
        }
        if kind not in known:
            raise Refused(f"{kind!r} is no fault: there are {', '.join(known)}.")
        gives_back = kind in ("return-region", "return-zone", "heal", "undo")
        try:
            act = known[kind]()
        except ValueError as error:
            raise Refused(str(error)) from error
        self._happened(Event("note" if gives_back else "bad", f"by hand: {act.what}", str(body.get("region", ""))))


def _word(body: Body, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(f"{name!r} is missing.")
    return value


def _how(body: Body) -> How:
    how = body.get("how", "refuse")
    if how not in get_args(How):
        raise Refused(f"{how!r} is no way to be lost: there are {' and '.join(get_args(How))}.")
    return how  # type: ignore[no-any-return] # it is one of them
