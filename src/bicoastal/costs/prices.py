"""The table of prices: each with its unit, AWS's page of it, and where the figure was last seen, or that it was not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_NOWHERE = "nowhere"


@dataclass(frozen=True)
class Price:
    """What one of something costs a month, in US dollars."""

    monthly: float
    """For a GB, or for one that runs all the time."""
    usd: float
    per: str
    """`hour`, `month` or `GB-month`, as AWS prices it."""
    source: str
    """AWS's page."""
    seen: str
    """Where this figure was last seen, and when."""
    confirmed: bool
    """Whether anybody was seen to give it: else it is from memory."""


@dataclass(frozen=True)
class Prices:
    """The table."""

    date: str
    about: str
    hours: int
    regions: tuple[str, ...]
    by_key: dict[str, Price]

    def of(self, key: str, region: str) -> Price | None:
        """A price in a region; None where the table doesn't have it."""
        return self.by_key.get(key) if region in self.regions else None


@cache
def prices() -> Prices:
    """The table, read once."""
    data = json.loads((files(__package__) / "data" / "prices.json").read_text(encoding="utf-8"))
    seen = {name: f"{one['what']}, {one['date']}" if one["date"] else one["what"] for name, one in data["seen"].items()}
    hours = data["hours_a_month"]
    return Prices(
        data["date"],
        data["about"],
        hours,
        tuple(data["regions"]),
        {
            key: Price(
                entry["usd"] * (hours if entry["per"] == "hour" else 1),
                entry["usd"],
                entry["per"],
                entry["source"],
                seen[entry["seen"]],
                entry["seen"] != _NOWHERE,
            )
            for key, entry in data["prices"].items()
        },
    )
