"""What is wrong across fields, and what only a list or the disk can tell: networks, windows, names that AWS must know.

One function per concern; each yields problems and changes nothing. A field's own limits are in `spec.model`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bicoastal.spec import offers, windows
from bicoastal.spec.model import Region, Role, Spec

RULE: Final = "spec"
"""The rule id of every finding about a spec."""

RESERVED_TAGS: Final = ("application", "cost-center", "data-class", "environment", "managed-by", "name")
"""Tags that Bicoastal sets on everything, in lower case: IAM and others take no two keys that differ only in case."""
FAILOVER_MAY_REPLACE: Final = ("cost-center",)
"""Not `environment`: the rights of operators hang on it, and a `rejoin` would be locked out."""
MOST_TAGS: Final = 50 - len(RESERVED_TAGS)
"""AWS takes 50 tags on a resource, ours included."""
MOST_REGIONS: Final = 10
"""Beyond these the regions are only counted, so that a file of thousands is refused at once."""
RESERVED_VARIABLES: Final = ("AWS_REGION", "DATABASE_READ_URL", "DATABASE_URL", "HOST", "PORT")
"""Environment variables that the instance kit sets, beside `BICOASTAL_*`."""
RESERVED_PORTS: Final = {8099: "the closed read gate"}
"""Ports of what runs beside the application on each instance."""
OLDEST_POSTGRESQL: Final = 14
"""RDS User Guide, "Read replica limitations with PostgreSQL": automated backups of a replica from 14.1 on."""
RESERVED_PATH: Final = "/.well-known/bicoastal"
"""The switch and the checks of the load balancer live below it."""
LONGEST_PREFIX, SHORTEST_PREFIX = 22, 16
_PRIVATE: Final = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)


@dataclass(frozen=True)
class Problem:
    """Something wrong at a field."""

    path: tuple[str | int, ...]
    title: str
    remedy: str
    detail: str = ""


def problems(spec: Spec, folder: Path | None = None) -> list[Problem]:
    """Everything wrong across fields. `folder`: where the application's folder is looked for; without it, it is not."""
    if len(spec.regions) > MOST_REGIONS:
        return list(_region_count(spec))
    found = [
        *_region_count(spec),
        *_regions(spec),
        *_networks(spec),
        *_capacity(spec),
        *_windows(spec),
        *_database(spec),
        *_instance_type(spec),
    ]
    found += [*_residency(spec), *_logs(spec), *_tags(spec), *_app(spec), *_alerts(spec)]
    if folder is not None:
        found += _app_folder(spec, folder)
    return found


def _regions(spec: Spec) -> Iterator[Problem]:
    known = offers.regions()
    for name in spec.regions:
        if name not in known:
            near = get_close_matches(name, known, 1, 0.5)
            remedy = (
                f"Did you mean `{near[0]}` ({known[near[0]]})?"
                if near
                else "Write a region's code, such as `us-west-2`."
            )
            yield Problem(("regions", name), "there is no such AWS region", remedy)
    if len(spec.regions) == 2:
        yield from _roles(spec)


def _region_count(spec: Spec) -> Iterator[Problem]:
    if len(spec.regions) != 2:
        count = {0: "no region", 1: "one region only"}.get(len(spec.regions), f"{len(spec.regions)} regions")
        remedy = "Declare two, one `role: home` and one `role: standby`, or leave `regions` out for the default pair."
        yield Problem(("regions",), f"{count}: surviving the loss of one takes two, no more", remedy)


def _roles(spec: Spec) -> Iterator[Problem]:
    (first, one), (second, other) = spec.regions.items()
    if one.role is other.role:
        missing = Role.STANDBY if one.role is Role.HOME else Role.HOME
        yield Problem(
            ("regions", second, "role"),
            f"both regions are `{one.role}`",
            f"Write `role: {missing}` in `{first}` or `{second}`.",
        )


def _networks(spec: Spec) -> Iterator[Problem]:
    for name, region in spec.regions.items():
        path = ("regions", name, "cidr")
        if not SHORTEST_PREFIX <= region.cidr.prefixlen <= LONGEST_PREFIX:
            small = region.cidr.prefixlen > LONGEST_PREFIX
            why = "too small for three subnets in each zone" if small else "more than a VPC takes"
            yield Problem(path, f"/{region.cidr.prefixlen} is {why}", "Write a prefix from /16 to /22.")
        if not any(region.cidr.subnet_of(private) for private in _PRIVATE):
            remedy = "Take it from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10."
            yield Problem(path, f"{region.cidr} is not a private range: its real owners could not be reached", remedy)
    for (first, one), (second, other) in combinations(spec.regions.items(), 2):
        if one.cidr.overlaps(other.cidr):
            yield Problem(
                ("regions", second, "cidr"),
                f"{other.cidr} overlaps {one.cidr} of {first}",
                "Give each region addresses of its own: peered networks cannot overlap.",
            )


