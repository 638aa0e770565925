"""What the instance kit costs: memory and CPU of the daemon, unpacked and compiled as on an instance, on both roles.

`python -m bench.kit [SECONDS]`: starts a real PostgreSQL pair, runs one daemon beside each server at the real pace, and
prints resident, proportional and unique memory (MiB), and CPU as a share of one core. The bar is 30 MiB resident.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from bicoastal.blueprint.bundle import kit_bundle
from tests.support.instance import Instance
from tests.support.postgres import Laboratory, replicated, running, wait_until

PYTHON = Path(sys.base_prefix) / "bin" / "python3.11"
BAR_MIB = 30


def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="bicoastal-bench-") as room:
        return measure(Path(room), seconds)


def measure(room: Path, seconds: float) -> int:
    kit = room / "kit"
    with tarfile.open(fileobj=io.BytesIO(kit_bundle())) as archive:
        archive.extractall(kit, filter="data")
    subprocess.run([PYTHON, "-m", "compileall", "-q", kit], check=True, timeout=60)
    with ExitStack() as stack:
        primary = stack.enter_context(running(Laboratory().cluster("east")))
        pair = stack.enter_context(replicated(primary))
        home = Instance(room / "home", primary, intervals={"tick": 1, "witness": 2, "database_timeout": 2})
        away = Instance(room / "away", pair.replica, region="us-west-2", intervals=home.settings["intervals"])
        for instance in (home, away):
            stack.callback(instance.close)
            instance.witness.say(1)
        home.answer("bootstrap")
        wait_until("the replica has it", pair.caught_up)
        daemons = {"primary": start(home, kit, stack), "replica": start(away, kit, stack)}
        time.sleep(3)
        before = {role: cpu(daemon) for role, daemon in daemons.items()}
        time.sleep(seconds)
        figures = {role: figure(daemon, before[role], seconds) for role, daemon in daemons.items()}
    print(json.dumps({"bundle_bytes": len(kit_bundle()), "bar_rss_mib": BAR_MIB, **figures}, indent=2))
    return 0 if all(item["rss_mib"] <= BAR_MIB for item in figures.values()) else 1


def start(instance: Instance, kit: Path, stack: ExitStack) -> psutil.Process:
    """The daemon as its unit starts it: nothing but the unpacked kit and the standard library."""
    command = [str(PYTHON), "-S", "-m", "bicoastal.kit", "run", "--config", str(instance.folder / "kit.json")]
    with (instance.folder / "journal").open("ab") as journal:
        daemon = subprocess.Popen(
            command, env={**instance.environment, "PYTHONPATH": str(kit)}, stdout=journal, stderr=journal, cwd="/"
        )
    stack.callback(daemon.wait, 10)
    stack.callback(daemon.terminate)
    process = psutil.Process(daemon.pid)
    wait_until("it has seen the database", lambda: "local database" in instance.journal, 15)
    assert process.is_running(), instance.journal
    return process


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def figure(process: psutil.Process, before: float, seconds: float) -> dict[str, float]:
    memory = process.memory_full_info()
    return {
        "rss_mib": round(memory.rss / 2**20, 1),
        "pss_mib": round(memory.pss / 2**20, 1),
        "uss_mib": round(memory.uss / 2**20, 1),
        "cpu_percent": round(100 * (cpu(process) - before) / seconds, 2),
        "threads": process.num_threads(),
    }


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 20))
