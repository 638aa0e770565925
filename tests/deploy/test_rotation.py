"""When a secret got the value that it has: what began before that read another one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pytest

from bicoastal.deploy.run import Run
from bicoastal.deploy.steps import rotation
from bicoastal.stacks.view import view
from tests.deploy.conftest import Bench
from tests.support.small_deployment import HOME, SmallDeployment, template

ROLES = ("app", "kit")


class WithSecrets(SmallDeployment):
    """The same with secrets of two roles at home, and a service there."""

    @property
    def package(self) -> Any:
        base = super().package
        secrets = {
            role.capitalize(): {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"Name": f"{self.name}-test/database/{role}", "SecretString": "before"},
            }
            for role in ROLES
        }
        entries = (
            *base.manifest.stacks,
            self._entry("secrets", HOME, {}),
            self._entry("service", HOME, {}),
        )
        templates = {
            **base.templates,
            "secrets.yaml": template(secrets),
            "service.yaml": template({"Page": {"Type": "AWS::SNS::Topic"}}),
        }
        return replace(base, manifest=replace(base.manifest, stacks=entries), templates=templates)


@pytest.fixture
def rotated(bench: Bench) -> Bench:
    bench.small = WithSecrets()
    assert bench.deploy().exit_code == 0
    return bench


def run(bench: Bench) -> Run:
    package = bench.small.package
    entry = package.entries("secrets")[0]
    stack = view(bench.session, entry.name, HOME)
    assert stack is not None
    nobody = cast("Any", None)
    return Run(bench.session, package, nobody, {}, nobody, lambda _: None, threading.Event(), stacks={entry.id: stack})


def put(bench: Bench, role: str) -> None:
    bench.client("secretsmanager").put_secret_value(
        SecretId=f"{bench.small.name}-test/database/{role}", SecretString="after"
    )


def changed(bench: Bench, *names: str) -> datetime:
    found = rotation.changed_at(run(bench), names)
    assert found is not None
    return found


def test_a_secret_was_changed_when_its_current_value_was_made(rotated: Bench) -> None:
    before = changed(rotated, "database/app")
    rotated.client("secretsmanager").tag_resource(
        SecretId=f"{rotated.small.name}-test/database/app", Tags=[{"Key": "cost-center", "Value": "4712"}]
    )
    assert changed(rotated, "database/app") == before, "its tags are none of its value"
    time.sleep(1.1)  # the emulator's clock of secrets has whole seconds
    put(rotated, "app")
    assert changed(rotated, "database/app") > before
    assert changed(rotated, "database/") == changed(rotated, "database/app"), "the newest of all"
    assert changed(rotated, "database/kit") == before
    assert rotation.changed_at(run(rotated), ["database"]) is None
    assert rotation.changed_at(run(rotated), ["app/"]) is None
