"""The index of rules and docs/rules.md are what the rules' own words make of them."""

from __future__ import annotations

import re
from pathlib import Path

from bicoastal.review.rules.index import INDEX
from tools.rules import PAGE, RULES, index, modules, page, rule_of

MIRROR = Path(__file__).resolve().parents[1] / "review" / "rules"


def test_the_index_and_the_page_are_written_anew() -> None:
    assert (RULES / "index.py").read_text(encoding="utf-8") == index(), "run `python -m tools.rules`"
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tools.rules`"


def test_every_rule_is_on_the_page_once() -> None:
    named = re.findall(r"^### (\S+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(INDEX)


def test_rules_are_short_named_after_their_file_and_say_what_to_do() -> None:
    for concern, names in modules().items():
        for name in names:
            rule = rule_of(concern, name)
            assert rule.id == name.replace("_", "-")
            assert rule.why.endswith("."), rule.id
            assert rule.remedy.endswith("."), rule.id
            assert not rule.title.endswith("."), rule.id
            assert rule.source.startswith("https://") or not rule.types, rule.id
            assert len((RULES / concern / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 120, rule.id


def test_every_rule_has_a_test_at_the_mirror_path() -> None:
    missing = [
        f"{concern}/test_{name}.py"
        for concern, names in modules().items()
        for name in names
        if not (MIRROR / concern / f"test_{name}.py").exists()
    ]
    assert missing == []
