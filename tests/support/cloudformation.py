"""Deploys a manifest by CloudFormation's API alone: a change set for each stack, outputs wired to parameters.

It does what a person at the AWS CLI would do, in order, one stack after the other or all at once; the product's own
engine is not used here, so that the twin is not tested by what is tested on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

from bicoastal.cfn.manifest import Chosen, FromOutput, Literal, Live, Manifest, Source, StackEntry
from bicoastal.twin.cloud.process import Endpoint

MOST_INLINE = 51_200
"""Bytes of a template body that CloudFormation takes in a call; a larger one is read from a bucket."""
DEADLINE_S = 60.0


@dataclass
class Account:
    """Clients for the account that the twin stands in for."""

    endpoint: Endpoint
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = client(
                self.endpoint.url,
                self.endpoint.access_key_id,
                self.endpoint.secret_access_key,
                service=service,
                region=region,
            )
        return self._clients[service, region]


def client(url: str, key: str, secret: str, token: str | None = None, *, service: str, region: str) -> Any:
    """One boto3 client; no retries, so that a test sees what was answered."""
    return _session(key, secret, token).client(
        service,
        region_name=region,
        endpoint_url=url,
        config=Config(connect_timeout=2, read_timeout=20, retries={"total_max_attempts": 1}, max_pool_connections=32),
    )


@lru_cache(maxsize=16)
def _session(key: str, secret: str, token: str | None) -> Any:
    return boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)


class StackFailed(Exception):  # noqa: N818 - it reads as what happened
    """A stack did not end as it should; the message has its resources' reasons."""


