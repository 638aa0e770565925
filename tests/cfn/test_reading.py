"""Files as people have them: encodings, several regions, parameters, assemblies, and one bad file among good ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bicoastal.cfn.deployment import Change, Deployment
from bicoastal.cfn.load import SKIPPED, read_all, read_deployment
from bicoastal.cfn.parameters import from_file, given
from bicoastal.cfn.reader import parse_template
from bicoastal.cfn.values import Unknown
from bicoastal.core.errors import InputError

BUCKET = """\
Parameters:
  Name: {Type: String, Default: plain}
  Stage: {Type: String}
Conditions:
  Production: !Equals [!Ref Stage, production]
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Ref Name
      BucketEncryption: !If [Production, strict, none]
"""


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + BUCKET.encode(),
        BUCKET.replace("\n", "\r\n").encode(),
        b'{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "plain"}}}}',
    ],
    ids=["BOM", "CRLF", "JSON"],
)  # fmt: skip
def test_encodings_and_line_ends_change_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bucket.yaml").write_bytes(data)
    found = read_deployment([tmp_path / "bucket.yaml"])
    assert found.of_type("AWS::S3::Bucket")[0].get("BucketName") == "plain"
    assert found.findings == []


def test_anchors_and_merge_keys_are_written_out_and_repeated_keys_are_said() -> None:
    template = parse_template(
        "Common: &common {Type: AWS::SNS::Topic}\nResources:\n  A: {<<: *common}\n  B: *common\n  A: {Type: X}\n",
        "t.yaml",
    )
    assert {name: body["Type"] for name, body in template.section("Resources").items()} == {
        "A": "AWS::SNS::Topic", "B": "AWS::SNS::Topic",
    }  # fmt: skip
    assert [item.location.position.line for item in template.findings if item.location.position] == [5, 1]


def test_a_second_document_is_said_and_the_first_is_read(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(BUCKET + "---\n" + BUCKET)
    found = read_deployment([tmp_path])
    assert len(found.resources) == 1
    assert ["a second document begins here" in item.title for item in found.findings] == [True]


def test_files_of_others_in_a_folder_are_passed_over_with_a_word_and_without_an_error(tmp_path: Path) -> None:
    (tmp_path / "bucket.yaml").write_text(BUCKET)
    (tmp_path / "pods.yaml").write_text("kind: Pod\n---\nkind: Pod\n")
    (tmp_path / "chart.yaml").write_text("{{ if .Values.x }}\nResources: {{\n")
    (tmp_path / "parameters.json").write_text('[{"ParameterKey": "Name", "ParameterValue": "x"}]')
    (tmp_path / "manifest.json").write_text('{"manifest_version": 3, "name": "an extension"}')
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "other.yaml").write_text(BUCKET)
    found = read_deployment([tmp_path])
    assert list(found.stacks) == ["bucket/us-east-1"]
    assert {(item.rule, item.severity) for item in found.findings} == {(SKIPPED, "info")}
    assert len(found.findings) == 4


def test_one_bad_file_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"Resources: \xff AWS::")
    (tmp_path / "b.yaml").write_text("Resources:\n  A: {Type: AWS::SNS::Topic, [\n")
    (tmp_path / "c.yaml").write_text(BUCKET)
    (tmp_path / "d.json").write_text('{"Resources": {"A": {"Type": "AWS::SNS::Topic"')
    found = read_deployment([tmp_path])
    assert [stack.name for stack in found.stacks.values()] == ["c"]
    assert {Path(item.location.file).name for item in found.findings} == {"a.yaml", "b.yaml", "d.json"}
    assert {item.severity for item in found.findings} == {"error"}


def test_one_template_in_two_regions_is_two_stacks(tmp_path: Path) -> None:
    (tmp_path / "bucket.yaml").write_text(BUCKET)
    found = read_deployment([tmp_path], {"*": "us-east-1, us-west-2"}, given=[given("bucket.yaml@us-west-2:Name=west")])
    assert [item.get("BucketName") for item in found.resources] == ["plain", "west"]
    assert (found.home, found.standby) == ("us-east-1", "us-west-2")


@pytest.mark.parametrize(
    "text",
    [
        '[{"ParameterKey": "Name", "ParameterValue": "given"}, {"ParameterKey": "Stage", "UsePreviousValue": true}]',
        '{"Parameters": {"Name": "given"}}',
        "Name: given\nUnheard: 3\n",
    ],
)
def test_parameters_come_from_files_of_every_tool(tmp_path: Path, text: str) -> None:
    (tmp_path / "bucket.yaml").write_text(BUCKET)
    values = tmp_path / "values.txt"
    values.write_text(text)
    found = read_deployment([tmp_path], given=from_file(values))
    assert found.resources[0].get("BucketName") == "given"


@pytest.mark.parametrize(
    ("text", "why"), [("[1]", "not a file of parameters"), ("text", "not a file"), ("[]\n---\n[]", "second document")]
)
def test_a_file_without_parameters_is_an_input_error(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "values.json").write_text(text)
    with pytest.raises(InputError, match=why):
        from_file(tmp_path / "values.json")


def test_a_parameter_that_no_template_has_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "bucket.yaml").write_text(BUCKET)
    with pytest.raises(InputError, match=r"no template has a parameter Nmae[\s\S]*Name, Stage"):
        read_deployment([tmp_path], given=[given("Nmae=x")])
    with pytest.raises(ValueError, match="NAME=VALUE"):
        given("Name")


def test_what_is_read_once_can_be_asked_what_if(tmp_path: Path) -> None:
    (tmp_path / "bucket.yaml").write_text(BUCKET)
    reading = read_all([tmp_path])
    undecided = reading.deployment().resources[0].get("BucketEncryption")
    assert isinstance(undecided, Unknown)
    assert undecided.options == ("strict", "none")
    for held, value in ((True, "strict"), (False, "none")):
        made = reading.deployment(Change(conditions={("bucket/us-east-1", "Production"): held}))
        assert made.resources[0].get("BucketEncryption") == value


def test_a_dynamic_reference_is_no_value_that_a_condition_could_be_decided_by() -> None:
    template = parse_template(
        """\
