"""Structural schemas of the built-in kinds and of the metadata that every object has.

They are what validation prunes by, what `kubectl explain` prints and what OpenAPI publishes.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def _text(told: str = "", **rest: Any) -> Schema:
    return {"type": "string", **({"description": told} if told else {}), **rest}


def _time(told: str = "") -> Schema:
    return _text(told, format="date-time")


def _whole(told: str = "", width: str = "int32") -> Schema:
    return {"type": "integer", "format": width, **({"description": told} if told else {})}


def _flag(told: str = "") -> Schema:
    return {"type": "boolean", **({"description": told} if told else {})}


def _map(of: Schema, told: str = "") -> Schema:
    return {"type": "object", "additionalProperties": of, **({"description": told} if told else {})}


def _list(of: Schema, told: str = "", **rest: Any) -> Schema:
    return {"type": "array", "items": of, **({"description": told} if told else {}), **rest}


def _object(told: str, required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "description": told, "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def _kept(told: str = "") -> Schema:
    return {"type": "object", "description": told, "x-kubernetes-preserve-unknown-fields": True}


_KIND = {
    "apiVersion": _text("The group and version of this object's form."),
    "kind": _text("The kind of this object, in CamelCase."),
}
OWNER = _object(
    "An object that this one belongs to; when the last owner is gone, so is this one.",
    ("apiVersion", "kind", "name", "uid"),
    apiVersion=_text("The owner's group and version."), kind=_text("The owner's kind."), name=_text("Its name."),
    uid=_text("Its uid."), controller=_flag("Whether the owner manages this object."),
    blockOwnerDeletion=_flag("Whether the owner's foreground deletion waits for this object."),
)  # fmt: skip
MANAGER = _object(
    "The fields that one manager set.",
    apiVersion=_text("The version that the fields are told in."), fieldsType=_text("Always FieldsV1."),
    fieldsV1=_kept("The set of fields."), manager=_text("Who."), operation=_text("Apply or Update."),
    subresource=_text("Through which subresource."), time=_time("When."),
)  # fmt: skip
METADATA = _object(
    "What every stored object has.",
    name=_text("Unique within the namespace, for the kind."),
    generateName=_text("A prefix: the server appends five random characters to make the name."),
    namespace=_text("The namespace that the name is unique in."), uid=_text("Unique in time and space; the server's."),
    resourceVersion=_text("The revision of the last write; the server's."), selfLink=_text("No longer set."),
    generation=_whole("Counts the changes of what is wished for; the server's.", "int64"),
    creationTimestamp=_time("When it was stored first; the server's."),
    deletionTimestamp=_time("When its deletion was asked for; the server's."),
    deletionGracePeriodSeconds=_whole("The server's.", "int64"),
    labels=_map(_text(), "Short values to select by."), annotations=_map(_text(), "Any text, by key."),
    ownerReferences=_list(
        OWNER, "The owners.", **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
                                 "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "uid"}
    ),
    finalizers=_list(
        _text(), "Deletion waits until this list is empty.",
        **{"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"},
    ),
    managedFields=_list(
        MANAGER, "Which manager set which fields; the server's.", **{"x-kubernetes-list-type": "atomic"}
    ),
)  # fmt: skip
LIST_METADATA = _object(
    "What every list has.",
    resourceVersion=_text("The revision to watch from."), remainingItemCount=_whole("", "int64"),
    selfLink=_text("No longer set."), **{"continue": _text("Send it back for the next page.")},
)  # fmt: skip
REFERENCE = _object(
    "An object, named.",
    apiVersion=_text(), kind=_text(), namespace=_text(), name=_text(), uid=_text(), resourceVersion=_text(),
    fieldPath=_text(),
)  # fmt: skip
CONDITION = _object(
    "One aspect of the state.", ("type", "status"),
    type=_text(), status=_text(), reason=_text(), message=_text(), lastTransitionTime=_time(),
)  # fmt: skip
_BY_TYPE = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}


def _top(told: str, required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    return _object(told, required, **_KIND, metadata=METADATA, **properties)


NAMESPACE = _top(
    "A scope of names.",
    spec=_object("What is wished for.", finalizers=_list(_text(), "What must let go before the namespace is removed.")),
    status=_object(
        "How it stands.", phase=_text("Active or Terminating."), conditions=_list(CONDITION, "", **_BY_TYPE)
    ),
)
CONFIG_MAP = _top(
    "Configuration data for programs.",
    data=_map(_text(), "Texts by key."), binaryData=_map(_text(format="byte"), "Bytes by key, in base64."),
    immutable=_flag("Whether the data may no longer change."),
)  # fmt: skip
SECRET = _top(
    "Data that is nobody else's business, by key.",
    data=_map(_text(format="byte"), "Bytes by key, in base64."),
    stringData=_map(_text(), "Texts by key; only read, and stored in `data`."),
    type=_text("What the keys mean."), immutable=_flag("Whether the data may no longer change."),
)  # fmt: skip
_SOURCE = _object("Who reported it.", component=_text(), host=_text())
_SERIES = _object("A repeated event.", count=_whole(), lastObservedTime=_time())
EVENT = _top(
    "Something that happened to an object.", ("involvedObject",),
    involvedObject=REFERENCE, reason=_text("One word for it."), message=_text("A sentence for people."),
    source=_SOURCE, firstTimestamp=_time(), lastTimestamp=_time(), count=_whole("How often."),
    type=_text("Normal or Warning."), eventTime=_time(), series=_SERIES, action=_text(), related=REFERENCE,
    reportingComponent=_text(), reportingInstance=_text(),
)  # fmt: skip
NEW_EVENT = _top(
    "Something that happened to an object.",
    regarding=REFERENCE, reason=_text("One word for it."), note=_text("A sentence for people."),
    deprecatedSource=_SOURCE, deprecatedFirstTimestamp=_time(), deprecatedLastTimestamp=_time(),
    deprecatedCount=_whole("How often."), type=_text("Normal or Warning."), eventTime=_time(), series=_SERIES,
    action=_text(), related=REFERENCE, reportingController=_text(), reportingInstance=_text(),
)  # fmt: skip
LEASE = _top(
    "A claim that must be renewed.",
    spec=_object(
        "The claim.",
        holderIdentity=_text("Who holds it."), leaseDurationSeconds=_whole("How long it holds unrenewed."),
        acquireTime=_time(), renewTime=_time(), leaseTransitions=_whole("How often the holder changed."),
        strategy=_text(), preferredHolder=_text(),
    ),
)  # fmt: skip
_NAMES = _object(
    "What the kind is called.",
    plural=_text(), singular=_text(), kind=_text(), listKind=_text(), shortNames=_list(_text()),
    categories=_list(_text()),
)  # fmt: skip
_VERSION = _object(
    "One version of the kind.", ("name", "served", "storage"),
    name=_text(), served=_flag(), storage=_flag(), deprecated=_flag(), deprecationWarning=_text(),
    schema=_object("The form of the objects.", openAPIV3Schema=_kept("An OpenAPI v3 schema.")),
    subresources=_object("What has a path of its own.", status=_kept(), scale=_kept()),
    additionalPrinterColumns=_list(
        _object(
            "One column of a table.", ("name", "type", "jsonPath"),
            name=_text(), type=_text(), format=_text(), description=_text(), priority=_whole(), jsonPath=_text(),
        )
    ),
    selectableFields=_list(_object("A field for field selectors.", ("jsonPath",), jsonPath=_text())),
)  # fmt: skip
DEFINITION = _top(
    "A kind that this server is to serve.", ("spec",),
    spec=_object(
        "What is wished for.", ("group", "names", "scope", "versions"),
        group=_text(), names=_NAMES, scope=_text("Namespaced or Cluster."), versions=_list(_VERSION),
        conversion=_kept(), preserveUnknownFields=_flag(),
    ),
    status=_object(
        "How it stands.",
        conditions=_list(CONDITION, "", **_BY_TYPE), acceptedNames=_NAMES, storedVersions=_list(_text()),
    ),
)  # fmt: skip
_ATTRIBUTES = _object(
    "What somebody wants to do.",
    namespace=_text(), verb=_text(), group=_text(), version=_text(), resource=_text(), subresource=_text(),
    name=_text(),
)  # fmt: skip
ACCESS_REVIEW = _top(
    "Whether the caller may do something.",
    spec=_object("The question.", resourceAttributes=_ATTRIBUTES,
                 nonResourceAttributes=_object("A path.", path=_text(), verb=_text())),
    status=_object("The answer.", allowed=_flag(), denied=_flag(), reason=_text(), evaluationError=_text()),
)  # fmt: skip
RULES_REVIEW = _top(
    "What the caller may do in a namespace.",
    spec=_object("The question.", namespace=_text("Which one.")), status=_kept("The answer."),
)  # fmt: skip
SUBJECT_REVIEW = _top("Who the caller is.", status=_kept("The answer."))
