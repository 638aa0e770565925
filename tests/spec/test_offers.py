"""The shipped lists are what the installed packages say; lookups by AWS's naming are right where they answer."""

from __future__ import annotations

import json
import re

import pytest

from bench import reference_data
from bicoastal.spec import offers


@pytest.mark.parametrize("name", ["regions", "instance_types", "database"])
def test_a_list_is_current(name: str) -> None:
    shipped = json.loads((reference_data.DATA / f"{name}.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", shipped.pop("date"))
    made = reference_data.tables()[name]
    # Another version of the same package may say the same: only the facts count.
    assert shipped.pop("source").split()[0] == made.pop("source").split()[0]
    assert shipped == made, "run: .venv/bin/python bench/reference_data.py"


def test_what_is_offered() -> None:
    home = offers.instance_types("us-east-1")
    everywhere = offers.instance_types()
    assert home is not None
    assert everywhere is not None
    assert {"t3.micro", "m7g.large"} <= home < everywhere
    classes = offers.database_classes("us-west-2")
    assert classes is not None
    assert "db.t4g.medium" in classes
    assert offers.instance_types("mars-north-1") is None
    assert offers.regions()["us-west-2"] == "US West (Oregon)"
    assert "17.6" in offers.postgresql_versions()


@pytest.mark.parametrize(
    ("name", "architecture", "gib"),
    [
        ("t3.micro", "x86_64", 1.0),
        ("t4g.small", "arm64", 2.0),
        ("db.t4g.medium", "arm64", 4.0),
        ("m5.24xlarge", "x86_64", 384.0),
        ("c7gn.medium", "arm64", 2.0),
        ("db.r6g.large", "arm64", 16.0),
        ("m7i-flex.large", "x86_64", 8.0),
        # Not given away by the name: unknown, not guessed.
        ("c5n.large", "x86_64", None),
        ("m4.large", "x86_64", None),
        ("x2gd.large", "arm64", None),
        ("g4dn.xlarge", "x86_64", None),
        ("m5.metal", "x86_64", None),
    ],
)
def test_architecture_and_memory(name: str, architecture: str, gib: float | None) -> None:
    assert offers.architecture(name) == architecture
    assert offers.memory_gib(name) == gib
