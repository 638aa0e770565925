"""Valid specs: the smallest one, and a strategy for all kinds of them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from bicoastal.spec.load import loads
from bicoastal.spec.model import Spec

SMALLEST: dict[str, Any] = {
    "name": "orders",
    "cost_center": "4711",
    "domain": "orders.example.com",
    "app": {"command": "python3.11 -m orders"},
}


def spec(**changes: Any) -> Spec:
    """The smallest spec with top-level fields replaced; read as a user's file is, so that it is valid."""
    return loads(json.dumps({**SMALLEST, **changes}))


def _maybe(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Any subset of the fields: what is left out takes its default."""
    return st.fixed_dictionaries({}, optional=fields)


_words = st.from_regex(r"[a-z][a-z0-9]{1,10}", fullmatch=True)
_tags = st.dictionaries(_words, _words, max_size=3)
_variables = st.from_regex(r"[A-Z][A-Z0-9_]{1,10}", fullmatch=True)


@st.composite
def _region(draw: st.DrawFn, role: str, number: int) -> dict[str, Any]:
    region: dict[str, Any] = {"role": role, "cidr": f"10.{number}.0.0/{draw(st.integers(16, 22))}"}
    if draw(st.booleans()):
        region["availability_zones"] = draw(st.sampled_from([2, 3]))
    if draw(st.booleans()):
        requests = draw(st.integers(2, 100_000))
        region["scaling"] = {
            "requests_per_minute": requests,
            "cpu_percent": draw(st.integers(2, 100)),
            "memory_percent": draw(st.integers(1, 100)),
        }
        region["at_capacity"] = {"requests_per_minute": draw(st.integers(requests + 1, requests * 3))}
    return region


_PAIRS = st.sampled_from([("us-east-1", "us-west-2"), ("us-west-2", "us-east-1"), ("eu-west-1", "eu-central-1")])


@st.composite
def _regions(draw: st.DrawFn) -> dict[str, Any]:
    home, standby = draw(_PAIRS)
    return {home: draw(_region("home", 10)), standby: draw(_region("standby", 20))}


@st.composite
def _instances(draw: st.DrawFn) -> dict[str, Any]:
    least = draw(st.integers(2, 5))
    kind = draw(st.sampled_from(["t3.micro", "t3.large", "t4g.small", "m7g.large"]))
    return {"type": kind, "min": least, "max": draw(st.integers(least, 20))}


def valid_specs() -> st.SearchStrategy[Spec]:
    """Specs of all kinds, each as a user could have written it."""
    return st.fixed_dictionaries(
        {
            "name": st.from_regex(r"[a-z][a-z0-9]{1,12}", fullmatch=True),
            "cost_center": _words,
            "domain": st.sampled_from(
                ["orders.example.com", "example.org", {"name": "shop.example.com", "zone_id": "Z0123456789ABCDEFGHIJ"}]
            ),
            "app": st.fixed_dictionaries(
                {
                    "command": st.sampled_from(
                        ["python3.11 -m orders", "node 'my server.js' --n ${N:-1}", "./run % \\ $HOME"]
                    )
                },
                optional={
                    "port": st.integers(9000, 65535),
                    "health_path": st.sampled_from(["/", "/healthz", "/up~1/x.y"]),
                    "packages": st.lists(_words, max_size=3, unique=True),
                    "environment": st.dictionaries(_variables, st.text("aä$'\"%{}\\ #:", max_size=12), max_size=3),
                    "secrets": st.lists(_variables.map(lambda name: f"S_{name}"), max_size=2, unique=True),
                    "release_command": st.sampled_from(["python3.11 migrate.py", "sh -c 'echo \"$X\"'"]),
                    "watch_minutes": st.sampled_from([0, 15, 180]),
                },
            ),
        },
        optional={
            "environment": st.sampled_from(["production", "staging2"]),
            "regions": _regions(),
            "instances": _instances(),
            "database": _maybe(
                {
                    "engine_version": st.sampled_from(["16", "17"]),
                    "instance_class": st.sampled_from(["db.t4g.medium", "db.m7g.large", "db.r6g.large"]),
                    "read_replicas": st.integers(0, 2),
                    "automated_backup_days": st.integers(1, 35),
                }
            ),
            "routing": st.sampled_from(["nearest", "failover"]),
            "residency": _maybe({"flows": st.sampled_from([[], ["writes"]])}),
            "egress": st.sampled_from(["nat-per-az", "one-nat", "endpoints-only"]),
            "emergency": _maybe(
                {
                    "responders": st.sampled_from([[], ["arn:aws:iam::111122223333:role/on-call"]]),
                    "max_minutes": st.integers(5, 720),
                }
            ),
            "alerts": st.sampled_from([[], ["ops@example.com"], ["a@example.com", "b@example.com"]]),
            "tags": _tags,
            "failover_tags": _tags,
        },
    ).map(lambda data: loads(json.dumps(data)))
