"""StatsD datagrams, collected as the CloudWatch agent does: gauges, counters, sets and timers, with tags.

A gauge is what it was last in each collection interval, and is nothing in an interval in which it did not come: who
stops to send is not known any more. Counters are added up in each; timers are kept value by value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

KINDS = {"g": "gauge", "c": "counter", "s": "set", "ms": "timing", "h": "histogram", "d": "histogram"}
"""As the dimension `metric_type` names them."""
_MOST_METRICS = 5000
"""Of one agent: what a broken sender invents must not fill the memory."""


@dataclass(frozen=True)
class Key:
    """A metric of an agent."""

    name: str
    kind: str
    tags: tuple[tuple[str, str], ...]


@dataclass
class _Slot:
    """What came in one collection interval."""

    value: float = 0.0
    values: dict[float, float] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)


class Collected:
    """What came, by metric and collection interval. Not safe for threads."""

    def __init__(self) -> None:
        self._slots: dict[Key, dict[int, _Slot]] = {}
        self._gauges: dict[Key, float] = {}
        self.refused = 0
        """Lines that are no StatsD."""

    def datagram(self, data: bytes, slot: int) -> None:
        """One datagram, of one line or many, that came in this interval."""
        for line in data.decode("utf-8", "replace").splitlines():
            if line.strip():
                try:
                    self._line(line.strip(), slot)
                except ValueError:
                    self.refused += 1

    def take(self, before: int) -> Iterator[tuple[Key, Mapping[float, float]]]:
        """The values of all intervals before this one, and how often each; they are gone from here."""
        for key in list(self._slots):
            slots = self._slots[key]
            found: dict[float, float] = {}
            for number in sorted(number for number in slots if number < before):
                for value, count in _values(key, slots.pop(number)).items():
                    found[value] = found.get(value, 0.0) + count
            if not slots:
                del self._slots[key]
            if found:
                yield key, found

    def _line(self, line: str, slot: int) -> None:
        name, _, rest = line.partition(":")
        text, kind, *more = rest.split("|")
        if not name or kind not in KINDS:
            raise ValueError(line)
        rate, tags = 1.0, []
        for part in more:
            if part.startswith("@"):
                rate = float(part[1:])
            elif part.startswith("#"):
                tags = [(one, other) for one, _, other in (tag.partition(":") for tag in part[1:].split(","))]
        if not 0 < rate <= 1:
            raise ValueError(line)
        key = Key(name, KINDS[kind], tuple(sorted(tags)))
        if key not in self._slots and len(self._slots) >= _MOST_METRICS:
            raise ValueError(line)
        parsed = 0.0 if kind == "s" else float(text)
        into = self._slots.setdefault(key, {}).setdefault(slot, _Slot())
        if kind == "g":
            into.value = self._gauges.get(key, 0.0) + parsed if text[0] in "+-" else parsed
            self._gauges[key] = into.value
        elif kind == "c":
            into.value += parsed / rate
        elif kind == "s":
            into.members.add(text)
        else:
            into.values[parsed] = into.values.get(parsed, 0.0) + 1 / rate


def _values(key: Key, slot: _Slot) -> Mapping[float, float]:
    if key.kind in ("timing", "histogram"):
        return slot.values
    return {float(len(slot.members)) if key.kind == "set" else slot.value: 1.0}
