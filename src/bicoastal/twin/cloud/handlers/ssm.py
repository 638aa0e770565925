"""Systems Manager's documents: kept with their versions, and checked as Systems Manager does when it takes them.

Running them is the automation controller's work; it reads them here like any other client.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

import yaml

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Made, ResourceType, ServiceError, Table, Wanted
from bicoastal.twin.cloud.rights import Check, Request, tag_keys

Json = Any
Record = dict[str, Json]

_SCHEMA_VERSIONS = {
    "Command": ("1.2", "2.0", "2.2"),
    "Automation": ("0.3",),
    "Session": ("1.0",),
    "Policy": ("2.0",),
}
MOST_BYTES = 64 * 1024
_SHARED_NAMES = ("aws-", "amazon", "amzn", "aws:")


class Document(ResourceType):
    """A document; a new content is a new version, which becomes the default one."""

    type = "AWS::SSM::Document"

    def create(self, wanted: Wanted) -> Made:
        """Make it. A name that is taken, or a content that cannot be a document of its type, is refused."""
        name = wanted.name("Name", max_len=128)
        put(
            name,
            wanted.get("Content"),
            wanted.get("DocumentType", "Command"),
            wanted.get("DocumentFormat", "JSON"),
            tags=wanted.tags,
        )
        return Made(name)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """A new version where UpdateMethod says so; otherwise the document is replaced, and its name is taken."""
        changed = {name for name in _VERSIONED if was.get(name) != wanted.get(name)}
        if changed:
            if wanted.get("UpdateMethod", "Replace") != "NewVersion":
                raise ServiceError(
                    "DocumentAlreadyExists",
                    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                    f"Rename {id_} and update the stack again.",
                )
            record = _document(id_)
            add_version(record, wanted.get("Content"), wanted.get("DocumentFormat", "JSON"))
            record["DefaultVersion"] = record["LatestVersion"]
        _tags()[id_] = dict(wanted.tags)
        return Made(id_)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it with all its versions."""
        DOCUMENTS.pop(id_, None)
        _tags().pop(id_, None)


_VERSIONED = ("Content", "DocumentFormat", "VersionName", "Requires", "Attachments")


def put(name: str, content: Json, kind: str, format_: str, *, tags: Mapping[str, str]) -> Record:
    """Make a document. Raises ServiceError as Systems Manager does."""
    if name in DOCUMENTS:
        raise ServiceError("DocumentAlreadyExists", f"Document with same name {name} already exists")
    if name.lower().startswith(_SHARED_NAMES):
        raise ServiceError("ValidationException", f"The name {name} is reserved for AWS")
    record: Record = {
        "Name": name,
        "DocumentType": kind,
        "Owner": emulator.account(),
        "CreatedDate": time.time(),
        "Versions": {},
        "LatestVersion": "0",
        "DefaultVersion": "1",
    }
    add_version(record, content, format_)
    DOCUMENTS[name] = record
    _tags()[name] = dict(tags)
    return record


def add_version(record: Record, content: Json, format_: str) -> str:
    """Add a version. Raises ServiceError for a content that is no document of the type."""
    text = content if isinstance(content, str) else json.dumps(content)
    _check(record["DocumentType"], text, format_)
    digest = hashlib.sha256(text.encode()).hexdigest()
    latest = record["Versions"].get(record["LatestVersion"])
    if latest and latest["Hash"] == digest:
        raise ServiceError("DuplicateDocumentContent", "The content of the association document matches another one")
    number = str(int(record["LatestVersion"]) + 1)
    record["Versions"][number] = {"Content": text, "Format": format_, "Hash": digest, "CreatedDate": time.time()}
    record["LatestVersion"] = number
    return number


def _check(kind: str, text: str, format_: str) -> None:
    if len(text.encode()) > MOST_BYTES:
        raise ServiceError("MaxDocumentSizeExceeded", f"The size limit of a document is {MOST_BYTES // 1024} KB.")
    content = parsed(text, format_)
    if not isinstance(content, dict) or "schemaVersion" not in content:
        raise ServiceError("InvalidDocumentContent", "The document has no schemaVersion.")
    known = _SCHEMA_VERSIONS.get(kind)
    if known and str(content["schemaVersion"]) not in known:
        raise ServiceError(
            "InvalidDocumentSchemaVersion", f"Schema version {content['schemaVersion']} is not one of {kind}: {known}"
        )
    needed = {"Automation": "mainSteps", "Session": "sessionType"}.get(kind)
    if kind == "Command":
        needed = "runtimeConfig" if str(content["schemaVersion"]) == "1.2" else "mainSteps"
    if needed and needed not in content:
        raise ServiceError("InvalidDocumentContent", f"The document has no {needed}.")
    _check_steps(kind, content)


def _check_steps(kind: str, content: Record) -> None:
    """Names are given once, and a step leads only to steps that are there."""
    steps = content.get("mainSteps") or []
    names = [step.get("name") for step in steps]
    if len(set(names)) < len(names):
        raise ServiceError("InvalidDocumentContent", "The names of the steps are not unique.")
    for step in steps:
        if not step.get("name") or not step.get("action"):
            raise ServiceError("InvalidDocumentContent", "A step has no name, or no action.")
        if kind == "Automation":
            for follower in _followers(step):
                if follower not in names:
                    raise ServiceError("InvalidDocumentContent", f"Step {step['name']} leads to {follower}: no step.")


