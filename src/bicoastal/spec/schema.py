"""The JSON Schema of `bicoastal.yaml`, made from the model, for editors to complete and check while one types.

`python -m bicoastal.spec.schema` writes the shipped copy anew; a test fails while it is not current. It says what one
field may hold; what goes across fields, only `spec.load` can say. An unquoted number where text belongs it marks, and
`load` takes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bicoastal.spec.model import WORDS, Spec
from bicoastal.spec.offers import regions

SHIPPED: Final = Path(__file__).parent / "bicoastal.schema.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    made = Spec.model_json_schema()
    definitions = made.get("$defs", {})
    _domain_shorthand(made, definitions)
    made["properties"]["regions"].update(minProperties=2, maxProperties=2, propertyNames={"enum": list(regions())})
    body: dict[str, Any] = _tidy(made)
    return {"$schema": DIALECT, "title": "bicoastal.yaml", **{key: body[key] for key in body if key != "title"}}


def text() -> str:
    """The schema as the file is written."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _domain_shorthand(made: dict[str, Any], definitions: Mapping[str, Any]) -> None:
    """A domain may be its name alone."""
    name = {key: item for key, item in definitions["Domain"]["properties"]["name"].items() if key != "title"}
    field = made["properties"]["domain"]
    field.pop("$ref", None)
    field["anyOf"] = [name, {"$ref": "#/$defs/Domain"}]


def _tidy(node: Any) -> Any:
    """Without pydantic's titles, which say nothing; with words beside each pattern, which editors show."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy: dict[str, Any] = {
        key: {name: _tidy(item) for name, item in value.items()} if key in ("properties", "$defs") else _tidy(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str))
    }
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False
    if isinstance(tidy.get("description"), str):
        tidy["description"] = " ".join(tidy["description"].split())
    if tidy.get("pattern") in WORDS:
        tidy["patternErrorMessage"] = f"Write {WORDS[tidy['pattern']]}."
    if tidy.get("format") == "ipv4network":
        tidy["pattern"] = r"^([0-9]{1,3}\.){3}[0-9]{1,3}/(1[6-9]|2[0-2])$"
        tidy["patternErrorMessage"] = "Write a private IPv4 network from /16 to /22, such as `10.10.0.0/16`."
    return tidy


def main() -> None:
    """Write the shipped copy."""
    SHIPPED.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
