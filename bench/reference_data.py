"""Writes `src/bicoastal/spec/data/*.json` anew: what AWS offers where: instance types and so on.

The facts are taken from what the installed cfn-lint and botocore carry; only the facts, in our own form. Run it after
raising either of them: `.venv/bin/python bench/reference_data.py`. A test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "src" / "bicoastal" / "spec" / "data"

Offers = Mapping[str, Mapping[str, str]]
"""Region to family to its sizes, separated by spaces: `{"us-east-1": {"t3": "micro small"}}`."""


def main() -> None:
    """Write the files; today becomes their date."""
    date = datetime.now(UTC).date().isoformat()
    DATA.mkdir(exist_ok=True)
    for name, body in tables().items():
        text = json.dumps({"source": body["source"], "date": date, **body}, indent=1, sort_keys=False)
        (DATA / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def tables() -> dict[str, dict[str, Any]]:
    """File name (without `.json`) to its content, less the date."""
    names = _region_names()
    lint = f"cfn-lint {version('cfn-lint')}, which takes it from AWS's price list and RDS's API"
    instance_types = _schema("aws_ec2_instance/instancetype_enum.json")
    return {
        "regions": {"source": f"botocore {version('botocore')}, endpoints.json, partition aws", "regions": names},
        "instance_types": {
            "source": lint,
            "offers": _offers({region: item["enum"] for region, item in instance_types.items() if region in names}),
        },
        "database": {"source": lint, "offers": _offers(_database_classes(names)), "versions": _versions()},
    }


def _database_classes(names: Iterable[str]) -> dict[str, set[str]]:
    regions = _schema("aws_rds_dbinstance/dbinstanceclass_enum.json")
    classes: dict[str, set[str]] = {}
    for region in names:
        for rule in regions.get(region, {}).get("allOf", ()):
            if rule["if"]["properties"].get("Engine", {}).get("const") == "postgres":
                classes.setdefault(region, set()).update(rule["then"]["properties"]["DBInstanceClass"]["enum"])
    return {
        region: {name.removeprefix("db.") for name in found if "." in name[3:]} for region, found in classes.items()
    }


def _versions() -> list[str]:
    """PostgreSQL's minor versions that a new instance may be created with, oldest first."""
    known = _postgres_rule("aws_rds_dbinstance/engine_version.json")["then"]["properties"]["EngineVersion"]["enum"]
    deprecated_rule = _postgres_rule("aws_rds_dbinstance/engine_version_deprecated.json")
    deprecated = set(deprecated_rule["if"]["properties"]["EngineVersion"]["enum"])
    plain = [
        text for text in known if text not in deprecated and text.count(".") == 1 and text.replace(".", "").isdigit()
    ]
    return sorted(plain, key=lambda text: tuple(int(part) for part in text.split(".")))


def _postgres_rule(path: str) -> dict[str, Any]:
    rules: list[dict[str, Any]] = _schema(path)["allOf"]
    return next(rule for rule in rules if rule["if"]["properties"]["Engine"].get("const") == "postgres")


def _offers(names_by_region: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    offers: dict[str, dict[str, str]] = {}
    for region, names in sorted(names_by_region.items()):
        families: dict[str, list[str]] = {}
        for name in sorted(names):
            family, size = name.split(".", 1)
            families.setdefault(family, []).append(size)
        offers[region] = {family: " ".join(sizes) for family, sizes in families.items()}
    return offers


def _region_names() -> dict[str, str]:
    endpoints = json.loads(files("botocore").joinpath("data", "endpoints.json").read_text(encoding="utf-8"))
    partition = next(item for item in endpoints["partitions"] if item["partition"] == "aws")
    return {region: item["description"] for region, item in sorted(partition["regions"].items())}


def _schema(path: str) -> dict[str, Any]:
    text = files("cfnlint").joinpath("data", "schemas", "extensions", path).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


if __name__ == "__main__":
    main()
