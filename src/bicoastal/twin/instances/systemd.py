"""What systemd is to an instance: which units run, in which order, at boot and when somebody asks.

`Wants=` brings another unit along and does not mind its failure; `Requires=` does. `After=` waits until the other one's
start is done, one way or the other: a oneshot's end, a `notify` service's READY. Targets, timers and the operating
system's own services are not here: they are named on the console, and nothing waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from bicoastal.core.errors import SystemFault
from bicoastal.twin.instances.service import Service, Surroundings
from bicoastal.twin.instances.units import Unit, load

_BOOT = "multi-user.target"


class Systemd:
    """Of one machine. All methods run in the reactor's loop."""

    def __init__(self, machine: Surroundings, folder: Path) -> None:
        """`folder` is the machine's /etc/systemd/system."""
        self._machine = machine
        self._folder = folder
        self._services: dict[str, Service] = {}
        self._jobs: dict[str, asyncio.Task[bool]] = {}
        self._gates: list[asyncio.Event] = []
        self._unheeded: set[str] = set()

    @property
    def services(self) -> list[Service]:
        """Those that were ever started."""
        return list(self._services.values())

    async def systemctl(self, arguments: Sequence[str]) -> tuple[int, str]:  # noqa: PLR0911 - a case for each verb
        """Do what `systemctl ARGUMENTS` does; exit code, and what it prints."""
        flags = {word for word in arguments if word.startswith("-")}
        verb, *names = [word for word in arguments if not word.startswith("-")] or [""]
        names = [name if "." in name else f"{name}.service" for name in names]
        if verb == "daemon-reload":
            self._forget_files()
            return 0, ""
        if verb in ("is-active", "show", "status"):
            return self._told(verb, names)
        if verb in ("enable", "disable"):
            return await self._enable(names, flags, on=verb == "enable")
        if verb in ("start", "restart", "try-restart", "reload-or-restart"):
            return await self._start_all(names, again=verb != "start", block="--no-block" not in flags)
        if verb in ("stop", "kill"):
            await asyncio.gather(*(self.stop(name) for name in names))
            return 0, ""
        if verb == "reset-failed":
            return 0, ""
        return 1, f"systemctl {verb}: is not on this instance\n"

    async def boot(self) -> None:
        """Start what is enabled."""
        wanted = self._folder / f"{_BOOT}.wants"
        await self._start_all(sorted(path.name for path in wanted.glob("*.service")), again=False, block=False)

    async def stop(self, name: str) -> None:
        """Stop a unit, and what was to start it."""
        job = self._jobs.pop(name, None)
        if job is not None:
            job.cancel()
        if name in self._services:
            await self._services[name].stop()

    async def stop_everything(self) -> None:
        """For a shutdown: all at once, each by its own rules."""
        for job in self._jobs.values():
            job.cancel()
        await asyncio.gather(*(service.stop() for service in self.services))

    def abandon_everything(self) -> None:
        """The power goes: nothing is started again."""
        for job in self._jobs.values():
            job.cancel()
        for service in self.services:
            service.abandon()

    # Starting.

    async def _start_all(self, names: Iterable[str], *, again: bool, block: bool) -> tuple[int, str]:
        jobs = []
        said = []
        for name in names:
            try:
                if again and name in self._services:
                    await self.stop(name)
                    self._forget_file(name)
                if name.endswith(".service"):
                    jobs.append(self._begin(name))
                else:
                    self._machine.say(f"{name}: only services are run here")
            except SystemFault as error:
                said.append(str(error))
                self._machine.say(str(error))
        self._release()
        if block and jobs:
            outcomes = await asyncio.gather(*(asyncio.shield(job) for job in jobs), return_exceptions=True)
            if not all(outcome is True for outcome in outcomes):
                said.append("Job failed. See the console of the instance.")
        return (1, "".join(f"{line}\n" for line in said)) if said else (0, "")

    def _begin(self, name: str) -> asyncio.Task[bool]:
        """A job for a unit and for those that it brings along. Raises SystemFault where it has no file."""
        job = self._jobs.get(name)
        if job is not None and not job.done():
            return job
        service = self._service(name)
        if service.state == "active":
            job = asyncio.ensure_future(_true())
        else:
            gate = asyncio.Event()
            job = asyncio.ensure_future(self._job(service, gate))
            self._gates.append(gate)
        self._jobs[name] = job
        for kind in ("Wants", "Requires", "BindsTo"):
            for other in service.unit.names(f"Unit.{kind}"):
                if other.endswith(".service"):
                    try:
                        self._begin(other)
                    except SystemFault as error:
                        if kind != "Wants":
                            job.cancel()
                            raise
                        self._machine.say(f"{name}: {error}")
        return job

    def _release(self) -> None:
        """All jobs of a request are known: each sees the others that it comes after."""
        for gate in self._gates:
            gate.set()
        self._gates.clear()

    async def _job(self, service: Service, gate: asyncio.Event) -> bool:
        """Wait for what comes before, look at the conditions, start."""
        await gate.wait()
        unit = service.unit
        before = {other: self._jobs[other] for other in unit.names("Unit.After") if other in self._jobs}
        before |= {
            name: job
            for name, job in self._jobs.items()
            if name in self._services and unit.name in self._services[name].unit.names("Unit.Before")
        }
        outcomes = await asyncio.gather(*before.values(), return_exceptions=True)
        succeeded = dict(zip(before, outcomes, strict=True))
        for other in (*unit.names("Unit.Requires"), *unit.names("Unit.BindsTo")):
            if succeeded.get(other, True) is not True:
                self._machine.say(f"{unit.name}: Dependency failed: {other}")
                return False
        for path, wanted in unit.conditions:
            if path.exists() is not wanted:
                self._machine.say(f"{unit.name}: Condition check resulted in {unit.description} being skipped.")
                return True
        unheeded = [name for name in unit.not_in_force if name not in self._unheeded]
        if unheeded:
            # Once for a machine: all its units have the same.
            self._unheeded.update(unheeded)
            self._machine.say(f"{unit.name}: not in force here: {', '.join(unheeded)}")
        return await service.start()

    def _service(self, name: str) -> Service:
        if name not in self._services:
            self._services[name] = Service(load([self._folder], name), self._machine)
        return self._services[name]

    def _forget_file(self, name: str) -> None:
        """Read it anew at the next start."""
        self._services.pop(name, None)

    def _forget_files(self) -> None:
        for name, service in list(self._services.items()):
            if service.state in ("inactive", "failed"):
                self._forget_file(name)

    # Enabling, telling.

    async def _enable(self, names: list[str], flags: set[str], *, on: bool) -> tuple[int, str]:
        said = ""
        known = []
        for name in names:
            if not (self._folder / name).is_file():
                said += f"Failed to {'enable' if on else 'disable'} unit: Unit file {name} does not exist.\n"
                self._machine.say(f"{name}: is of the operating system: it is not run here")
                continue
            known.append(name)
            for target in self._installed_in(load([self._folder], name)):
                link = self._folder / f"{target}.wants" / name
                link.parent.mkdir(exist_ok=True)
                link.unlink(missing_ok=True)
                if on:
                    link.symlink_to(self._folder / name)
        if "--now" in flags and on:
            code, more = await self._start_all(known, again=False, block="--no-block" not in flags)
            return code or (1 if said else 0), said + more
        if "--now" in flags:
            await asyncio.gather(*(self.stop(name) for name in known))
        return (1 if said else 0), said

    @staticmethod
    def _installed_in(unit: Unit) -> list[str]:
        return unit.names("Install.WantedBy")

    def _told(self, verb: str, names: list[str]) -> tuple[int, str]:
        lines: list[str] = []
        worst = 0
        for name in names:
            service = self._services.get(name)
            state = service.state if service else "inactive"
            worst = max(worst, 0 if state == "active" else 3)
            if verb == "is-active":
                lines.append(state)
            elif verb == "show":
                worst = 0
                lines += [
                    f"Id={name}",
                    f"ActiveState={state}",
                    f"MainPID={service.main_pid if service else 0}",
                    f"Result={service.result if service else 'success'}",
                ]
            else:
                about = f" - {service.unit.description}" if service else ""
                lines.append(f"{name}{about}: {state} (main PID {service.main_pid if service else 0})")
        return worst, "".join(f"{line}\n" for line in lines)


async def _true() -> bool:
    return True
