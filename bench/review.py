"""The bars of `review`: every fault found and no false alarm, in every shape; and how long it takes. Peers beside it.

`python -m bench.review` builds each fault of `bench/faults` into a sound deployment and prints what is found, missed
and wrongly alarmed, by us in all shapes, and by cfn-lint, checkov and cloudformation-validate in the plain one. Then it
times whole processes, as a user starts them. `--ours` leaves the peers out, `--wiring` all faults but the twelve that
the peers are known to miss. Exits 1 when a bar is missed.

A peer has found a fault when it says anything about the changed files that it does not say of the sound ones: that is
generous, for it need not be about the fault.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.faults import catalog
from bench.faults.base import sound
from bench.faults.catalog import wiring
from bench.faults.fault import Fault
from bench.faults.shapes import SHAPES, write
from bicoastal.cfn.load import read_deployment
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.case import Case
from bicoastal.review.demand import two_region_web
from bicoastal.review.findings import look
from bicoastal.review.rules.index import INDEX
from tools.validators import CHECKOV, cfn_lint, checkov, cloudformation_validate

FAULTS = wiring.FAULTS if "--wiring" in sys.argv[1:] else catalog.FAULTS
ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "examples" / "orders" / "deployment" / "templates"
ONE_S, FIFTY_S, TIMES_FASTER, MEMORY_MIB = 0.2, 2.0, 10.0, 200
ONE_SCHEMA_S, FIFTY_SCHEMA_S = 0.9, 4.0
_VALIDATE = """
import sys
from cloudformation_validate import CompositeEngine
engine = CompositeEngine()
for path in sys.argv[1:]:
    engine.validate_template(path)
