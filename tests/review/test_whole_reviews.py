"""Whole reviews and budgets of broken, cut and strange files end with words, quickly, and never with a traceback."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.load import read_all
from bicoastal.core.errors import InputError
from bicoastal.costs.estimate import estimate
from bicoastal.resilience.outcomes import outcomes
from bicoastal.review.demand import Demand, single_region_web, two_region_web
from bicoastal.review.drawing import as_svg
from bicoastal.review.formats.exchange import as_github, as_junit, as_sarif
from bicoastal.review.formats.html import as_html
from bicoastal.review.formats.text import as_text
from bicoastal.review.reviewed import review
from bicoastal.review.topology import topology
from tests.support.specs import spec

TEXTS = {stack.kind: stack.to_yaml() for stack in compose(spec()).stacks}
PATIENCE_S = 30.0
"""Five seconds is the bar; the machine that tests run on may be busy with others."""


def everything(files: Mapping[str, str | bytes], demand: Demand) -> None:
    """Every form of a review, the budget and the drawing."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        begun = time.monotonic()
        try:
            reading = read_all([Path(folder)], {"*": "us-east-1,us-west-2"})
        except InputError:
            return
        done = review(reading, lambda _: demand)
        list(as_text(done.rows, done.deployment, done.findings, demand=demand, source="a test"))
        for write in (as_sarif, as_junit, as_github):
            write(done.rows, done.findings, done.deployment)
        as_html(done, done.findings, source="a test")
        as_svg(topology(done.case))
        estimate(done.deployment)
        outcomes(done.deployment)
        assert time.monotonic() - begun < PATIENCE_S


@given(st.sampled_from(sorted(TEXTS)), st.floats(0, 1), st.binary(max_size=6), st.booleans())
@settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_cut_and_scratched_files(kind: str, where: float, scratch: bytes, cut: bool) -> None:
    data = TEXTS[kind].encode()
    place = int(where * len(data))
    rest = b"" if cut else data[place + len(scratch) :]
    everything({"scratched.yaml": data[:place] + scratch + rest, "sound.yaml": TEXTS["zone"]}, two_region_web())


words = st.sampled_from(
    [
        "Ref",
        "Fn::GetAtt",
        "Fn::If",
        "Fn::Sub",
        "Fn::ForEach::X",
        "Type",
        "Properties",
        "AWS::S3::Bucket",
        "A",
        "${A}",
        "",
    ]
)
nodes = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(words, nodes, max_size=4), nodes, nodes)
@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_nonsense_in_every_section(resources: dict[str, Any], conditions: Any, modules: Any) -> None:
    import json  # noqa: PLC0415

    body = {"Resources": {"B": {"Type": "AWS::CloudFormation::Stack", "Properties": resources}, **resources}}
    more = {"Conditions": conditions, "Parameters": conditions, "Modules": modules, "Outputs": modules}
    everything({"t.json": json.dumps({**body, **more})}, single_region_web())


def test_ten_thousand_resources_and_conditions_in_a_circle() -> None:
    many = "".join(f"  T{number}: {{Type: AWS::SNS::Topic, Condition: C}}\n" for number in range(5_000))
    # In two regions: ten thousand in all.
    circle = "Conditions: {C: !Not [!Condition D], D: !Not [!Condition C]}\n"
    everything({"many.yaml": f"{circle}Resources:\n{many}"}, two_region_web())
