"""The Resource Groups Tagging API, without a deployment: pages, what it refuses, and whose rights it asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloudformation import Account, client

HOME, STANDBY = "us-east-1", "us-west-2"


def test_answers_come_in_pages_of_what_is_asked_for(account: Account) -> None:
    sns, tagging = account.client("sns"), _tagging(account)
    made = {_topic(account, f"paged-{number}", {"page": "yes"}) for number in range(5)}
    sns.create_topic(Name="never-tagged")
    pages = list(
        tagging.get_paginator("get_resources").paginate(
            TagFilters=[{"Key": "page", "Values": ["yes"]}], ResourcesPerPage=2
        )
    )
    assert [len(page["ResourceTagMappingList"]) for page in pages] == [2, 2, 1]
    assert {item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"]} == made
    everything = tagging.get_resources(ResourceTypeFilters=["sns"])["ResourceTagMappingList"]
    assert not any("never-tagged" in item["ResourceARN"] for item in everything)
    with pytest.raises(ClientError, match="ResourcesPerPage"):
        tagging.get_resources(ResourcesPerPage=101)


def test_a_bucket_keeps_what_it_had(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="kept-tags")
    s3.put_bucket_tagging(Bucket="kept-tags", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    tagging, arn = _tagging(account), "arn:aws:s3:::kept-tags"
    assert tagging.tag_resources(ResourceARNList=[arn], Tags={"b": "2"})["FailedResourcesMap"] == {}
    assert s3.get_bucket_tagging(Bucket="kept-tags")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2"},
    ]
    assert tagging.untag_resources(ResourceARNList=[arn], TagKeys=["a", "never"])["FailedResourcesMap"] == {}
    assert s3.get_bucket_tagging(Bucket="kept-tags")["TagSet"] == [{"Key": "b", "Value": "2"}]


def test_what_does_not_exist_is_named_and_the_rest_is_changed(account: Account) -> None:
    tagging, topic = _tagging(account), _topic(account, "there", {"a": "1"})
    absent = [topic.replace("there", "absent"), _arn(account, "ec2", "vpc/vpc-0"), _arn(account, "rds", "db:none")]
    failed = tagging.tag_resources(ResourceARNList=[*absent, topic], Tags={"a": "2"})["FailedResourcesMap"]
    assert {arn: why["ErrorCode"] for arn, why in failed.items()} == dict.fromkeys(absent, "InvalidParameterException")
    assert account.client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "2"}]


def test_another_region_and_keys_of_aws_are_refused(account: Account) -> None:
    topic = _topic(account, "here", {"a": "1"})
    with pytest.raises(ClientError, match="does not match with the region"):
        _tagging(account, STANDBY).tag_resources(ResourceARNList=[topic], Tags={"a": "2"})
    with pytest.raises(ClientError, match="aws:"):
        _tagging(account).tag_resources(ResourceARNList=[topic], Tags={"aws:mine": "1"})


def test_each_service_s_own_right_is_asked_for(account: Account) -> None:
    iam = account.client("iam")
    iam.create_user(UserName="tagger")
    key = iam.create_access_key(UserName="tagger")["AccessKey"]
    condition = {"ForAllValues:StringEquals": {"aws:TagKeys": ["mode"]}}
    allowed = [
        {"Effect": "Allow", "Action": "tag:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "sns:TagResource", "Resource": "*", "Condition": condition},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_user_policy(UserName="tagger", PolicyName="may", PolicyDocument=policy)
    url, keys = account.endpoint.url, (key["AccessKeyId"], key["SecretAccessKey"])
    tagging = client(url, *keys, service="resourcegroupstaggingapi", region=HOME)
    topic = _topic(account, "guarded", {"a": "1"})
    vpc = account.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    network = _arn(account, "ec2", f"vpc/{vpc}")
    refused = tagging.tag_resources(ResourceARNList=[topic, network], Tags={"mode": "failover"})["FailedResourcesMap"]
    assert {arn: why["ErrorCode"] for arn, why in refused.items()} == {network: "AccessDeniedException"}
    assert "ec2:CreateTags" in refused[network]["ErrorMessage"]
    assert topic in tagging.tag_resources(ResourceARNList=[topic], Tags={"other": "1"})["FailedResourcesMap"]
    assert topic in tagging.untag_resources(ResourceARNList=[topic], TagKeys=["mode"])["FailedResourcesMap"]
    found = account.client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"]
    assert found == [{"Key": "a", "Value": "1"}, {"Key": "mode", "Value": "failover"}]


def _tagging(account: Account, region: str = HOME) -> Any:
    return account.client("resourcegroupstaggingapi", region)


def _topic(account: Account, name: str, tags: dict[str, str]) -> str:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    return str(account.client("sns").create_topic(Name=name, Tags=listed)["TopicArn"])


def _arn(account: Account, service: str, resource: str) -> str:
    number = account.client("sts").get_caller_identity()["Account"]
    return f"arn:aws:{service}:{HOME}:{number}:{resource}"
