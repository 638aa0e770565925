"""What a launch template boots: cloud-config read as files, units, packages and the CloudWatch agent's configuration.

Read, never run. A shell script is kept as text, so that a row can say what it cannot tell.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.functions import decoded, to_json
from bicoastal.core.documents import parse
from bicoastal.core.errors import InputError


@dataclass(frozen=True)
class Machine:
    """What an instance finds when it boots."""

    template: Resource
    text: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Path to content, names of resources written out."""
    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    unreadable: str = ""
    """Why the user data cannot be read, or empty."""

    @property
    def units(self) -> dict[str, str]:
        """Units of systemd by file name."""
        return {
            path.rpartition("/")[2]: text
            for path, text in self.files.items()
            if re.search(r"/systemd/system/[^/]+\.(service|timer|socket)$", path)
        }

    @property
    def agent(self) -> Mapping[str, Any]:
        """The CloudWatch agent's configuration, merged over its files; empty if there is none."""
        merged: dict[str, Any] = {}
        for text in self.files.values():
            if '"metrics_collected"' in text or '"logs_collected"' in text:
                try:
                    data = json.loads(text)
                except ValueError:
                    continue
                if isinstance(data, dict):
                    merged.update(data)
        return merged

    @property
    def everything(self) -> str:
        """All of it as one text, for looking up ports, paths and names."""
        return "\n".join([self.text, *self.files.values()])


def machine_of(deployment: Deployment, template: Resource) -> Machine:
    """Read a launch template's user data."""
    value = template.get("LaunchTemplateData", "UserData", default=template.get("UserData"))
    if value is None:
        return Machine(template, "", unreadable="it has no user data")
    text = deployment.spelled(decoded(value))
    if not text.startswith("#cloud-config"):
        files = {**_initialized(deployment, template), **_heredocs(text)}
        return Machine(template, text, files, commands=tuple(text.splitlines()))
    try:
        document = parse(text, "user data", max_bytes=64 * 1024)
    except InputError as error:
        return Machine(template, text, unreadable=str(error))
    config = document.value
    if document.findings or not isinstance(config, Mapping):
        why = document.findings[0].title if document.findings else "it is no mapping"
        return Machine(template, text, unreadable=f"its cloud-config cannot be read: {why}")
    files = {
        str(item.get("path")): _content(item) for item in config.get("write_files") or [] if isinstance(item, Mapping)
    }
    commands = [
        " ".join(map(str, item)) if isinstance(item, list) else str(item)
        for key in ("bootcmd", "runcmd")
        for item in config.get(key) or []
    ]
    packages = tuple(str(item) for item in config.get("packages") or [])
    return Machine(template, text, files, packages, tuple(commands))


_HEREDOC = re.compile(
    r"""^[^\n#]*?(?:cat\s*(?:>|>>)\s*(?P<into>\S+)\s*<<|tee\s+(?:-a\s+)?(?P<tee>\S+)[^\n]*?<<|<<)-?\s*"""
    r"""(?P<quote>['"]?)(?P<mark>\w+)(?P=quote)(?:\s*>{1,2}\s*(?P<after>\S+))?[^\n]*\n(?P<text>.*?)^\s*(?P=mark)\s*$""",
    re.MULTILINE | re.DOTALL,
)


def _heredocs(text: str) -> dict[str, str]:
    """Files that a shell script writes with `cat > path <<EOF` and the like."""
    found = {}
    for match in _HEREDOC.finditer(text):
        path = match["into"] or match["tee"] or match["after"]
        if path:
            found[path.strip("\"'")] = match["text"]
    return found


def _initialized(deployment: Deployment, template: Resource) -> dict[str, str]:
    """Files that `cfn-init` writes, from the resource's own metadata."""
    metadata = template.attribute("Metadata")
    init = metadata.get("AWS::CloudFormation::Init") if isinstance(metadata, dict) else None
    found = {}
    for config in init.values() if isinstance(init, dict) else ():
        files = config.get("files") if isinstance(config, dict) else None
        for path, body in files.items() if isinstance(files, dict) else ():
            content = body.get("content") if isinstance(body, dict) else None
            if content is not None:
                plain = to_json(content) if isinstance(content, dict | list) else content
                found[str(path)] = deployment.spelled(plain)
    return found


def _content(item: Mapping[str, Any]) -> str:
    content = str(item.get("content", ""))
    encoding = str(item.get("encoding", ""))
    try:
        data = base64.b64decode(content) if encoding in ("b64", "base64", "gz+b64", "gzip+base64", "gz+base64") else b""
        if encoding.startswith("gz"):
            # Bounded: a file of a template is never larger.
            data = zlib.decompressobj(wbits=31).decompress(data, 1 << 20)
        return data.decode() if encoding else content
    except (ValueError, gzip.BadGzipFile, zlib.error):
        return content
