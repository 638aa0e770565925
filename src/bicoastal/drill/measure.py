"""Figures from what users wrote down: when they were served again, what was lost, and what they saw meanwhile.

Pure functions over entries of the ledger. What cannot be told is None; nothing here is scaled, estimated or smoothed.
"""

from __future__ import annotations

import bisect
import collections
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bicoastal.drill.ledger import GATE, LIST, PAGE, READ, WRITE, Entry

READS = frozenset({READ, PAGE, LIST})
WRITES = frozenset({WRITE})


@dataclass(frozen=True)
class Recovery:
    """When users were served again after a moment."""

    seconds: float | None
    """Until the last of them was; 0 where none noticed, None where one never was."""
    by_coast: Mapping[str, float | None]
    slowest: str
    """The user who waited longest."""


def recovery(
    entries: Sequence[Entry],
    kinds: Collection[str],
    since: float,
    *,
    until: float = math.inf,
    drained: bool = True,
) -> Recovery:
    """From `since` to the moment from which every user who follows DNS is served, looking no further than `until`.

    An attempt counts by its end. What was under way at `since` and failed belongs to what failed after it. Without
    `drained`, an answer of the read gate ("back in a moment") counts as one: the user is where he is served, and the
    operator has closed the door for a while.
    """
    if not drained:
        entries = [replace(entry, error="") if entry.error == GATE else entry for entry in entries]
    users: dict[tuple[str, str], list[Entry]] = collections.defaultdict(list)
    for entry in entries:
        if entry.kind in kinds and not entry.pinned and since < entry.ended <= until:
            users[entry.coast, entry.user].append(entry)
    waited = {user: _served_again(mine, since) for user, mine in users.items()}
    coasts: dict[str, float | None] = {}
    for (coast, _), seconds in waited.items():
        coasts[coast] = _longer(coasts.get(coast, 0.0), seconds)
    total: float | None = 0.0 if waited else None
    for seconds in coasts.values():
        total = _longer(total, seconds)
    slowest = max(waited, key=lambda user: math.inf if waited[user] is None else waited[user] or 0.0, default=("", ""))
    return Recovery(total, dict(sorted(coasts.items())), slowest[1])


def _served_again(mine: Sequence[Entry], since: float) -> float | None:
    """Of one user's entries: the first served after the last that was not; 0 where nothing failed."""
    failed = max((entry.ended for entry in mine if not entry.served), default=None)
    if failed is None:
        return 0.0
    served = min((entry.ended for entry in mine if entry.served and entry.ended > failed), default=None)
    return None if served is None else served - since


def _longer(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)


@dataclass(frozen=True)
class Wait:
    """How long somebody was not served."""

    seconds: float | None
    """None where nobody asked."""
    user: str = ""


def longest_wait(entries: Iterable[Entry], kinds: Collection[str], coast: str, since: float, until: float) -> Wait:
    """The longest time between two answers that served one user of a coast, of those who follow DNS.

    It begins with `since` where he has not been served after it, and ends with `until` where he is not any more.
    """
    last: dict[str, float] = {}
    longest = Wait(None)

    def waited(user: str, ended: float) -> None:
        nonlocal longest
        seconds = ended - last[user]
        if longest.seconds is None or seconds > longest.seconds:
            longest = Wait(seconds, user)

    for entry in sorted(entries, key=lambda entry: entry.ended):
        if entry.kind not in kinds or entry.coast != coast or entry.pinned or not since < entry.ended <= until:
            continue
        last.setdefault(entry.user, since)
        if entry.served:
            waited(entry.user, entry.ended)
            last[entry.user] = entry.ended
    for user in list(last):
        waited(user, until)
    return longest


def settled(
    entries: Sequence[Entry], kinds: Collection[str], coasts: Collection[str], now: float, steady_s: float
) -> bool:
    """Whether for so long every attempt was served, and each coast was; not before they have asked for so long."""
    begun = {entry.coast for entry in entries if entry.ended < now - steady_s}
    recent = [entry for entry in entries if entry.kind in kinds and not entry.pinned and entry.ended > now - steady_s]
    asking = begun & {entry.coast for entry in recent}
    return all(entry.served for entry in recent) and asking >= set(coasts)


def heartbeat_ages(entries: Iterable[Entry], region: str, before: float, within_s: float) -> list[float]:
    """How old the writer's heartbeat was each time that it was read in a region, in the time before a moment.

    The least of them is how far its replica is behind; the most is what a loss at that moment would cost.
    """
    return [
        entry.lag_s
        for entry in entries
        if entry.lag_s is not None and entry.region == region and before - within_s < entry.ended <= before
    ]


@dataclass(frozen=True)
class Loss:
    """What became of rows."""

    acknowledged: int
    """Rows that somebody was told are stored."""
    lost: tuple[str, ...]
    """Those among them that the survivor does not have."""
    oldest_lost_s: float | None
    """How long before the fault the first of the lost ones was acknowledged; None where none is lost."""
    lost_after: int
    """How many of the lost ones were sent after the fault."""
    diverged: tuple[str, ...] | None
    """Rows that the lost region has and the survivor lacks, acknowledged or not; None where it could not be asked."""
    accepted_before_fence: tuple[str, ...] | None
    """Rows that the returned region acknowledged before it was fenced; None where it did not return."""
    accepted_from_followers: int
    """How many of these were from users who follow DNS."""


