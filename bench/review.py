"""The bars of `review`: every fault found and no false alarm, in every shape; and how long it takes. Peers beside it.

`python -m bench.review` builds each fault of `bench/faults` into a sound deployment and prints what is found, missed
and wrongly alarmed, by us in all shapes, and by cfn-lint, checkov and cloudformation-validate in the plain one. Then it
times whole processes, as a user starts them. `--ours` leaves the peers out, `--wiring` all faults but the twelve that
the peers are known to miss, `--speed` and `--quality` do one of the two. Exits 1 when a bar is missed.

A peer has found a fault when it says anything about the changed files that it does not say of the sound ones: that is
generous, for it need not be about the fault. Each peer has half an hour for the faults; what it was not asked by then
is not counted, and said.

Times are those of new processes, a first one (which compiles and fills caches) not counted: the median of several, in
wall seconds, with the CPU seconds of the same run (user and system, children included) beside it. Bars are held against
wall seconds; with `--cpu` against CPU seconds, for a machine that others use at the same time, and that is said. A
process that does not end within its limit has taken "at least" that long.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bench.faults import catalog
from bench.faults.base import sound
from bench.faults.catalog import wiring
from bench.faults.catalog.twins import TWINS
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
MEMORY_MIB = 200
BARS = {
    "--no-schema": ((0.2, 10.0), (2.0, 10.0)),
    "--schema": ((0.9, 2.5), (4.0, 7.0)),
}
"""By our own flag: seconds, and how many times longer cfn-lint takes, for one template and for fifty."""
BY_CPU = "--cpu" in sys.argv[1:]
PEER_LIMIT_S = 600
"""One run of a peer."""
FAULTS_LIMIT_S = 1800
"""All faults, for one peer."""
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
    peers, only = "--ours" not in sys.argv[1:], {"--speed", "--quality"} & set(sys.argv[1:])
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        if only != {"--speed"}:
            failed += quality(Path(scratch), peers=peers)
        if only != {"--quality"}:
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
        for twin in TWINS:
            wrong = _ours(scratch / f"twin-{twin.id}-{shape}", twin.built(), shape)
            alarms += len(wrong)
            for finding in wrong:
                print(f"false alarm (twin of {twin.id}, {shape}): {finding}")
    for fault in FAULTS:
        for shape in SHAPES:
            found = _ours(scratch / f"{fault.id}-{shape}", fault.built(), shape, fault.rule)
            if not any(finding.severity is not Severity.INFO for finding in found):
                missed.append(f"{fault.id} ({shape})")
    total = len(FAULTS) * len(SHAPES)
    print(f"{len(INDEX)} rules, {len(FAULTS)} faults, {len(SHAPES)} shapes")
    print(
        f"{'bicoastal':<26}found {total - len(missed):>4} of {total}   findings on the sound deployment and its "
        f"{len(TWINS)} sound changes: {alarms}"
    )
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
    said: list[Key] = []
    asked: list[Path] = []
    end = time.monotonic() + FAULTS_LIMIT_S
    for batch in batches:
        if time.monotonic() > end:
            break
        said += ask(scratch, batch)
        asked += batch
    new = {file for file, rule, item in said if (Path(file).name, rule, item) not in known}
    late = {path for path in changed if path not in asked}
    faults = [fault for fault in FAULTS if not any(f"{fault.id}-plain" in path.parts for path in late)]
    found = [fault for fault in faults if any(f"{os.sep}{fault.id}-plain{os.sep}" in file for file in new)]
    rest = f" asked in {FAULTS_LIMIT_S} s, of {len(FAULTS)}" if late else ""
    print(
        f"{name:<26}found {len(found):>4} of {len(faults)}{rest} ({len(_wiring(found))} of the 12 wiring rules)"
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


@dataclass(frozen=True)
class Taken:
    """What a command took."""

    wall_s: float
    cpu_s: float
    memory_mib: float
    ended: bool = True
    """False: it was ended at its limit."""

    @property
    def judged_s(self) -> float:
        """What bars are held against."""
        return self.cpu_s if BY_CPU else self.wall_s

    def __str__(self) -> str:
        return f"{'' if self.ended else '>= '}{self.wall_s:.2f} s (CPU {self.cpu_s:.2f})"


def speed(scratch: Path, *, peers: bool) -> list[str]:
    """Whole processes: one template of 20 KB, fifty of 1.6 MB."""
    one = [TEMPLATES / "database.yaml"]
    fifty = _fifty(scratch / "fifty")
    size = sum(path.stat().st_size for path in fifty)
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {load:.1f} processes wanting a CPU at the start")
    print(f"bars are held against {'CPU' if BY_CPU else 'wall'} seconds, the median of runs as whole processes")
    print(f"one template: {one[0].stat().st_size / 1000:.0f} KB; {len(fifty)} templates: {size / 1e6:.2f} MB")
    program = str(ROOT / ".venv/bin/bicoastal")
    failed = []
    times = {}
    for schema, ((limit_one, _), (limit_fifty, _)) in BARS.items():
        command = [program, "review", schema, "--format", "json"]
        small, large = _taken([*command, *map(str, one)], 9), _taken([*command, str(scratch / "fifty")], 5)
        times[schema] = (small, large)
        _line(f"bicoastal {schema}", small, large, f"bars {limit_one} and {limit_fifty} s")
        failed += [f"one template takes {small.judged_s:.2f} s, not {limit_one}"] * (small.judged_s > limit_one)
        failed += [f"fifty templates take {large.judged_s:.2f} s, not {limit_fifty}"] * (large.judged_s > limit_fifty)
    peak = max(item.memory_mib for item in times["--no-schema"])
    print(f"most memory of a process: {peak:.0f} MiB (bar {MEMORY_MIB}, our rules)")
    failed += [f"{peak:.0f} MiB of memory, not {MEMORY_MIB}"] * (peak > MEMORY_MIB)
    failed += _growth(scratch, program)
    if peers:
        failed += _against_peers(one, fifty, times)
    return failed


def _line(name: str, small: Taken, large: Taken, more: str = "") -> None:
    print(f"{name:<26}{small!s:>22}{large!s:>24}   {more}".rstrip())


def _growth(scratch: Path, program: str) -> list[str]:
    """Time by the size of one template: twice the size may take little more than twice the time."""
    taken = []
    for copies in (8, 16, 32):
        path = scratch / f"large-{copies}.yaml"
        text = (TEMPLATES / "network.yaml").read_text()
        head, _, body = text.partition("\nResources:\n")
        resources = body.partition("\nOutputs:\n")[0]
        path.write_text(f"{head}\nResources:\n" + "".join(_renamed(resources, number) for number in range(copies)))
        taken.append((path.stat().st_size / 1e6, _taken([program, "review", "--no-schema", str(path)], 3)))
    print("growth of one template: " + ", ".join(f"{size:.2f} MB {one}" for size, one in taken))
    factor = (taken[2][1].cpu_s / taken[1][1].cpu_s) / (taken[2][0] / taken[1][0])
    return [f"twice the size takes {factor * 2:.1f} times as long"] * (factor > 1.3)


def _renamed(resources: str, number: int) -> str:
    """The same resources under other logical ids."""
    import re  # noqa: PLC0415 - only here

    names = re.findall(r"^  (\w+):$", resources, re.MULTILINE)
    return re.sub(rf"\b({'|'.join(names)})\b", rf"\g<1>N{number}", resources) + "\n"


def _against_peers(one: Sequence[Path], fifty: Sequence[Path], ours: dict[str, tuple[Taken, Taken]]) -> list[str]:
    lint = str(ROOT / ".venv/bin/cfn-lint")
    theirs = (_taken([lint, *map(str, one)], 3), _taken([lint, *map(str, fifty)], 1))
    _line("cfn-lint", *theirs)
    if CHECKOV.exists():
        flags = ["--framework", "cloudformation", "--quiet", "--compact", "--skip-download", "--soft-fail"]
        alone = _taken([str(CHECKOV), *flags, "-f", str(one[0])], 2)
        _line("checkov", alone, _taken([str(CHECKOV), *flags, "-d", str(fifty[0].parent)], 1))
    python = [sys.executable, "-c", _VALIDATE]
    _line("cloudformation-validate", _taken([*python, *map(str, one)], 3), _taken([*python, *map(str, fifty)], 2))
    failed = []
    for flag, bars in BARS.items():
        ratios = [peer.judged_s / own.judged_s for peer, own in zip(theirs, ours[flag], strict=True)]
        print(
            f"cfn-lint takes {'' if theirs[0].ended else '>= '}{ratios[0]:.1f} and {'' if theirs[1].ended else '>= '}"
            f"{ratios[1]:.1f} times as long as bicoastal {flag} (bars {bars[0][1]:g} and {bars[1][1]:g})"
        )
        failed += [
            f"cfn-lint takes only {ratio:.1f} times as long as {flag}, not {bar:g}"
            for ratio, (_, bar) in zip(ratios, bars, strict=True)
            if ratio < bar
        ]
    return failed


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


def _taken(command: Sequence[str], runs: int) -> Taken:
    """The run of the median wall time, a first one not counted, except where that one is not over by its limit."""
    first = _once(command)
    if not first.ended:
        return first
    taken = sorted((_once(command) for _ in range(runs)), key=lambda one: one.wall_s)
    return taken[len(taken) // 2]


def _once(command: Sequence[str]) -> Taken:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / f"bench-review-{os.getuid()}")
    start = time.perf_counter()
    with tempfile.TemporaryFile() as said, Path(os.devnull).open("w") as nowhere:
        child = subprocess.Popen(
            command, stdout=said, stderr=nowhere, cwd=ROOT / "bench", env=environment, start_new_session=True
        )
        return _waited(child, start, said)


def _waited(child: subprocess.Popen[bytes], start: float, said: IO[bytes]) -> Taken:
    over = threading.Event()

    def end() -> None:
        over.set()
        os.killpg(child.pid, signal.SIGKILL)

    limit = threading.Timer(PEER_LIMIT_S, end)
    limit.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    limit.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode and not os.fstat(said.fileno()).st_size and not over.is_set():
        raise RuntimeError(f"{child.args!r} ended with {child.returncode} and said nothing: it did not do its work")
    return Taken(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, ended=not over.is_set())


if __name__ == "__main__":
    sys.exit(main())
