"""Trails as a CloudFormation type."""

from __future__ import annotations

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Made, ResourceType, ServiceError, Wanted

_FIELDS = {
    "S3BucketName": "S3BucketName",
    "S3KeyPrefix": "S3KeyPrefix",
    "SnsTopicName": "SnsTopicName",
    "IncludeGlobalServiceEvents": "IncludeGlobalServiceEvents",
    "IsMultiRegionTrail": "IsMultiRegionTrail",
    "EnableLogFileValidation": "EnableLogFileValidation",
    "KMSKeyId": "KmsKeyId",
    "IsOrganizationTrail": "IsOrganizationTrail",
}
_TARGET = "CloudTrail_20131101"


class Trail(ResourceType):
    """A trail."""

    type = "AWS::CloudTrail::Trail"

    def create(self, wanted: Wanted) -> Made:
        """Make it, and start it. A multi-region trail must have the global events, and its bucket must let it write."""
        name = wanted.name("TrailName", max_len=128)
        _check(wanted)
        emulator.call("cloudtrail", f"{_TARGET}.CreateTrail", {"Name": name, **_request(wanted)})
        return self._complete(name, wanted)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """All but the name changes in place."""
        _check(wanted)
        emulator.call("cloudtrail", f"{_TARGET}.UpdateTrail", {"Name": id_, **_request(wanted)})
        return self._complete(id_, wanted)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it."""
        if id_ in emulator.store("cloudtrail", "_trails"):
            emulator.call("cloudtrail", f"{_TARGET}.DeleteTrail", {"Name": id_})

    def _complete(self, name: str, wanted: Wanted) -> Made:
        record = emulator.store("cloudtrail", "_trails")[name]
        for property_ in ("CloudWatchLogsLogGroupArn", "CloudWatchLogsRoleArn"):
            if wanted.get(property_):
                record[property_] = wanted.get(property_)
        verb = "StartLogging" if wanted.get("IsLogging") else "StopLogging"
        emulator.call("cloudtrail", f"{_TARGET}.{verb}", {"Name": name})
        if wanted.get("EventSelectors"):
            emulator.call(
                "cloudtrail",
                f"{_TARGET}.PutEventSelectors",
                {"TrailName": name, "EventSelectors": wanted.get("EventSelectors")},
            )
        emulator.store("cloudtrail", "_trail_tags")[record["TrailARN"]] = dict(wanted.tags)
        return Made(name, {"Arn": record["TrailARN"]})


def _request(wanted: Wanted) -> dict[str, object]:
    return {field: wanted.get(name) for name, field in _FIELDS.items() if wanted.get(name) is not None}


def _check(wanted: Wanted) -> None:
    if wanted.get("IsMultiRegionTrail") and wanted.get("IncludeGlobalServiceEvents") is False:
        raise ServiceError(
            "InvalidParameterCombinationException", "Multi-Region trail must include global service events."
        )
    if bool(wanted.get("CloudWatchLogsLogGroupArn")) != bool(wanted.get("CloudWatchLogsRoleArn")):
        raise ServiceError("InvalidParameterCombinationException", "A log group and a role are given together.")
    policy = str(emulator.store("s3", "_bucket_policies").get(wanted.get("S3BucketName"), ""))
    if "cloudtrail.amazonaws.com" not in policy or "s3:PutObject" not in policy:
        raise ServiceError(
            "InsufficientS3BucketPolicyException",
            f"Incorrect S3 bucket policy is detected for bucket: {wanted.get('S3BucketName')}",
        )


TYPES = (Trail(),)
