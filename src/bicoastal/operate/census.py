"""What was seen of a restored database: each table read to its end, beside the live one's as it is at that moment.

The kit reads (its verb `census`): the operator has no way to a database, and sees no row. What could not be read or
compared is told as that, with the reason, and never counted as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.session import Session
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import BicoastalError, Refused, SystemFault
from bicoastal.operate import kit
from bicoastal.operate.observe import fleet_of
from bicoastal.operate.subject import Subject

REACH_S = 90.0
"""Until a server reaches a database that has just become available."""
PAGE_S = 3600.0
"""As long as the kit's document may run: a page ends sooner unless a single table takes so long."""


@dataclass(frozen=True)
class Table:
    """One table in both databases."""

    name: str
    rows: int | None
    """In the restored database; None: it is not there, or may not be read."""
    checksum: str | None
    live_rows: int | None
    live_checksum: str | None
    same: bool | None
    """Rows and checksum are alike; None: there is nothing to compare."""
    alone: int | None
    """Rows that the restored database alone has; None: not compared one by one."""
    live_alone: int | None
    unreadable: tuple[str, ...]
    """Where the application may not read it: `restored`, `here`."""


@dataclass(frozen=True)
class Census:
    """All of it."""

    tables: tuple[Table, ...] = ()
    unknown: str = ""
    """Why the restored database was not, or not wholly, read; empty: it was."""
    live_unknown: str = ""
    """Why there was nothing to compare with."""
    beat: str | None = None
    """The last heartbeat in it, UTC: its data end there. None: unknown."""
    page_checksums: bool | None = None
    """PostgreSQL checked each page that was read."""
    invalid_indexes: int | None = None

    @property
    def read(self) -> tuple[Table, ...]:
        """Tables of the restored database that were read to their end."""
        return tuple(table for table in self.tables if table.rows is not None)

    @property
    def rows(self) -> int:
        """Rows that were read in the restored database."""
        return sum(table.rows or 0 for table in self.read)

    @property
    def unread(self) -> tuple[str, ...]:
        """Tables of it that were not."""
        return tuple(table.name for table in self.tables if "restored" in table.unreadable)

    @property
    def sound(self) -> bool:
        """Every table was read, there is at least one, and no index of it is broken."""
        return not self.unknown and bool(self.read) and not self.unread and not self.invalid_indexes


def take(session: Session, subject: Subject, region: str, host: str, tell: Callable[[str], None]) -> Census:
    """Read it all. Never raises for a database that cannot be read: that is what the census says then."""
    pages: list[Mapping[str, Any]] = []
    try:
        more = True
        while more:
            after = int(pages[-1]["next"]) if pages else 0
            pages.append(_page(session, subject, region, host, after))
            more = bool(pages[-1]["more"])
            if more:
                tell(f"{pages[-1]['next']} of {pages[-1]['of']} tables are read")
    except BicoastalError as error:
        return _of(pages, str(error).splitlines()[0])
    return _of(pages, "")


def _page(session: Session, subject: Subject, region: str, host: str, after: int) -> Mapping[str, Any]:
    """From the first server that can; again until the time is over, for a new database may not take connections yet."""
    said = ""
    try:
        for _ in Waiter(REACH_S, f"reading the restored database in {region}"):
            try:
                fleet = fleet_of(session, subject, region)
                return kit.run_verb(
                    session,
                    subject,
                    region,
                    fleet.in_service if fleet is not None else (),
                    "census",
                    parameters={"Host": host, "After": str(after)},
                    within_s=PAGE_S,
                )
            except Refused:
                raise
            except SystemFault as error:
                said = str(error).splitlines()[0]
                if _HOPELESS in said:
                    raise
    except SystemFault as late:
        raise SystemFault(said or str(late)) from late
    raise AssertionError("a waiter ends by its deadline")


_HOPELESS = "password authentication failed"
"""The password was changed since the backup: no waiting helps."""


def _of(pages: list[Mapping[str, Any]], unknown: str) -> Census:
    if not pages:
        return Census(unknown=unknown, live_unknown="the restored database was not read")
    last = pages[-1]
    return Census(
        tables=tuple(_table(item) for page in pages for item in page["tables"]),
        unknown=unknown,
        live_unknown=next((str(page["here_unknown"]) for page in pages if page.get("here_unknown")), ""),
        beat=last.get("beat"),
        page_checksums=None if "page_checksums" not in last else last["page_checksums"] == "on",
        invalid_indexes=last.get("invalid_indexes"),
    )


def _table(item: Mapping[str, Any]) -> Table:
    restored, here = item.get("restored") or {}, item.get("here") or {}
    return Table(
        name=item["table"],
        rows=restored.get("rows"),
        checksum=restored.get("checksum"),
        live_rows=here.get("rows"),
        live_checksum=here.get("checksum"),
        same=item.get("same"),
        alone=item.get("restored_alone"),
        live_alone=item.get("here_alone"),
        unreadable=tuple(item.get("unreadable") or ()),
    )