@dataclass
class Walker:
    """Creates and deletes all stacks of a manifest."""

    account: Account
    manifest: Manifest
    templates: Mapping[str, str]
    """Template file to text."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Stack id to its outputs, of what stands."""
    chosen: Mapping[str, str] = field(default_factory=dict)
    """Parameters that are chosen otherwise than by their default."""
    anew: bool = False
    """Whether an update brings its template, too."""
    up_s: float = 0.0
    """How long the last `up` took."""

    def up(self, workers: int = 6) -> dict[str, float]:
        """Create every stack, each as soon as what it needs stands. Returns seconds by stack id."""
        for region in self.manifest.regions:
            self.account.client("cloudformation", region), self.account.client("s3", region)
        started = time.monotonic()
        took = self._each(self.create, lambda entry: entry.needs, workers)
        self.up_s = time.monotonic() - started
        return took

    def down(self, workers: int = 6) -> dict[str, float]:
        """Delete every stack, each as soon as nothing needs it."""
        users: dict[str, list[str]] = {entry.id: [] for entry in self.manifest.stacks}
        for entry in self.manifest.stacks:
            for need in entry.needs:
                users[need].append(entry.id)
        return self._each(self.delete, lambda entry: users[entry.id], workers)

    def create(self, entry: StackEntry) -> None:
        self.change(entry, "CREATE")

    def change(self, entry: StackEntry, kind: str, **changed: str) -> list[Any]:
        """Create and execute a change set; `changed` are parameters given anew in an UPDATE. Returns its changes."""
        made = self.plan(entry, kind, **changed)
        self.execute(entry, made)
        return list(made["Changes"])

    def plan(self, entry: StackEntry, kind: str, **changed: str) -> Any:
        """A change set that is ready to be executed, as described."""
        cloudformation = self.account.client("cloudformation", entry.region)
        template = self._template(entry) if kind == "CREATE" or self.anew else {"UsePreviousTemplate": True}
        name = f"walk-{time.time_ns()}"
        cloudformation.create_change_set(
            StackName=entry.name,
            ChangeSetName=name,
            ChangeSetType=kind,
            Parameters=[self._parameter(name, source, kind, changed) for name, source in entry.parameters.items()],
            Capabilities=list(entry.capabilities),
            Tags=[{"Key": key, "Value": value} for key, value in self.manifest.tags.items()],
            **template,
        )
        for _ in until(f"the change set of {entry.id}"):
            found = cloudformation.describe_change_set(StackName=entry.name, ChangeSetName=name)
            if found["Status"] in ("CREATE_COMPLETE", "FAILED"):
                break
        if found["Status"] == "FAILED":
            raise StackFailed(f"{entry.id}: {found.get('StatusReason')}")
        return found

    def execute(self, entry: StackEntry, planned: Any) -> None:
        cloudformation = self.account.client("cloudformation", entry.region)
        cloudformation.execute_change_set(
            StackName=entry.name, ChangeSetName=planned["ChangeSetName"], DisableRollback=True
        )
        stack = self.settled(entry)
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            raise StackFailed(f"{entry.id}: {stack['StackStatus']}: {self.reasons(entry)}")
        self.outputs[entry.id] = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}

    def delete(self, entry: StackEntry) -> None:
        cloudformation = self.account.client("cloudformation", entry.region)
        stack_id = cloudformation.describe_stacks(StackName=entry.name)["Stacks"][0]["StackId"]
        cloudformation.delete_stack(StackName=entry.name)
        stack = self.settled(entry, stack_id)
        if stack["StackStatus"] != "DELETE_COMPLETE":
            raise StackFailed(f"{entry.id}: {stack['StackStatus']}: {self.reasons(entry)}")
        self.outputs.pop(entry.id, None)

    def settled(self, entry: StackEntry, name: str | None = None) -> Any:
        """The stack once nothing is in progress."""
        cloudformation = self.account.client("cloudformation", entry.region)
        for _ in until(entry.id):
            stack = cloudformation.describe_stacks(StackName=name or entry.name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS"):
                break
        return stack

    def reasons(self, entry: StackEntry) -> str:
        """What its events give as reasons of failures, first one first."""
        events = self.account.client("cloudformation", entry.region).describe_stack_events(StackName=entry.name)
        return "; ".join(
            f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
            for event in reversed(events["StackEvents"])
            if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
        )

    def _parameter(self, name: str, source: Source, kind: str, changed: Mapping[str, str]) -> dict[str, Any]:
        if name in changed:
            return {"ParameterKey": name, "ParameterValue": changed[name]}
        if kind == "UPDATE":
            return {"ParameterKey": name, "UsePreviousValue": True}
        return {"ParameterKey": name, "ParameterValue": self._value(name, source)}

    def _value(self, name: str, source: Source) -> str:
        match source:
            case Live(initial):
                return self._value(name, initial)
            case Literal(value):
                return value
            case Chosen(default=value):
                return self.chosen.get(name, value)
            case FromOutput(stack, output):
                return self.outputs[stack][output]

    def _template(self, entry: StackEntry) -> dict[str, str]:
        text = self.templates[entry.template]
        if len(text.encode()) <= MOST_INLINE:
            return {"TemplateBody": text}
        bucket = self.outputs[f"foundation/{entry.region}"]["ArtifactBucket"]
        s3 = self.account.client("s3", entry.region)
        s3.put_object(Bucket=bucket, Key=entry.template, Body=text.encode())
        return {"TemplateURL": f"https://{bucket}.s3.{entry.region}.amazonaws.com/{entry.template}"}

    def _each(
        self, act: Callable[[StackEntry], None], needs: Callable[[StackEntry], Any], workers: int
    ) -> dict[str, float]:
        waiting = {entry.id: entry for entry in self.manifest.stacks}
        took: dict[str, float] = {}
        running: dict[Future[float], str] = {}
        with ThreadPoolExecutor(workers) as pool:
            while waiting or running:
                for entry in [entry for entry in waiting.values() if set(needs(entry)) <= set(took)]:
                    running[pool.submit(_timed, act, waiting.pop(entry.id))] = entry.id
                if not running:
                    raise StackFailed(f"these wait for each other: {sorted(waiting)}")
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    took[running.pop(future)] = future.result()
        return took


def _timed(act: Callable[[StackEntry], None], entry: StackEntry) -> float:
    started = time.monotonic()
    act(entry)
    return time.monotonic() - started


def until(what: str) -> Any:
    """Yield until the caller is content; raises StackFailed when the deadline has passed."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        yield
        time.sleep(0.02)
    raise StackFailed(f"{what}: still in progress after {DEADLINE_S} s")
