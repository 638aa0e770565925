"""Says in plain words what pydantic found in a spec: what is wrong, and what to write.

The words come from the model: descriptions, defaults and what each pattern asks for. A test holds every kind of error
that the model can raise against this page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bicoastal.spec.model import TAG, WORDS, Spec

Step = str | int
Words = tuple[str, str]
"""What is wrong, and what to write."""


def in_words(problem: Mapping[str, Any], path: tuple[Step, ...]) -> Words:
    """One of pydantic's error details, for the field at `path`."""
    kind, given = str(problem["type"]), problem["input"]
    if given is None and kind != "extra_forbidden":
        return "there is no value", f"{_what_to_write(path)} Or remove the key."
    for prefix, translate in _TRANSLATIONS.items():
        if kind.startswith(prefix):
            return translate(problem, path)
    for prefix, wanted in _KINDS.items():
        if kind.startswith(prefix):
            return f"{_shown(given)} is not {wanted}", _what_to_write(path)
    return f"{_shown(given)} does not fit: {problem['msg']}", _what_to_write(path)


def nearest_key(path: Sequence[Step]) -> str | None:
    """The key that an unknown one was probably meant to be."""
    model = _model_at(path[:-1])
    near = get_close_matches(str(path[-1]), list(model.model_fields) if model else [], 1, 0.6)
    return near[0] if near else None


def _missing(_problem: Mapping[str, Any], path: tuple[Step, ...]) -> Words:
    return "this is missing", _what_to_write(path)


def _does_not_fit(problem: Mapping[str, Any], _path: tuple[Step, ...]) -> Words:
    pattern = str(problem.get("ctx", {}).get("pattern", TAG))
    return f"{_shown(problem['input'])} does not fit", f"Write {WORDS[pattern]}."


def _too_long(problem: Mapping[str, Any], _path: tuple[Step, ...]) -> Words:
    return f"{len(problem['input'])} characters are too many", f"Write at most {problem['ctx']['max_length']}."


def _too_many(problem: Mapping[str, Any], _path: tuple[Step, ...]) -> Words:
    return f"{len(problem['input'])} are too many", f"Write at most {problem['ctx']['max_length']}."


def _too_small(problem: Mapping[str, Any], _path: tuple[Step, ...]) -> Words:
    return f"{_shown(problem['input'])} is too small", f"Write {problem['ctx']['ge']} or more."


def _too_large(problem: Mapping[str, Any], _path: tuple[Step, ...]) -> Words:
    return f"{_shown(problem['input'])} is too large", f"Write {problem['ctx']['le']} or less."


def _no_choice(problem: Mapping[str, Any], _path: tuple[Step, ...]) -> Words:
    given = problem["input"]
    return f"{_shown(given)} is not one of the choices", f"Write {_choices(problem['ctx']['expected'], given)}"


def _unknown_key(_problem: Mapping[str, Any], path: tuple[Step, ...]) -> Words:
    model = _model_at(path[:-1])
    key, known = str(path[-1]), list(model.model_fields) if model else []
    near = nearest_key(path)
    if near:
        return f"there is no key `{key}` here", f"Did you mean `{near}`?"
    elsewhere = [place for place in _every_path(Spec) if place[-1] == key]
    if elsewhere:
        return f"there is no key `{key}` here", f"Did you mean `{_dotted(elsewhere[0])}`? Move it there."
    return f"there is no key `{key}` here", f"Remove it; the keys here are: {', '.join(sorted(known))}."


def _network(problem: Mapping[str, Any], _path: tuple[Step, ...]) -> Words:
    from ipaddress import IPv4Network  # noqa: PLC0415 - only here

    given = problem["input"]
    try:
        wide = IPv4Network(given, strict=False)
    except (ValueError, TypeError):
        return f"{_shown(given)} is not a network", "Write an IPv4 network with its prefix, such as `10.10.0.0/16`."
    return f"{_shown(given)} has bits set beyond its prefix", f"Write `{wide}`."


_TRANSLATIONS: Final[Mapping[str, Callable[[Mapping[str, Any], tuple[Step, ...]], Words]]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "string_pattern_mismatch": _does_not_fit,
    "string_too_short": _does_not_fit,
    "string_too_long": _too_long,
    "too_long": _too_many,
    "greater_than_equal": _too_small,
    "less_than_equal": _too_large,
    "literal_error": _no_choice,
    "enum": _no_choice,
    "ip_v4_network": _network,
}
_KINDS: Final = {
    "int": "a whole number",
    "bool": "`true` or `false`",
    "string": "text",
    "model": "a group of keys",
    "dict": "a group of keys",
    "mapping": "a group of keys",
    "tuple": "a list",
    "list": "a list",
}


def _what_to_write(path: tuple[Step, ...]) -> str:
    """From the model: the field's own description, and an example."""
    field = _field_at(path)
    if field is None:
        return "See docs/spec.md."
    example = _EXAMPLES.get(_dotted(tuple(step for step in path if isinstance(step, str) and "-" not in step)))
    if example is None and field.default is not None and not field.is_required():
        default = field.get_default(call_default_factory=True, validated_data={})
        example = f"`{path[-1]}: {str(default).lower()}`" if isinstance(default, bool | int | str) else None
    about = (field.description or (_model_of(field).__doc__ if _model_of(field) else "") or "").split("\n\n")[0].strip()
    return f"Write {example}. {about}".strip() if example else about


_EXAMPLES: Final = {
    "name": "`name: orders`",
    "cost_center": '`cost_center: "4711"`',
    "domain": "`domain: orders.example.com`",
    "domain.name": "`name: orders.example.com`",
    "app": "`app:` and below it `command: ./server`",
    "app.command": "`command: ./server --port $PORT`",
    "regions.role": "`role: home` or `role: standby`",
    "regions.cidr": "`cidr: 10.10.0.0/16`",
    "alerts": "`alerts: [oncall@example.com]`",
    "residency.flows": "`flows: [writes]` or `flows: []`",
    "regions": "two regions below `regions:`, such as `us-east-1:` and `us-west-2:`",
}


def _choices(expected: str, given: Any) -> str:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    near = get_close_matches(given, choices, 1, 0.6) if isinstance(given, str) else []
    return "one of: " + ", ".join(choices) + "." + (f" Did you mean `{near[0]}`?" if near else "")


def _shown(value: Any) -> str:
    """A value as it may stand in a message: short."""
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds, itself or as the values of a mapping."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _model_at(path: Sequence[Step]) -> type[BaseModel] | None:
    """The model that holds the keys at `path`."""
    model: type[BaseModel] | None = Spec
    in_mapping = False
    for step in path:
        if in_mapping:
            in_mapping = False
            continue
        field = model.model_fields.get(str(step)) if model else None
        if field is None:
            return None
        model = _model_of(field)
        in_mapping = model is not None and model is not field.annotation
    return model


def _field_at(path: Sequence[Step]) -> FieldInfo | None:
    named = [step for step in path if isinstance(step, str)]
    while named:
        model = _model_at(named[:-1])
        if model is not None and named[-1] in model.model_fields:
            return model.model_fields[named[-1]]
        named.pop()
    return None


def _every_path(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        path = (*above, name)
        yield path
        inner = _model_of(field)
        if inner is not None:
            yield from _every_path(inner, path if inner is field.annotation else (*path, "<region>"))


def _dotted(path: Sequence[str]) -> str:
    return ".".join(path)