"""
_BATCH = 20
"""Templates that a peer is given at once: it has a deadline."""
Key = tuple[str, str, str]
"""File, rule, resource."""


def main() -> int:
    """Measure, print, and judge."""
    peers = "--ours" not in sys.argv[1:]
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        failed += quality(Path(scratch), peers=peers)
        failed += speed(Path(scratch), peers=peers)
    for text in failed:
        print(f"BAR MISSED: {text}")
    return 1 if failed else 0


# Quality.


def quality(scratch: Path, *, peers: bool) -> list[str]:
    """What is found, by whom."""
    alarms, missed = 0, []
    for shape in SHAPES:
        said = _ours(scratch / f"sound-{shape}", sound(), shape)
        alarms += len(said)
        for finding in said:
            print(f"false alarm ({shape}): {finding}")
    for fault in FAULTS:
        for shape in SHAPES:
            found = _ours(scratch / f"{fault.id}-{shape}", fault.built(), shape, fault.rule)
            if not any(finding.severity is not Severity.INFO for finding in found):
                missed.append(f"{fault.id} ({shape})")
    total = len(FAULTS) * len(SHAPES)
    print(f"{len(INDEX)} rules, {len(FAULTS)} faults, {len(SHAPES)} shapes")
    print(f"{'bicoastal':<26}found {total - len(missed):>4} of {total}   findings on the sound deployment: {alarms}")
    for text in missed:
        print(f"    missed: {text}")
    if peers:
        for name, ask in (("cloudformation-validate", _validate), ("checkov", _checkov), ("cfn-lint", _cfn_lint)):
            if name == "checkov" and not CHECKOV.exists():
                print("checkov is not there: `make setup`")
                continue
            _peer(name, ask, scratch)
    return [f"{len(missed)} faults missed"] * bool(missed) + [f"{alarms} false alarms"] * bool(alarms)


def _ours(folder: Path, stacks: object, shape: str, *rules: str) -> tuple[Finding, ...]:
    if not folder.exists():
        write(stacks, folder, shape)  # type: ignore[arg-type]
    return look(Case(read_deployment([folder]), two_region_web()), frozenset(rules)).findings


def _peer(name: str, ask: Callable[[Path, Sequence[Path]], Iterable[Key]], scratch: Path) -> None:
    before = _texts(scratch / "sound-plain")
    changed = [
        path
        for fault in FAULTS
        for path in (scratch / f"{fault.id}-plain" / "templates").iterdir()
        if path.read_text() != before.get(path.name)
    ]
    sound_files = sorted((scratch / "sound-plain" / "templates").iterdir())
    known = {(Path(file).name, rule, resource) for file, rule, resource in ask(scratch, sound_files)}
    batches = [changed[start : start + _BATCH] for start in range(0, len(changed), _BATCH)]
    said = [key for batch in batches for key in ask(scratch, batch)]
    new = {file for file, rule, item in said if (Path(file).name, rule, item) not in known}
    found = [fault for fault in FAULTS if any(f"{os.sep}{fault.id}-plain{os.sep}" in file for file in new)]
    twelve = _wiring(found)
    print(
        f"{name:<26}found {len(found):>4} of {len(FAULTS)} ({len(twelve)} of the 12 wiring rules)"
        f"   findings on the sound deployment: {len(known)}"
    )


def _wiring(found: Sequence[Fault]) -> set[str]:
    return {fault.rule for fault in found} & {fault.rule for fault in wiring.FAULTS}


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "templates").iterdir()}


def _regions(files: Sequence[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in files:
        found.setdefault("us-west-2" if path.stem == "west" else "us-east-1", []).append(path)
    return found


def _cfn_lint(_: Path, files: Sequence[Path]) -> list[Key]:
    return [
        (item.location.file, item.rule, ".".join(map(str, item.location.path[:2])))
        for region, paths in _regions(files).items()
        for item in cfn_lint(paths, [region])
    ]


def _validate(_: Path, files: Sequence[Path]) -> list[Key]:
    return [
        (item.location.file, item.rule, item.resource)
        for region, paths in _regions(files).items()
        for item in cloudformation_validate(paths, [region])
    ]


def _checkov(scratch: Path, files: Sequence[Path]) -> list[Key]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for path in files:
            copy = Path(folder) / path.relative_to(scratch)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text())
        return [(f"{os.sep}{item.location.file}", item.rule, item.resource) for item in checkov(Path(folder))]


# Speed.


def speed(scratch: Path, *, peers: bool) -> list[str]:
    """Whole processes: one template of 20 KB, fifty of 1.6 MB."""
    one = [TEMPLATES / "database.yaml"]
    fifty = _fifty(scratch / "fifty")
    size = sum(path.stat().st_size for path in fifty)
    print(f"one template: {one[0].stat().st_size / 1000:.0f} KB; {len(fifty)} templates: {size / 1e6:.2f} MB")
    program = str(ROOT / ".venv/bin/bicoastal")
    failed = []
    times = {}
    for schema, (limit_one, limit_fifty) in (
        ("--no-schema", (ONE_S, FIFTY_S)),
        ("--schema", (ONE_SCHEMA_S, FIFTY_SCHEMA_S)),
    ):
        command = [program, "review", schema, "--format", "json"]
        small, large = _seconds([*command, *map(str, one)], 7), _seconds([*command, str(scratch / "fifty")], 3)
        print(f"bicoastal {schema:<16}{small:>7.2f} s (bar {limit_one}) {large:>7.2f} s (bar {limit_fifty})")
        failed += [f"one template takes {small:.2f} s, not {limit_one}"] * (small > limit_one)
        failed += [f"fifty templates take {large:.2f} s, not {limit_fifty}"] * (large > limit_fifty)
        times[schema] = (small, large)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory of a process: {peak:.0f} MiB (bar {MEMORY_MIB}, our rules)")
    failed += _growth(scratch, program)
    if peers:
        failed += _against_peers(one, fifty, times["--no-schema"])
    return failed


def _growth(scratch: Path, program: str) -> list[str]:
    """Time by the size of one template: twice the size may take little more than twice the time."""
    taken = []
    for copies in (8, 16, 32):
        path = scratch / f"large-{copies}.yaml"
        text = (TEMPLATES / "network.yaml").read_text()
        head, _, body = text.partition("\nResources:\n")
        resources = body.partition("\nOutputs:\n")[0]
        path.write_text(f"{head}\nResources:\n" + "".join(_renamed(resources, number) for number in range(copies)))
        taken.append((path.stat().st_size / 1e6, _seconds([program, "review", "--no-schema", str(path)], 3)))
    print("growth: " + ", ".join(f"{size:.2f} MB {seconds:.2f} s" for size, seconds in taken))
    factor = (taken[2][1] / taken[1][1]) / (taken[2][0] / taken[1][0])
    return [f"twice the size takes {factor * 2:.1f} times as long"] * (factor > 1.3)


def _renamed(resources: str, number: int) -> str:
    """The same resources under other logical ids."""
    import re  # noqa: PLC0415 - only here

    names = re.findall(r"^  (\w+):$", resources, re.MULTILINE)
    return re.sub(rf"\b({'|'.join(names)})\b", rf"\g<1>N{number}", resources) + "\n"


def _against_peers(one: Sequence[Path], fifty: Sequence[Path], ours: tuple[float, float]) -> list[str]:
    lint = str(ROOT / ".venv/bin/cfn-lint")
    small = _seconds([lint, *map(str, one)], 2)
    large = _seconds([lint, *map(str, fifty)], 1)
    times = f"{small / ours[0]:.1f} and {large / ours[1]:.1f} x ours"
    print(f"cfn-lint {'':<17}{small:>7.2f} s {'':<11}{large:>7.2f} s: {times}")
    if CHECKOV.exists():
        flags = ["--framework", "cloudformation", "--quiet", "--compact", "--skip-download", "--soft-fail"]
        alone = _seconds([str(CHECKOV), *flags, "-f", str(one[0])], 2)
        many = _seconds([str(CHECKOV), *flags, "-d", str(fifty[0].parent)], 1)
        print(f"checkov {'':<18}{alone:>7.2f} s {'':<11}{many:>7.2f} s")
    python = [sys.executable, "-c", _VALIDATE]
    alone, many = _seconds([*python, *map(str, one)], 3), _seconds([*python, *map(str, fifty)], 2)
    print(f"cloudformation-validate {'':<2}{alone:>7.2f} s {'':<11}{many:>7.2f} s")
    ratio = min(small / ours[0], large / ours[1])
    return [f"cfn-lint takes only {ratio:.1f} times as long"] * (ratio < TIMES_FASTER)


def _fifty(folder: Path) -> list[Path]:
    """Fifty templates of 1.6 MB: the sample's own, the large ones more often."""
    folder.mkdir()
    sources = sorted(TEMPLATES.glob("*.yaml"), key=lambda path: -path.stat().st_size)
    chosen: list[Path] = []
    for number in range(50):
        source = sources[number % 8 if number < 40 else number % len(sources)]
        copy = folder / f"{source.stem}-{number}.yaml"
        copy.write_text(source.read_text())
        chosen.append(copy)
    return chosen


def _seconds(command: Sequence[str], runs: int) -> float:
    """The median wall time of a command, in seconds; a first run, which compiles and fills caches, is not counted."""
    taken = []
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / f"bench-review-{os.getuid()}")
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=False, capture_output=True, timeout=900, cwd=ROOT / "bench", env=environment)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    sys.exit(main())