def loss(
    entries: Sequence[Entry],
    *,
    lost_region: str,
    fault: float,
    returned: float | None,
    counted: float,
    survivor: Collection[str],
    stale: Collection[str] | None,
) -> Loss:
    """Compare the ledger with the ids of rows in the survivor's database and in that of the lost region.

    `counted` is when the survivor was asked: what was acknowledged later may be there or not.
    """
    written = [entry for entry in entries if entry.kind == WRITE and entry.served and entry.ended <= counted]
    first = {entry.id: entry for entry in reversed(written)}
    there = set(survivor)
    lost = sorted((entry for entry in first.values() if entry.id not in there), key=lambda entry: entry.ended)
    # An answer that was under way when the region was lost arrives a moment later.
    before = [entry.ended for entry in lost if entry.began <= fault]
    accepted = None
    if returned is not None:
        # Its servers may also have passed a row on to the survivor's database, which is where it belongs.
        accepted = [entry for entry in lost if entry.ended > returned and entry.region == lost_region]
    return Loss(
        acknowledged=len(first),
        lost=tuple(entry.id for entry in lost),
        oldest_lost_s=max(fault - min(before), 0.0) if before else None,
        lost_after=sum(entry.began > fault for entry in lost),
        diverged=None if stale is None else tuple(sorted(set(stale) - there)),
        accepted_before_fence=None if accepted is None else tuple(entry.id for entry in accepted),
        accepted_from_followers=0 if accepted is None else sum(not entry.pinned for entry in accepted),
    )


def errors_per_second(entries: Iterable[Entry], begin: float, end: float) -> list[dict[str, int]]:
    """For each second from `begin`: what users saw and how often, `ok` among it; pinned users are not counted."""
    seconds: list[dict[str, int]] = [{} for _ in range(max(math.ceil(end - begin), 0))]
    for entry in entries:
        index = math.floor(entry.ended - begin)
        if not entry.pinned and 0 <= index < len(seconds):
            what = entry.error or "ok"
            seconds[index][what] = seconds[index].get(what, 0) + 1
    return seconds


def seen(entries: Iterable[Entry], begin: float, end: float) -> dict[str, dict[str, int]]:
    """By kind, what users saw between two moments and how often."""
    counted: dict[str, collections.Counter[str]] = {}
    for entry in entries:
        if not entry.pinned and begin < entry.ended <= end:
            counted.setdefault("writes" if entry.kind in WRITES else "reads", collections.Counter())[
                entry.error or "ok"
            ] += 1
    return {kind: dict(counter.most_common()) for kind, counter in sorted(counted.items())}


def moved(entries: Sequence[Entry], coast: str, region: str, since: float) -> float | None:
    """Seconds until every user of a coast got his first answer from a region; None where one never did."""
    users = {entry.user for entry in entries if entry.coast == coast and not entry.pinned and entry.kind != PAGE}
    first: dict[str, float] = {}
    for entry in entries:
        if entry.coast == coast and entry.region == region and entry.ended > since and entry.served:
            first.setdefault(entry.user, entry.ended - since)
    return max(first.values()) if users and users <= first.keys() else None


def invented(lists: Iterable[Entry], entries: Iterable[Entry], known: Collection[str]) -> list[str]:
    """Rows that a list showed, and nobody had begun to write, nor were there before: each said once."""
    begun: dict[str, float] = {}
    for entry in entries:
        if entry.kind == WRITE:
            begun[entry.id] = min(entry.began, begun.get(entry.id, math.inf))
    found = dict.fromkeys(
        id_
        for entry in lists
        if entry.shown is not None
        for id_ in entry.shown.ids
        if id_ not in known and begun.get(id_, math.inf) > entry.ended
    )
    return list(found)


@dataclass(frozen=True)
class Lack:
    """A row that somebody did not see any more."""

    id: str
    entry: Entry
    """The first list that lacks it."""
    before: Entry
    """That had shown it."""


def forgotten(lists: Iterable[Entry], lost: Collection[str]) -> list[Lack]:
    """Rows that a list lacks, though one before had shown them: in the same region, by a database of the same role.

    Readers there are compared with one another, each list with those that ended before it began. A row may be
    missing where `lost` counts it, or where the list is full of newer ones. Each is said once.
    """
    series: dict[tuple[str, bool], list[Entry]] = collections.defaultdict(list)
    for entry in lists:
        if entry.shown is not None:
            series[entry.region, entry.shown.replica].append(entry)
    missing: dict[str, Lack] = {}
    for listed in series.values():
        by_end = sorted(listed, key=lambda entry: entry.ended)
        for entry in by_end:
            before = _last_before(by_end, entry.began)
            if before is None or before.shown is None or entry.shown is None:
                continue
            # Where it is full, both are cut to the same length: what is newer than the oldest shown now must be shown.
            since = entry.shown.stored[-1] if entry.shown.full else -math.inf
            shown = {*entry.shown.ids, *lost}
            for id_, stored in zip(before.shown.ids, before.shown.stored, strict=True):
                if stored > since and id_ not in shown:
                    missing.setdefault(id_, Lack(id_, entry, before))
    return sorted(missing.values(), key=lambda lack: lack.entry.ended)


def _last_before(by_end: Sequence[Entry], moment: float) -> Entry | None:
    index = bisect.bisect_left(by_end, moment, key=lambda entry: entry.ended) - 1
    return by_end[index] if index >= 0 else None
