"""Puts what instances and CloudFormation fetch into a region's artifact bucket: whole, encrypted by it, once.

Every key but that of the database's certificates names its content, so that what is there need not be sent again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.deploy.package import Artifact

_DIGEST = "sha256"


def put(session: Session, region: str, bucket: str, artifact: Artifact) -> bool:
    """Upload an artifact unless the same content is there; returns whether it was sent."""
    digest = hashlib.sha256(artifact.content).hexdigest()
    client = session.client("s3", region)
    doing = f"uploading {artifact.key} to {bucket}"
    try:
        with aws_faults(doing):
            there = client.head_object(Bucket=bucket, Key=artifact.key)
        if there.get("Metadata", {}).get(_DIGEST) == digest:
            return False
    except ApiFault as fault:
        # S3 answers 403 for what is not there to those who may not list.
        if fault.code not in ("404", "403", "NoSuchKey", "NotFound"):
            raise
    with aws_faults(doing):
        client.put_object(
            Bucket=bucket,
            Key=artifact.key,
            Body=artifact.content,
            Metadata={_DIGEST: digest},
            ChecksumSHA256=base64.b64encode(bytes.fromhex(digest)).decode(),
        )
    return True


def put_template(session: Session, region: str, bucket: str, text: str) -> str:
    """Upload a template that is too long to be sent inline; returns the URL that CloudFormation reads it from."""
    content = text.encode()
    key = f"templates/{hashlib.sha256(content).hexdigest()[:32]}.yaml"
    put(session, region, bucket, Artifact(key, content))
    return f"{session.client('s3', region).meta.endpoint_url}/{bucket}/{key}"


def put_all(session: Session, region: str, bucket: str, artifacts: list[Artifact], note: Callable[[str], None]) -> bool:
    """Upload what is not there yet; returns whether anything was sent."""
    sent = False
    for artifact in artifacts:
        if put(session, region, bucket, artifact):
            note(f"uploaded {artifact.key}, {len(artifact.content) / 1024:,.0f} KiB")
            sent = True
    return sent
