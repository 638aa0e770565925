"""Writes docs/runbook.md: the operations by console and AWS CLI, for the day when Bicoastal itself cannot run.

The steps, their order and their reasons are the operations' one table; what is clicked and typed is in
`tools.runbook_deeds`, and a row without a deed stops this program.

python -m tools.runbook
"""

from __future__ import annotations

import re
from pathlib import Path

from bicoastal.operate.transitions import TABLES, Operation, Step, Transition
from tools.runbook_deeds import CLOSE_ACCESS, DEEDS, IN_REGION, OPEN_ACCESS, Deed

FUNCTIONS = Path(__file__).with_name("runbook.sh")
PAGE = Path(__file__).resolve().parents[1] / "docs" / "runbook.md"
IN_REGION_TITLE, BREAK_GLASS_TITLE = "In-region failover", "Break-glass access"
_HEAD = """\
# Runbook: the same by hand
Written by `python -m tools.runbook` from `src/bicoastal/operate/transitions.py`: a test holds this page to it. Another
one runs its lines as they stand here, section by section, with a POSIX shell and the AWS CLI, against a deployment that
runs on one machine, and with no more rights than are named below: us-east-1 is lost, failed over from, rejoined and
switched home to; the rejoin after that is begun by these lines, and `bicoastal rejoin` goes on from there; the primary
moves to its standby; an instance is opened and closed; a backup is restored. What is clicked in the console no test
does, nor what is said under "If not", nor the page's last paragraph. Nothing of it has ever been run against an AWS
account.

Use it when `bicoastal` itself cannot run: it is the same steps in the same order, without its guard, its lock and its
journal. **Tell the others**: two people who follow this page at once are stopped by nobody. Bicoastal, started later,
goes on from wherever you are.

Each step says why, where it is in the console, the lines, how to see that it is done, and what to do if it is not.
Read each answer before you type the next line.

## Before anything else
Sign in by the region that is left (`AWS_STS_REGIONAL_ENDPOINTS=regional`), with credentials that do not come from the
lost one; the policies that are needed are `PREFIX-operator-REGION`, for a rejoin `PREFIX-rejoin-REGION` too, for a
restore `PREFIX-restorer-REGION`, for tags `PREFIX-failover-tags-REGION`; for a rejoin and a switchover those of both
regions. Nothing in a failover asks the lost region, Route 53 or IAM. The AWS CLI and a POSIX shell are enough, and for
a session on an instance its Session Manager plugin; CloudShell *of the region that is left* has all three. Set these,
paste the functions, and stay in one folder: what lines of one step write there, those of another read.

"""
_INTRODUCTIONS = {
    Operation.FAILOVER: "The region of the primary is lost. Be sure that it is: a primary that lives belongs into a "
    "switchover.",
    Operation.SWITCHOVER: "Both regions are there, and no acknowledged write may be lost.",
    Operation.REJOIN: "The lost region is back, or was left by a switchover. `REGION` is the primary's, `OTHER` the "
    "one that comes back.",
    Operation.RESTORE: "Rows were deleted. `REGION` is where the recovery point lies; the live database is not "
    "touched.",
}
_IN_SERVICE = """\
**To put the restored database in service** instead of the live one, every row since the backup is given up. Take the
rows out of it instead wherever that is possible (`pg_dump` of the tables, [backup.md](backup.md)). Otherwise, and
never run by this project's tests: close the gate and fence the live database (`kit "$REGION" fence`); `aws rds
modify-db-instance --db-instance-identifier LIVE --new-db-instance-identifier LIVE-before --apply-immediately`, then
the same of the restored one to LIVE's own name: the endpoint, and with it every server, follows the name. Give it
`--multi-az --backup-retention-period`, `--preferred-backup-window` and `--deletion-protection` as `LIVE-before` has
them, raise the epoch (`kit "$REGION" unfence`), open the gate, and see that `bicoastal status --drift` finds nothing.
The other region's replica still follows `LIVE-before`: build its next generation as in "Rejoin".
"""


def page() -> str:
    """The text of the page. Raises KeyError for a row that nobody has said how to do by hand."""
    parts = [_HEAD, _block(FUNCTIONS.read_text()), ""]
    parts += _operation(Operation.FAILOVER)
    parts += _single(
        IN_REGION_TITLE, "A zone or the database's host is lost, and RDS has not moved it by itself.", IN_REGION
    )
    for operation in (Operation.SWITCHOVER, Operation.REJOIN):
        parts += _operation(operation)
    parts += _break_glass()
    parts += [*_operation(Operation.RESTORE), _IN_SERVICE]
    return "\n".join(parts).rstrip() + "\n"


def lines_of(text: str, section: str) -> list[str]:
    """The page's lines for an operation, or another section, block by block after those of its top: what one pastes."""
    top = _section(text, "Before anything else")
    return [*_blocks(top), *_blocks(_section(text, section.capitalize()))]


def _section(text: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the runbook has no section {title}")
    return found[1]


def _blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _operation(operation: Operation) -> list[str]:
    parts = [f"## {operation.value.capitalize()}", _INTRODUCTIONS[operation], ""]
    rows = [row for row in TABLES[operation] if row.step is not Step.DONE]
    for number, row in enumerate(rows, 1):
        if not row.reversible and (number == 1 or rows[number - 2].reversible):
            parts += ["*No way back from here.*", ""]
        parts += _step(number, row, DEEDS[operation, row.step])
    return parts


def _step(number: int, row: Transition, deed: Deed) -> list[str]:
    return [f"### {number}. {row.step.value.capitalize()}", row.comment, "", *_deed(deed)]


def _deed(deed: Deed) -> list[str]:
    return [
        f"- Console: {deed.console}",
        f"- Done when: {deed.seen}",
        f"- If not: {deed.otherwise}",
        "",
        _block(deed.lines),
        "",
    ]


def _single(title: str, why: str, deed: Deed) -> list[str]:
    return [f"## {title}", why, "", *_deed(deed)]


def _break_glass() -> list[str]:
    return [
        f"## {BREAK_GLASS_TITLE}",
        "Somebody has to look into an instance. No role is edited, and the tag goes by itself. Set `INSTANCE` and "
        "`REASON`.",
        "",
        "### 1. Open",
        "The document tags the instance for some minutes; the tag is what a session depends on.",
        "",
        *_deed(OPEN_ACCESS),
        "### 2. Close",
        "Earlier than by itself: what was opened is no longer what was deployed, and is replaced.",
        "",
        *_deed(CLOSE_ACCESS),
    ]


def _block(lines: str) -> str:
    return f"```sh\n{lines.strip()}\n```"


if __name__ == "__main__":
    PAGE.write_text(page())
