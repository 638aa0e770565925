"""Buckets' configurations: what a template says of encryption, lifecycle, ownership, logging, replication and locks.

They are put through S3's own calls, in its XML, so that they are refused as S3 refuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bicoastal.twin.cloud import answers, emulator
from bicoastal.twin.cloud.answers import Repeated
from bicoastal.twin.cloud.registry import Wanted

Json = Any
Record = dict[str, Json]
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def configure(bucket: str, wanted: Wanted) -> None:
    """Put what the template says; a configuration that it no longer says is taken away."""
    for property_, (root, put, store, document) in _CONFIGURATIONS.items():
        given = wanted.get(property_)
        if not given:
            if store:
                emulator.store("s3", store).pop(bucket, None)
            continue
        body = f'<{root} xmlns="{_NAMESPACE}">{answers.xml(document(given))}</{root}>'
        status, _, answer = emulator.of_service("s3", put)(bucket, body.encode())[:3]
        answers.refuse(status, answer if isinstance(answer, bytes) else str(answer).encode())
    emulator.store("s3", "_bucket_tags")[bucket] = dict(wanted.tags)


def _encryption(given: Mapping[str, Json]) -> Record:
    return {
        "Rule": Repeated(
            [
                {
                    "ApplyServerSideEncryptionByDefault": rule.get("ServerSideEncryptionByDefault"),
                    "BucketKeyEnabled": rule.get("BucketKeyEnabled"),
                }
                for rule in given["ServerSideEncryptionConfiguration"]
            ]
        )
    }


def _lifecycle(given: Mapping[str, Json]) -> Record:
    return {"Rule": Repeated([_lifecycle_rule(rule) for rule in given["Rules"]])}


def _lifecycle_rule(rule: Mapping[str, Json]) -> Record:
    noncurrent = rule.get("NoncurrentVersionExpiration")
    expiration = {
        "Days": rule.get("ExpirationInDays"),
        "Date": rule.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
    }
    return {
        "ID": rule.get("Id"),
        "Filter": {"Prefix": rule.get("Prefix", "")},
        "Status": rule["Status"],
        "Expiration": expiration if any(value is not None for value in expiration.values()) else None,
        "NoncurrentVersionExpiration": dict(noncurrent) if noncurrent else None,
        "AbortIncompleteMultipartUpload": rule.get("AbortIncompleteMultipartUpload"),
        "Transition": Repeated(
            [
                {"Days": move.get("TransitionInDays"), "StorageClass": move["StorageClass"]}
                for move in rule.get("Transitions") or ()
            ]
        ),
    }


def _ownership(given: Mapping[str, Json]) -> Record:
    return {"Rule": Repeated([dict(rule) for rule in given["Rules"]])}


def _logging(given: Mapping[str, Json]) -> Record:
    return {
        "LoggingEnabled": {
            "TargetBucket": given.get("DestinationBucketName"),
            "TargetPrefix": given.get("LogFilePrefix", ""),
        }
    }


def _replication(given: Mapping[str, Json]) -> Record:
    return {"Role": given["Role"], "Rule": Repeated([_replication_rule(rule) for rule in given["Rules"]])}


def _replication_rule(rule: Mapping[str, Json]) -> Record:
    kept = {name: value for name, value in rule.items() if name not in ("Id", "Destination")}
    return {"ID": rule.get("Id"), **kept, "Destination": dict(rule["Destination"])}


def _lock(given: Mapping[str, Json]) -> Record:
    return dict(given)


_Document = Callable[[Mapping[str, Json]], Record]
_CONFIGURATIONS: dict[str, tuple[str, str, str, _Document]] = {
    "BucketEncryption": (
        "ServerSideEncryptionConfiguration",
        "_put_bucket_encryption",
        "_bucket_encryption",
        _encryption,
    ),
    "LifecycleConfiguration": ("LifecycleConfiguration", "_put_bucket_lifecycle", "_bucket_lifecycle", _lifecycle),
    "OwnershipControls": ("OwnershipControls", "_put_bucket_ownership_controls", "", _ownership),
    "LoggingConfiguration": ("BucketLoggingStatus", "_put_bucket_logging", "_bucket_logging_config", _logging),
    "ReplicationConfiguration": (
        "ReplicationConfiguration",
        "_put_bucket_replication",
        "_bucket_replication",
        _replication,
    ),
    "ObjectLockConfiguration": (
        "ObjectLockConfiguration",
        "_put_object_lock_configuration",
        "_bucket_object_lock",
        _lock,
    ),
}
"""Property to its XML root, S3's call, the table that keeps it, and how the document is made."""
