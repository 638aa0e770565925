"""Who acts for people on a twin: an IAM user who may do everything. Every use of the root user alarms, as on AWS."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import SystemFault
from bicoastal.twin.cloud.process import Endpoint

USER = "administrator"
_KEPT = "administrator.json"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_REGION = "us-east-1"
"""Of IAM's control plane."""


def administrator(folder: Path) -> Endpoint:
    """Where the API of the control plane in this folder answers, with his credentials. Raises SystemFault."""
    try:
        endpoint = Endpoint.read(folder)
        kept = json.loads((folder / _KEPT).read_text())
        return replace(endpoint, access_key_id=str(kept["key"]), secret_access_key=str(kept["secret"]))
    except (OSError, ValueError, KeyError) as error:
        raise SystemFault(f"{folder}: how to sign in to the twin cannot be read: {error}.") from error


def make_administrator(endpoint: Endpoint, folder: Path) -> Endpoint:
    """The same, with the user made where he is not known any more. Raises SystemFault."""
    client = Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, attempts=2).client(
        "iam", _REGION
    )
    with aws_faults("making the administrator"):
        try:
            with aws_faults("making the administrator's user"):
                client.create_user(UserName=USER)
        except ApiFault as fault:
            if fault.code != "EntityAlreadyExists":
                raise
        known = [item["AccessKeyId"] for item in client.list_access_keys(UserName=USER)["AccessKeyMetadata"]]
        try:
            found = administrator(folder)
            if found.access_key_id in known:
                return found
        except SystemFault:
            # None was kept, or it is of a twin that is gone.
            pass
        for key in known:
            client.delete_access_key(UserName=USER, AccessKeyId=key)
        client.put_user_policy(UserName=USER, PolicyName="everything", PolicyDocument=json.dumps(_EVERYTHING))
        made = client.create_access_key(UserName=USER)["AccessKey"]
    with os.fdopen(os.open(folder / _KEPT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}, file)
    return administrator(folder)
