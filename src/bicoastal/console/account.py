"""Credentials of the console's own on a twin: the account's root, whom every use alarms, would watch it otherwise."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.twin.cloud.process import Endpoint

USER = "bicoastal-console"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_REGION = "us-east-1"
"""Of IAM's control plane."""


def credentials(endpoint: Endpoint, keep: Path) -> tuple[str, str]:
    """Access key and secret, as they were kept, or of a user that is made now. Raises SystemFault."""
    root = Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key, attempts=2)
    client = root.client("iam", _REGION)
    with aws_faults("making the console's credentials"):
        try:
            kept = json.loads(keep.read_text())
            known = client.list_access_keys(UserName=USER)["AccessKeyMetadata"]
            if kept["key"] in [item["AccessKeyId"] for item in known]:
                return str(kept["key"]), str(kept["secret"])
        except (OSError, ValueError, KeyError, client.exceptions.NoSuchEntityException):
            # None was kept, or it is of a twin that is gone.
            pass
        try:
            with aws_faults("making the console's user"):
                client.create_user(UserName=USER)
        except ApiFault as fault:
            if fault.code != "EntityAlreadyExists":
                raise
            for item in client.list_access_keys(UserName=USER)["AccessKeyMetadata"]:
                client.delete_access_key(UserName=USER, AccessKeyId=item["AccessKeyId"])
        client.put_user_policy(UserName=USER, PolicyName="everything", PolicyDocument=json.dumps(_EVERYTHING))
        made = client.create_access_key(UserName=USER)["AccessKey"]
    with os.fdopen(os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"key": made["AccessKeyId"], "secret": made["SecretAccessKey"]}, file)
    return made["AccessKeyId"], made["SecretAccessKey"]