def _capacity(spec: Spec) -> Iterator[Problem]:
    if spec.instances.min > spec.instances.max:
        title = f"min ({spec.instances.min}) is above max ({spec.instances.max})"
        yield Problem(("instances", "min"), title, f"Write {spec.instances.max} or less, or raise `max`.")
    for name, region in spec.regions.items():
        scale_out, full = region.scaling.requests_per_minute, region.at_capacity.requests_per_minute
        if full <= scale_out:
            yield Problem(
                ("regions", name, "at_capacity", "requests_per_minute"),
                f"{full} is not above the scale-out threshold ({scale_out}): users would leave before the fleet grows",
                f"Write more than {scale_out}, such as {2 * scale_out}.",
            )


def _windows(spec: Spec) -> Iterator[Problem]:
    for name, region in spec.regions.items():
        path = ("regions", name)
        automated = windows.daily(region.database_backup_window)
        maintenance = windows.weekly(region.maintenance_window)
        sound = True
        for key, window in (("database_backup_window", automated[0]), ("maintenance_window", maintenance)):
            if window.minutes < windows.SHORTEST:
                sound = False
                title = f"{window.minutes} minutes are too short"
                yield Problem((*path, key), title, "Write a window of 30 minutes or more: RDS takes no shorter one.")
        if any(window.meets(maintenance) for window in automated):
            sound = False
            title = f"{region.maintenance_window} overlaps the daily backup window {region.database_backup_window}"
            yield Problem(
                (*path, "maintenance_window"), title, "Move one of the two: RDS refuses windows that overlap."
            )
        zone = _zone(region.backup.time_zone)
        if zone is None:
            yield _unknown_zone((*path, "backup", "time_zone"), region.backup.time_zone)
        elif sound:
            yield from _backup_start(path, region, zone, [*automated, maintenance])


