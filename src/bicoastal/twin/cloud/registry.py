"""How a handler becomes part of the API: resource types of CloudFormation, and actions of services.

A handler says what a resource is; that its properties are what AWS's schema accepts, that what they name exists, what a
change of each replaces, and that it bears its stack's tags, is done here for every type, ministack's own ones included.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bicoastal.twin.cloud import answers, emulator, planes, references, schemas
from bicoastal.twin.cloud.answers import Answer, ServiceError
from bicoastal.twin.cloud.changes import CHANGES
from bicoastal.twin.cloud.schemas import Refused

Json = Any


@dataclass(frozen=True)
class Wanted:
    """A resource as its template wants it, every value resolved and in its schema's type."""

    logical_id: str
    stack: str
    properties: Mapping[str, Json]
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those of its own, of its stack, and CloudFormation's."""

    def get(self, name: str, default: Json = None) -> Json:
        """A property."""
        return self.properties.get(name, default)

    def name(self, property_: str, **limits: Any) -> str:
        """The property, or the name that CloudFormation makes."""
        return str(self.properties.get(property_) or emulator.physical_name(self.stack, self.logical_id, **limits))


@dataclass(frozen=True)
class Made:
    """What CloudFormation remembers of a resource."""

    id: str
    """Its physical id, which `Ref` gives."""
    attributes: Mapping[str, str] = field(default_factory=dict)


class ResourceType(ABC):
    """A type that ministack lacks, or that it makes too little of."""

    type: ClassVar[str]
    plane: ClassVar[str] = ""
    """The data plane that makes it real: where it is attached, the handler runs on a worker thread and may wait."""

    @abstractmethod
    def create(self, wanted: Wanted) -> Made:
        """Make it. Raises Refused or ServiceError as AWS would."""

    @abstractmethod
    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Change it in place. A change that replaces it never comes here."""

    @abstractmethod
    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it; one that is gone already is no error."""

    def snapshot(self, id_: str, was: Wanted) -> None:  # noqa: B027 - most types have no data to keep
        """Keep its data before it is removed, where its deletion policy says so."""


