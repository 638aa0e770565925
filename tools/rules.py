"""Writes what is made of the rules' own words: the index that `review` loads them by, and docs/rules.md.

`python -m tools.rules` writes both; a test holds them to what it would write.
"""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

from bicoastal.review.rule import Rule

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "src" / "bicoastal" / "review" / "rules"
INDEX = RULES / "index.py"
PAGE = ROOT / "docs" / "rules.md"

_INDEX_HEAD = '''"""Every rule by its id: its module, and the resource types that it speaks of.

Written by `python -m tools.rules`. With it, `review` knows without importing a rule whether it has anything to say
about a template.
"""

from __future__ import annotations

from collections.abc import Mapping

INDEX: Mapping[str, tuple[str, tuple[str, ...]]] = {
'''

_PAGE_HEAD = """# Rules

What `bicoastal review` finds in anybody's templates, by concern. Written by `python -m tools.rules` from the rules'
own words, which `bicoastal review --explain RULE` prints.

A rule speaks only where it knows: a value that the templates do not tell is said as *can't tell* (an info) or not at
all, and never as a fault. An error is something that does not work, or will not in an outage; a warning is something
that works at a price or a risk.

What somebody has looked at and accepts is suppressed where it stands, with a reason; without one it still counts:

```yaml
Resources:
  Workers:
    Type: AWS::AutoScaling::AutoScalingGroup
    Metadata:
      bicoastal:
        suppress:
          - rule: fleet-in-one-zone
            reason: Batch workers; rebuilt in minutes, nobody waits for them.
```

The same under `Metadata` at the top of a template holds for the whole file.

`python -m bench.review` measures them: each rule has at least one fault, built into a sound deployment in three shapes.
[Forty findings in other people's templates](judged-findings.md) were judged by hand, and ten whole reviews read.
"""


def modules() -> dict[str, list[str]]:
    """Modules of rules by concern, both sorted."""
    found: dict[str, list[str]] = {}
    for path in sorted(RULES.glob("*/*.py")):
        if path.stem != "__init__":
            found.setdefault(path.parent.name, []).append(path.stem)
    return found


def rule_of(concern: str, name: str) -> Rule:
    """What a module says about its rule."""
    rule: Rule = import_module(f"bicoastal.review.rules.{concern}.{name}").RULE
    return rule


def index() -> str:
    """The text of the index."""
    lines = []
    for concern, names in modules().items():
        for name in names:
            rule = rule_of(concern, name)
            lines.append(f'    "{rule.id}": ({f"{concern}.{name}"!r}, {rule.types!r}),\n')
    text = _INDEX_HEAD + "".join(lines) + "}\n"
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", str(INDEX), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT).stdout


def page() -> str:
    """The text of docs/rules.md."""
    parts = [_PAGE_HEAD]
    for concern, names in modules().items():
        says = (import_module(f"bicoastal.review.rules.{concern}").__doc__ or "").strip()
        parts.append(f"\n## {concern.capitalize()}\n\n{says}\n")
        for name in names:
            rule = rule_of(concern, name)
            source = f" ([source]({rule.source}))" if rule.source else ""
            parts.append(
                f"\n### {rule.id}\n\n*{rule.severity.value}*: {rule.title}. {rule.why}{source}\n\n-> {rule.remedy}\n"
            )
    return "".join(parts)


def main() -> None:
    """Write both."""
    INDEX.write_text(index(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
