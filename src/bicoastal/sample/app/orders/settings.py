"""What the environment says about this server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where the databases are, and who we are; the page shows the latter."""

    write_url: str
    read_url: str
    region: str
    zone: str
    instance: str
    title: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Take the variables of the application contract. Ends the program if there is no database to talk to."""
        write_url = environment.get("DATABASE_URL")
        if not write_url:
            raise SystemExit("DATABASE_URL is not set: give the database's address, postgresql://HOST/NAME.")
        return cls(
            write_url=write_url,
            read_url=environment.get("DATABASE_READ_URL") or write_url,
            region=environment.get("BICOASTAL_REGION", "unknown"),
            zone=environment.get("BICOASTAL_AVAILABILITY_ZONE", "unknown"),
            instance=environment.get("BICOASTAL_INSTANCE_ID", "unknown"),
            title=environment.get("ORDERS_TITLE", "Orders"),
        )