class Fixed(ResourceType):
    """A type of which nothing but its tags can change in place."""

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Replace what has no other way to change: made anew under a new id."""
        self.delete(id_, was)
        return self.create(wanted)


Action = Callable[[Mapping[str, Json]], Mapping[str, Json]]
Report = Callable[[Mapping[str, Json]], Json]
"""What a controller says of what it runs, to what it is told in return."""


@dataclass(frozen=True)
class Unchanged:
    """The answer to a report after which nothing is different: no other controller needs to look."""

    answer: Json = None


REPORTS: dict[str, Report] = {}
"""By name, such as `rds.instance`; called in the region that the report names."""
QUESTIONS: dict[str, Report] = {}
"""The same for what a controller asks all at once, where that takes dozens of calls; they change nothing."""
Route = Callable[[str, str, Mapping[str, Json]], Answer | None]
"""Method, path and body of a REST call to its answer, or None where it is not ours."""


def register(kind: ResourceType) -> None:
    """Make a resource type known to CloudFormation."""
    provisioners = emulator.provisioners()
    tag = schemas.tag_property(kind.type)
    if tag:
        provisioners._STACK_TAG_PROPERTY.setdefault(kind.type, tag)

    def wanted(properties: Mapping[str, Json], stack: str = "", logical_id: str = "") -> Wanted:
        return Wanted(logical_id, stack, properties, _tags(tag, properties))

    def create(logical_id: str, properties: Mapping[str, Json], stack: str) -> tuple[str, dict[str, str]]:
        return _remembered(kind.create(wanted(properties, stack, logical_id)))

    def update(
        id_: str, was: Mapping[str, Json], new: Mapping[str, Json], stack: str, logical_id: str | None
    ) -> tuple[str, dict[str, str]]:
        name = logical_id or id_
        return _remembered(kind.update(id_, wanted(was, stack, name), wanted(new, stack, name)))

    provisioners._RESOURCE_HANDLERS[kind.type] = {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": lambda id_, was: kind.delete(id_, wanted(was)),
        "snapshot": lambda id_, was: kind.snapshot(id_, wanted(was)),
    }
    if kind.plane and planes.attached(kind.plane):
        _waiting.add(kind.type)


_waiting: set[str] = set()
"""Types that wait for their data plane."""


def extend(
    type_: str,
    *,
    before: Callable[[Wanted], None] | None = None,
    after: Callable[[str, Wanted], None] | None = None,
    translate: Callable[[Json], Json] = lambda properties: properties,
    plane: str = "",
) -> None:
    """Add a check before, or a step after, to a type of ministack's; or hand it the properties in another form.

    Where `plane` is attached the steps run on a worker thread, and may wait for it.
    """
    provisioners = emulator.provisioners()
    handler = provisioners._RESOURCE_HANDLERS[type_]
    inner_create, inner_update = handler["create"], handler["update"]
    with_id = handler.get("update_with_logical_id", False)
    tag = schemas.tag_property(type_)
    if tag and after:
        provisioners._STACK_TAG_PROPERTY.setdefault(type_, tag)

    def around(wanted: Wanted, act: Callable[[], tuple[str, dict[str, str]]]) -> tuple[str, dict[str, str]]:
        if before:
            before(wanted)
        id_, attributes = act()
        if after:
            after(id_, wanted)
        return id_, attributes

    def create(logical_id: str, properties: Mapping[str, Json], stack: str) -> tuple[str, dict[str, str]]:
        wanted = Wanted(logical_id, stack, properties, _tags(tag, properties))
        return around(wanted, lambda: inner_create(logical_id, translate(properties), stack))

    def update(
        id_: str, was: Mapping[str, Json], new: Mapping[str, Json], stack: str, logical_id: str | None = None
    ) -> tuple[str, dict[str, str]]:
        wanted = Wanted(logical_id or id_, stack, new, _tags(tag, new))
        more = (logical_id,) if with_id else ()
        return around(wanted, lambda: inner_update(id_, translate(was), translate(new), stack, *more))

    handler["create"], handler["update"] = create, update
    handler["update_with_logical_id"] = True
    if plane and planes.attached(plane):
        _waiting.add(type_)


def check_everything() -> None:
    """Put the schemas and the references before every creation and update; and what replaces into change sets."""
    stacks, provisioners = emulator.stacks(), emulator.provisioners()
    create, update, delete = stacks._provision_resource, stacks._update_resource, stacks._delete_resource
    waits = stacks._runs_on_worker_thread

    def checked_create(type_: str, logical_id: str, properties: Mapping[str, Json], stack: str) -> Any:
        return _counted(lambda: create(type_, logical_id, _admitted(type_, properties), stack))

    def checked_update(type_: str, id_: str, was: Mapping[str, Json], new: Mapping[str, Json], *others: Any) -> Any:
        if was == new:
            return update(type_, id_, was, new, *others)
        return _counted(lambda: update(type_, id_, _typed(type_, was), _admitted(type_, new), *others))

    def counted_delete(*arguments: Any, **options: Any) -> Any:
        return _counted(lambda: delete(*arguments, **options))

    stacks._provision_resource, stacks._update_resource = checked_create, checked_update
    stacks._delete_resource = counted_delete
    stacks._runs_on_worker_thread = lambda type_: type_ in _waiting or waits(type_)
    for type_ in provisioners._RESOURCE_HANDLERS:
        if type_ not in provisioners._REPLACING_PROPERTIES and schemas.schema_of(type_) is not None:
            always, conditionally = schemas.create_only(type_)
            provisioners._REPLACING_PROPERTIES[type_] = always
            provisioners._CONDITIONALLY_REPLACING_PROPERTIES.setdefault(type_, conditionally)


def _counted(act: Callable[[], Any]) -> Any:
    try:
        return act()
    finally:
        CHANGES.bump()


_GROUP = "AWS::AutoScaling::AutoScalingGroup"


def _admitted(type_: str, properties: Mapping[str, Json]) -> dict[str, Json]:
    typed = _typed(type_, properties, strict=True)
    references.check(type_, typed)
    return typed


def _typed(type_: str, properties: Mapping[str, Json], *, strict: bool = False) -> dict[str, Json]:
    """The properties in the schema's types; CloudFormation's own tags, which no template may write, stay out of it."""
    tag = schemas.tag_property(type_)
    own = dict(properties)
    system: Any = None
    if tag and tag[0] in own:
        own[tag[0]], system = _without_system_tags(own[tag[0]])
        if type_ == _GROUP and isinstance(own[tag[0]], list):
            # A stack's own tags come without it: CloudFormation lets a group's instances bear them.
            own[tag[0]] = [{"PropagateAtLaunch": True, **item} for item in own[tag[0]]]
        if system and not own[tag[0]]:
            del own[tag[0]]
    try:
        read = schemas.checked(type_, own)
    except Refused:
        if strict:
            raise
        return dict(properties)
    if tag and system:
        mine = read.get(tag[0])
        read[tag[0]] = {**(mine or {}), **system} if tag[1] == "map" else [*(mine or ()), *system]
    return read


def _without_system_tags(tags: Json) -> tuple[Json, Json]:
    if isinstance(tags, Mapping):
        mine = {key: value for key, value in tags.items() if not key.startswith("aws:")}
        return mine, {key: value for key, value in tags.items() if key.startswith("aws:")}
    mine_list = [tag for tag in tags if not str(tag.get("Key", "")).startswith("aws:")]
    return mine_list, [tag for tag in tags if str(tag.get("Key", "")).startswith("aws:")]


def _tags(tag: tuple[str, str] | None, properties: Mapping[str, Json]) -> dict[str, str]:
    found = properties.get(tag[0]) if tag else None
    if isinstance(found, Mapping):
        return {str(key): str(value) for key, value in found.items()}
    return {str(item["Key"]): str(item["Value"]) for item in found or () if "Value" in item}


def _remembered(made: Made) -> tuple[str, dict[str, str]]:
    return made.id, dict(made.attributes)


def ec2_actions(actions: Mapping[str, Action]) -> None:
    """Answer these actions of EC2 ourselves; they take the request as a document, and give the answer as one."""
    table = emulator.of_service("ec2", "_ACTION_MAP")
    for name, action in actions.items():
        table[name] = _ec2(name, action)


def _ec2(name: str, action: Action) -> Callable[[Mapping[str, Json]], Answer]:
    def answer(parameters: Mapping[str, Json]) -> Answer:
        try:
            return answers.ec2_answer(name, action(answers.unflatten(parameters)))
        except ServiceError as error:
            return answers.ec2_error(error)

    return answer


def query_actions(service: str, namespace: str, actions: Mapping[str, Action]) -> None:
    """Answer these actions of a service of the query protocol ourselves."""
    table = emulator.of_service(service, "_ACTION_MAP")
    for name, action in actions.items():
        table[name] = _query(name, namespace, action)


def _query(name: str, namespace: str, action: Action) -> Callable[[Mapping[str, Json]], Answer]:
    def answer(parameters: Mapping[str, Json]) -> Answer:
        try:
            return answers.query_answer(name, namespace, action(answers.unflatten(parameters)))
        except ServiceError as error:
            return answers.query_error(error, namespace)

    return answer


def json_actions(service: str, actions: Mapping[str, Action]) -> None:
    """Answer these actions of a service of the JSON protocol ourselves, and leave it the others."""
    handlers = emulator.service_handlers()
    inner = handlers[service]

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Json]
    ) -> Answer:
        action = actions.get(headers.get("x-amz-target", "").rpartition(".")[2])
        if action is None:
            found: Answer = await inner(method, path, headers, body, query)
            return found
        try:
            return answers.json_answer(action(json.loads(body or b"{}")))
        except ServiceError as error:
            return answers.json_error(error)

    handlers[service] = handle


def rest_routes(service: str, route: Route) -> None:
    """Answer those calls of a REST service that `route` knows, and leave it the others."""
    handlers = emulator.service_handlers()
    inner = handlers[service]

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Json]
    ) -> Answer:
        try:
            found = route(method, path, json.loads(body) if body.startswith(b"{") else {})
        except ServiceError as error:
            return answers.json_error(error)
        if found is None:
            found = await inner(method, path, headers, body, query)
        return found

    handlers[service] = handle


def reports(found: Mapping[str, Report]) -> None:
    """Take these reports from controllers."""
    REPORTS.update(found)


def questions(found: Mapping[str, Report]) -> None:
    """Answer these questions of controllers."""
    QUESTIONS.update(found)


def take_report(name: str, region: str, data: Mapping[str, Json]) -> Json:
    """Hand a controller's report to its handler. Raises ServiceError for one that nobody takes."""
    if name in QUESTIONS:
        with emulator.in_region(region):
            return QUESTIONS[name](data)
    if name not in REPORTS:
        raise ServiceError("UnknownReport", f"{name} is no report: {', '.join(sorted(REPORTS))} are", 404)
    with emulator.in_region(region):
        answer = REPORTS[name](data)
    if isinstance(answer, Unchanged):
        return answer.answer
    CHANGES.bump()
    return answer


Table = MutableMapping[str, Json]
__all__ = [
    "Fixed",
    "Made",
    "Refused",
    "Report",
    "ResourceType",
    "ServiceError",
    "Table",
    "Unchanged",
    "Wanted",
    "check_everything",
    "ec2_actions",
    "extend",
    "json_actions",
    "query_actions",
    "questions",
    "register",
    "reports",
    "rest_routes",
    "take_report",
]
