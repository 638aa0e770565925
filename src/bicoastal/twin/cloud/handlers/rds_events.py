"""RDS's events: what DescribeEvents tells for two weeks, and what subscriptions send to a topic."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.answers import Items
from bicoastal.twin.cloud.handlers.rds_records import Record
from bicoastal.twin.cloud.registry import Made, ResourceType, ServiceError, Wanted

Json = Any

_KEPT = 500
_SERVICE = "events.rds.amazonaws.com"


def put_event(record: Record, message: str, *categories: str) -> None:
    """Something that DescribeEvents tells of it, and that goes to the topics of who subscribed to it."""
    events = emulator.store("rds", "_events")
    for key in list(events)[:-_KEPT]:
        del events[key]
    events[secrets.token_hex(16)] = {
        "SourceIdentifier": record["DBInstanceIdentifier"],
        "SourceType": "db-instance",
        "SourceArn": record["DBInstanceArn"],
        "Message": message,
        "Date": time.time(),
        "EventCategories": list(categories),
    }
    for subscription in SUBSCRIPTIONS.values():
        if _covers(subscription, record["DBInstanceIdentifier"], categories):
            _publish(subscription["SnsTopicArn"], record, message)


def _covers(subscription: Record, source: str, categories: tuple[str, ...]) -> bool:
    kind, sources, wanted = (subscription[name] for name in ("SourceType", "SourceIdsList", "EventCategoriesList"))
    return (
        bool(subscription["Enabled"])
        and kind in (None, "db-instance")
        and (not sources or source in sources)
        and (not wanted or bool(set(wanted) & set(categories)))
    )


def _publish(topic: str, record: Record, message: str) -> None:
    """As RDS does: a topic that is gone, or does not let it, takes nothing and nobody is told."""
    told = {
        "Event Source": "db-instance",
        "Event Time": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "Source ID": record["DBInstanceIdentifier"],
        "Source ARN": record["DBInstanceArn"],
        "Event Message": message,
    }
    if emulator.of_service("sns", "topic_policy_allows")(topic, _SERVICE, record["DBInstanceArn"], emulator.account()):
        emulator.of_service("sns", "publish_internal")(topic, json.dumps(told), "RDS Notification Message")


class EventSubscription(ResourceType):
    """Events of sources, to a topic."""

    type = "AWS::RDS::EventSubscription"

    def create(self, wanted: Wanted) -> Made:
        """Subscribe. RDS refuses sources that are not there, and categories that the source type does not have."""
        name = wanted.name("SubscriptionName", lowercase=True, max_len=255)
        if name in SUBSCRIPTIONS:
            raise ServiceError("SubscriptionAlreadyExist", f"Subscription {name} already exists.")
        self._put(name, wanted)
        return Made(name)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Sources, categories and topic change."""
        self._put(id_, wanted)
        return Made(id_)

    def delete(self, id_: str, was: Wanted) -> None:
        """End it."""
        record = SUBSCRIPTIONS.pop(id_, None)
        if record is not None:
            emulator.store("rds", "_tags").pop(record["EventSubscriptionArn"], None)

    def _put(self, name: str, wanted: Wanted) -> None:
        kind = wanted.get("SourceType")
        sources = wanted.get("SourceIds") or []
        if sources and not kind:
            raise ServiceError("InvalidParameterCombination", "SourceType is required with SourceIds.")
        if kind == "db-instance":
            for source in sources:
                if source not in emulator.store("rds", "_instances"):
                    raise ServiceError("SourceNotFound", f"Source {source} not found.", 404)
        arn = f"arn:aws:rds:{emulator.region()}:{emulator.account()}:es:{name}"
        SUBSCRIPTIONS[name] = {
            "CustSubscriptionId": name,
            "CustomerAwsId": emulator.account(),
            "SnsTopicArn": wanted.get("SnsTopicArn"),
            "Status": "active",
            "SourceType": kind,
            "SourceIdsList": list(sources),
            "EventCategoriesList": list(wanted.get("EventCategories") or ()),
            "Enabled": wanted.get("Enabled", True),
            "EventSubscriptionArn": arn,
        }
        emulator.store("rds", "_tags")[arn] = [{"Key": key, "Value": value} for key, value in wanted.tags.items()]


def _describe_subscriptions(request: Mapping[str, Json]) -> Mapping[str, Json]:
    name = request.get("SubscriptionName")
    if name and name not in SUBSCRIPTIONS:
        raise ServiceError("SubscriptionNotFound", f"Subscription {name} not found.", 404)
    found = [record for key, record in SUBSCRIPTIONS.items() if name in (None, key)]
    return {"EventSubscriptionsList": Items("EventSubscription", [_subscription_answer(record) for record in found])}


def _subscription_answer(record: Record) -> Record:
    return {
        **record,
        "SourceIdsList": Items("SourceId", record["SourceIdsList"]),
        "EventCategoriesList": Items("EventCategory", record["EventCategoriesList"]),
    }


SUBSCRIPTIONS = emulator.new_table("rds_event_subscriptions")
ACTIONS = {"DescribeEventSubscriptions": _describe_subscriptions}