def _backup_start(
    path: tuple[str, ...], region: Region, zone: ZoneInfo, taken: list[windows.Window]
) -> Iterator[Problem]:
    start, offsets = windows.minutes(region.backup.start), windows.offsets(zone)
    found = list(windows.collisions(start, offsets, taken))
    if not found:
        return
    weekly = taken[-1].with_the_hour_before()
    in_maintenance = weekly.holds(found[0].utc)
    what = f"maintenance_window {region.maintenance_window}"
    if not in_maintenance:
        what = f"database_backup_window {region.database_backup_window}"
    free = windows.next_free(start, offsets, taken)
    first = found[0]
    day = windows.DAY_NAMES[first.utc // windows.DAY]
    yield Problem(
        (*path, "backup", "start"),
        f"{region.backup.start} in {region.backup.time_zone} is in the hour before, or during, {what} (UTC)",
        f'Write another start, such as "{free}", or move the window.' if free else "Shorten the windows.",
        detail=f"At UTC{_signed(first.offset)} {windows.DAY_NAMES[first.weekday]}'s backup starts on {day} at "
        f"{windows.clock(first.utc)} UTC; AWS Backup cannot start one then.",
    )


def _signed(offset: int) -> str:
    return f"{'-' if offset < 0 else '+'}{windows.clock(abs(offset))}"


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _unknown_zone(path: tuple[str, ...], name: str) -> Problem:
    from zoneinfo import available_timezones  # noqa: PLC0415 - walks a folder of 600 files

    known = sorted(available_timezones())
    if not known:
        remedy = "Install your system's package tzdata, or `pip install tzdata`."
        return Problem(path, "this machine has no time zone database, so no zone can be looked up", remedy)
    folded = {zone.lower(): zone for zone in known}
    near = get_close_matches(name.lower().replace(" ", "_"), folded, 1, 0.6)
    remedy = f"Did you mean `{folded[near[0]]}`?" if near else "Write a zone of the IANA database: `America/New_York`."
    return Problem(path, f"there is no time zone {name!r}", remedy)


def _database(spec: Spec) -> Iterator[Problem]:
    database = spec.database
    least = -(-database.storage_gib * 11 // 10)
    if database.max_storage_gib < least:
        yield Problem(
            ("database", "max_storage_gib"),
            f"{database.max_storage_gib} leaves no room above storage_gib ({database.storage_gib})",
            f"Write {least} or more: RDS wants 10 % above the storage to begin with.",
        )
    yield from _offered(
        spec, ("database", "instance_class"), database.instance_class, offers.database_classes, "database"
    )
    yield from _version(database.engine_version)


def _version(version: str) -> Iterator[Problem]:
    known = offers.postgresql_versions()
    majors = [item for item in dict.fromkeys(item.split(".")[0] for item in known) if int(item) >= OLDEST_POSTGRESQL]
    major, _, minor = version.partition(".")
    minors = [int(item.split(".")[1]) for item in known if item.split(".")[0] == major]
    path = ("database", "engine_version")
    if minors and major not in majors:
        title = f"PostgreSQL {major} is too old: RDS backs up read replicas from {OLDEST_POSTGRESQL} on"
        detail = "The standby's replica is promotable because it has its backups before it is needed."
        yield Problem(path, title, f"Write one of: {', '.join(majors)}.", detail)
    elif not minors:
        remedy = f"Write one of: {', '.join(majors)} (as of {offers.dated('database')})."
        yield Problem(path, f"RDS offers no PostgreSQL {major}", remedy)
    elif minor and int(minor) not in minors and int(minor) < max(minors):
        # A minor above the list's last one may have come out since.
        near = ", ".join(f"{major}.{item}" for item in minors)
        yield Problem(
            path, f"RDS offers no PostgreSQL {version} for new instances", f'Write "{major}", or one of: {near}.'
        )


def _instance_type(spec: Spec) -> Iterator[Problem]:
    yield from _offered(spec, ("instances", "type"), spec.instances.type, offers.instance_types, "instance_types")


def _offered(
    spec: Spec, path: tuple[str, ...], wanted: str, lookup: offers.Lookup, table: offers.Table
) -> Iterator[Problem]:
    """A type must exist, and be offered in each region that the list covers."""
    everywhere = lookup(None) or frozenset()
    date = offers.dated(table)
    if wanted not in everywhere:
        near = get_close_matches(wanted, sorted(everywhere), 3, 0.6)
        remedy = (
            f"Did you mean {' or '.join(f'`{name}`' for name in near)}?"
            if near
            else f"Write a type such as `{_first(path)}`."
        )
        yield Problem(path, f"there is no {wanted!r}", remedy, detail=f"Looked up in AWS's list of {date}.")
        return
    for name in spec.regions:
        there = lookup(name)
        if there is not None and wanted not in there:
            remedy = "Write one that both regions offer, or choose another region."
            yield Problem(path, f"{name} does not offer {wanted}", remedy, detail=f"Looked up in AWS's list of {date}.")


def _first(path: tuple[str, ...]) -> str:
    return "db.t4g.medium" if path[0] == "database" else "t3.micro"


def _residency(spec: Spec) -> Iterator[Problem]:
    copies = spec.residency.copies
    roles = {region.role: name for name, region in spec.regions.items()}
    if copies is None:
        return
    for index, name in enumerate(copies):
        path = ("residency", "copies", index)
        if name not in spec.regions:
            remedy = f"Write one of the declared regions: {', '.join(spec.regions)}."
            yield Problem(path, f"{name!r} is not a declared region", remedy)
        elif name == roles.get(Role.HOME):
            yield Problem(path, f"{name} is home: it holds the data itself, not a copy", "Remove it.")
        elif name in copies[:index]:
            yield Problem(path, f"{name} is there twice", "Remove one of the two.")
    standby = roles.get(Role.STANDBY)
    if standby is not None and standby not in copies:
        title = f"the standby {standby} may not hold a copy: its read replica is one"
        yield Problem(("residency", "copies"), title, f"Add {standby}, or leave `copies` out.")


def _logs(spec: Spec) -> Iterator[Problem]:
    if spec.logs.retention_days > 30 and not spec.logs.aggregate:
        title = f"{spec.logs.retention_days} days without aggregation: logs stay in their region for 30 days at most"
        yield Problem(("logs", "retention_days"), title, "Write 30 or less, or `aggregate: true`.")


def _tags(spec: Spec) -> Iterator[Problem]:
    yield from _tag_keys("tags", spec.tags, RESERVED_TAGS)
    yield from _tag_keys("failover_tags", spec.failover_tags, set(RESERVED_TAGS) - set(FAILOVER_MAY_REPLACE))
    together = {key.lower() for key in (*spec.tags, *spec.failover_tags)} - set(RESERVED_TAGS)
    if len(together) > MOST_TAGS:
        title = f"{len(together)} tags are more than a resource takes beside our own"
        yield Problem(("tags",), title, f"Keep {MOST_TAGS} or fewer in `tags` and `failover_tags` together.")


def _tag_keys(field: str, tags: Mapping[str, str], reserved: set[str] | tuple[str, ...]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for key in tags:
        path, lower = (field, key), key.lower()
        if lower.startswith("aws:"):
            yield Problem(path, "AWS keeps keys that begin with `aws:` for itself", "Write another key.")
        elif lower.startswith("bicoastal:"):
            yield Problem(path, "keys that begin with `bicoastal:` steer operations", "Write another key.")
        elif lower in reserved:
            yield Problem(path, f"`{lower}` is set by Bicoastal", _instead(field, lower))
        elif lower in seen:
            title = f"`{key}` and `{seen[lower]}` differ only in case, which IAM does not take"
            yield Problem(path, title, "Remove one of the two.")
        seen.setdefault(lower, key)


def _instead(field: str, key: str) -> str:
    source = {"cost-center": "cost_center", "environment": "environment", "application": "name"}.get(key)
    if field == "tags" and source:
        return f"Write the value at `{source}:` and remove this key."
    if key == "environment":
        return "Write another key, such as `state`: the rights to operate the deployment hang on this one."
    return "Remove it, or write another key."


def _app(spec: Spec) -> Iterator[Problem]:
    for kind, names in (("environment", list(spec.app.environment)), ("secrets", list(spec.app.secrets))):
        for index, name in enumerate(names):
            path = ("app", kind, name if kind == "environment" else index)
            if name in RESERVED_VARIABLES or name.startswith("BICOASTAL_"):
                yield Problem(path, f"{name} is set by Bicoastal", "Write another name.")
            elif kind == "secrets" and name in names[:index]:
                yield Problem(path, f"{name} is there twice", "Remove one of the two.")
            elif kind == "secrets" and name in spec.app.environment:
                yield Problem(path, f"{name} is in `environment` too", "Remove one of the two.")
    for name, value in spec.app.environment.items():
        if any(ord(character) < 32 for character in value):
            remedy = "Write it on one line, or read it from a file of the application."
            yield Problem(("app", "environment", name), "a value cannot have line breaks or control characters", remedy)
    if spec.app.port in RESERVED_PORTS:
        yield Problem(
            ("app", "port"), f"{spec.app.port} is taken by {RESERVED_PORTS[spec.app.port]}", "Write another port."
        )
    health = spec.app.health_path
    if health == RESERVED_PATH or health.startswith(f"{RESERVED_PATH}/"):
        yield Problem(
            ("app", "health_path"), f"{RESERVED_PATH} is answered by the load balancer", "Write another path."
        )
    elif "//" in health or "/../" in f"{health}/" or "/./" in f"{health}/":
        yield Problem(
            ("app", "health_path"), f"{health!r} is not a plain path", "Write it without `//`, `/./` and `/../`."
        )


def _alerts(spec: Spec) -> Iterator[Problem]:
    for index, address in enumerate(spec.alerts):
        if address.lower() in (other.lower() for other in spec.alerts[:index]):
            yield Problem(("alerts", index), f"{address} is there twice", "Remove one of the two.")


def _app_folder(spec: Spec, folder: Path) -> Iterator[Problem]:
    place = folder / spec.app.folder
    path = ("app", "folder")
    try:
        if place.is_dir():
            if next(place.iterdir(), None) is None:
                yield Problem(path, f"the folder {spec.app.folder!r} is empty", "Put the application in it.")
        elif place.exists():
            yield Problem(path, f"{spec.app.folder!r} is a file, not a folder", "Write the folder that it is in.")
        else:
            remedy = "Write the application's folder, relative to this file, or create it."
            yield Problem(path, f"there is no folder {spec.app.folder!r} beside this file", remedy)
    except OSError as error:
        yield Problem(
            path, f"the folder {spec.app.folder!r} cannot be read: {error.strerror}", "Check its permissions."
        )