Conditions:
  Big: !Equals ["{{resolve:ssm:/stage}}", production]
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Condition: Big
    Properties: {TopicName: "{{resolve:ssm:/name:1}}"}
""",
        "t.yaml",
    )
    found = Deployment.of_files([(template, "us-east-1")])
    assert found.resources[0].exists is None
    assert found.resources[0].get("TopicName") == "{{resolve:ssm:/name:1}}"


def test_a_cdk_assembly_brings_names_regions_parameters_and_common_tags(tmp_path: Path) -> None:
    out = tmp_path / "cdk.out"
    inner = out / "assembly-west"
    inner.mkdir(parents=True)
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": {"Ref": "Name"}}}
    template = {"Parameters": {"Name": {"Type": "String"}}, "Resources": {"B": bucket}}

    def stack(region: str, **properties: object) -> dict[str, object]:
        return {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://unknown-account/{region}",
            "properties": {"templateFile": "t.template.json", "tags": {"cost-center": "1"}, **properties},
        }

    for folder in (out, inner):
        (folder / "t.template.json").write_text(json.dumps(template))
    (inner / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": {"West": stack("us-west-2")}}))
    artifacts = {
        "East": stack("us-east-1", stackName="east", parameters={"Name": "n"}, tags={"cost-center": "1", "more": "2"}),
        "stage": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-west"}},
        "Tree": {"type": "cdk:tree"},
        "Open": stack("unknown-region"),
    }
    (out / "manifest.json").write_text(json.dumps({"version": "36.0.0", "artifacts": artifacts}))
    for path in (out, tmp_path, out / "manifest.json"):
        found = read_deployment([path], {"Open": "eu-west-1"})
        assert list(found.stacks) == ["east/us-east-1", "West/us-west-2", "Open/eu-west-1"]
        assert found.stacks["east/us-east-1"].resources["B"].get("BucketName") == "n"
        assert found.tags == {"cost-center": "1"}