def _followers(step: Record) -> list[str]:
    found = [step[name] for name in ("nextStep",) if name in step]
    for name in ("onFailure", "onCancel"):
        value = str(step.get(name, ""))
        if value.startswith("step:"):
            found.append(value.removeprefix("step:").strip())
    choices = (step.get("inputs") or {}).get("Choices") or []
    found += [choice["NextStep"] for choice in choices if "NextStep" in choice]
    if "Default" in (step.get("inputs") or {}) and step["action"] == "aws:branch":
        found.append(step["inputs"]["Default"])
    return found


def parsed(text: str, format_: str) -> Json:
    """The content as a document. Raises ServiceError where it cannot be read."""
    try:
        return json.loads(text) if format_ == "JSON" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ServiceError("InvalidDocumentContent", f"The content is no {format_}: {error}") from error


def _document(name: str) -> Record:
    found: Record | None = DOCUMENTS.get(name.rpartition("document/")[2])
    if found is None:
        raise ServiceError("InvalidDocument", f"Document with name {name} does not exist.")
    return found


def version_number(record: Record, wanted: str | None) -> str:
    """The number of a version of a document, of the default one for None. Raises ServiceError where there is none."""
    named = {None: record["DefaultVersion"], "$DEFAULT": record["DefaultVersion"], "$LATEST": record["LatestVersion"]}
    number = str(named.get(wanted, wanted))
    if number not in record["Versions"]:
        raise ServiceError("InvalidDocumentVersion", f"{record['Name']} has no version {number}.")
    return number


def _described(record: Record, version: str | None = None) -> Record:
    number = version_number(record, version)
    kept = record["Versions"][number]
    content = parsed(kept["Content"], kept["Format"])
    return {
        "Name": record["Name"],
        "DocumentType": record["DocumentType"],
        "DocumentFormat": kept["Format"],
        "DocumentVersion": number,
        "DefaultVersion": record["DefaultVersion"],
        "LatestVersion": record["LatestVersion"],
        "Owner": record["Owner"],
        "CreatedDate": kept["CreatedDate"],
        "Status": "Active",
        "Hash": kept["Hash"],
        "HashType": "Sha256",
        "SchemaVersion": str(content["schemaVersion"]),
        "Description": content.get("description", ""),
        "PlatformTypes": ["Linux"],
        "Parameters": [
            {
                "Name": name,
                "Type": value.get("type", "String"),
                "Description": value.get("description", ""),
                **({"DefaultValue": str(value["default"])} if "default" in value else {}),
            }
            for name, value in (content.get("parameters") or {}).items()
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in _tags().get(record["Name"], {}).items()],
    }


def _get(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = _document(request["Name"])
    number = version_number(record, request.get("DocumentVersion"))
    kept = record["Versions"][number]
    return {
        "Name": record["Name"],
        "DocumentVersion": number,
        "Status": "Active",
        "Content": kept["Content"],
        "DocumentType": record["DocumentType"],
        "DocumentFormat": kept["Format"],
    }


def _create(request: Mapping[str, Json]) -> Mapping[str, Json]:
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", ())}
    record = put(
        request["Name"],
        request["Content"],
        request.get("DocumentType", "Command"),
        request.get("DocumentFormat", "JSON"),
        tags=tags,
    )
    return {"DocumentDescription": _described(record)}


def _update(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = _document(request["Name"])
    number = add_version(record, request["Content"], request.get("DocumentFormat", "JSON"))
    return {"DocumentDescription": _described(record, number)}


def _set_default(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = _document(request["Name"])
    record["DefaultVersion"] = version_number(record, request["DocumentVersion"])
    return {"Description": {"Name": record["Name"], "DefaultVersion": record["DefaultVersion"]}}


def _delete(request: Mapping[str, Json]) -> Mapping[str, Json]:
    name = _document(request["Name"])["Name"]
    DOCUMENTS.pop(name)
    _tags().pop(name, None)
    return {}


def _list(request: Mapping[str, Json]) -> Mapping[str, Json]:
    found = [_described(record) for record in DOCUMENTS.values()]
    for condition in request.get("Filters", ()):
        if condition["Key"] not in ("Name", "DocumentType", "Owner"):
            raise ServiceError("InvalidFilterKey", f"The filter {condition['Key']} is unknown here")
        if condition["Key"] == "Owner":
            continue  # all are the account's own
        wanted = tuple(condition["Values"])
        found = [item for item in found if str(item[condition["Key"]]).startswith(wanted)]
    return {"DocumentIdentifiers": found}


def _may_use(request: Request) -> list[Check]:
    name = str(request.data.get("Name", "*")).rpartition("document/")[2]
    return [Check(request.arn("ssm", f"document/{name}"), tag_keys("aws:ResourceTag", _tags().get(name, {})))]


def _tags() -> Table:
    """Where Systems Manager's calls for tags look: a document's by its name."""
    return emulator.store("ssm", "_tags")


DOCUMENTS = emulator.new_table("ssm_documents")
TYPES = (Document(),)
RIGHTS = {
    f"ssm:{action}": _may_use
    for action in (
        "CreateDocument", "UpdateDocument", "UpdateDocumentDefaultVersion", "DeleteDocument", "GetDocument",
        "DescribeDocument",
    )
}  # fmt: skip
ACTIONS = {
    "CreateDocument": _create,
    "UpdateDocument": _update,
    "UpdateDocumentDefaultVersion": _set_default,
    "DeleteDocument": _delete,
    "GetDocument": _get,
    "DescribeDocument": lambda request: {
        "Document": _described(_document(request["Name"]), request.get("DocumentVersion"))
    },
    "ListDocuments": _list,
}
