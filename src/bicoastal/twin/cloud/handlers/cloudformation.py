"""CloudFormation's own ways that ministack leaves out: template URLs as AWS writes them, and what parameters name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import change_sets

Json = Any
_VIRTUAL_HOST = re.compile(r"https://([a-z0-9.-]+)\.s3[.-]([a-z0-9-]+)\.amazonaws\.com/(.+)")


def install() -> None:
    """Put them in place."""
    change_sets.install()
    helpers = emulator.cloudformation("helpers")
    inner = helpers._resolve_document

    def resolve_document(params: Mapping[str, Json], body_key: str, url_key: str, label: str) -> Any:
        url = helpers._p(params, url_key)
        found = _VIRTUAL_HOST.fullmatch(url or "")
        if found:
            bucket, region, key = found.groups()
            params = {**params, url_key: [f"https://s3.{region}.amazonaws.com/{bucket}/{key}"]}
        return inner(params, body_key, url_key, label)

    helpers._resolve_document = resolve_document
