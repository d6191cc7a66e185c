"""The kinds that are there without a CustomResourceDefinition."""

from __future__ import annotations

from trainyard.doors.kube import events, schemas
from trainyard.doors.kube.kinds import Column, Form, Kind
from trainyard.ports.resources import Body, Collection

NAMESPACES = Collection("", "namespaces")
DEFINITIONS = Collection("apiextensions.k8s.io", "customresourcedefinitions")
AT_START = ("default", "kube-system", "kube-public")  # namespaces that every cluster has

_AGE = Column("Age", ".metadata.creationTimestamp", "date")


def _data_count(body: Body) -> int:
    return len(body.get("data") or {}) + len(body.get("binaryData") or {})


def _involved(body: Body) -> str:
    return _reference(body.get("involvedObject") or {})


def _regarding(body: Body) -> str:
    return _reference(body.get("regarding") or {})


def _reference(named: Body) -> str:
    return f"{str(named.get('kind', '')).lower()}/{named.get('name', '')}"


NAMESPACE = Kind(
    group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False, short_names=("ns",),
    status=True, free=True, columns=(Column("Status", ".status.phase"), _AGE), selectable=("status.phase",),
    schema=schemas.NAMESPACE,
)  # fmt: skip
CONFIG_MAP = Kind(
    group="", version="v1", kind="ConfigMap", plural="configmaps", short_names=("cm",), free=True,
    columns=(Column("Data", "", "integer", cell=_data_count), _AGE),
    schema=schemas.CONFIG_MAP,
)  # fmt: skip
SECRET = Kind(
    group="", version="v1", kind="Secret", plural="secrets", free=True, selectable=("type",),
    columns=(Column("Type", ".type"), Column("Data", "", "integer", cell=_data_count), _AGE),
    schema=schemas.SECRET,
)  # fmt: skip
EVENT = Kind(
    group="", version="v1", kind="Event", plural="events", short_names=("ev",), free=True,
    columns=(
        Column("Last Seen", ".lastTimestamp", "date"), Column("Type", ".type"), Column("Reason", ".reason"),
        Column("Object", "", cell=_involved), Column("Message", ".message"),
    ),
    selectable=(
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
        "reason", "reportingComponent", "source", "type",
    ),
    schema=schemas.EVENT,
)  # fmt: skip
NEW_EVENT = Kind(
    group="events.k8s.io", version="v1", kind="Event", plural="events", short_names=("ev",), free=True,
    stored_as=EVENT.collection, form=Form(read=events.to_new, store=events.to_core),
    columns=(
        Column("Last Seen", ".deprecatedLastTimestamp", "date"), Column("Type", ".type"), Column("Reason", ".reason"),
        Column("Object", "", cell=_regarding), Column("Message", ".note"),
    ),
    selectable=(
        "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion",
        "reason", "reportingController", "type",
    ),
    schema=schemas.NEW_EVENT,
)  # fmt: skip
LEASE = Kind(
    group="coordination.k8s.io", version="v1", kind="Lease", plural="leases",
    columns=(Column("Holder", ".spec.holderIdentity"), _AGE),
    schema=schemas.LEASE,
)  # fmt: skip
DEFINITION = Kind(
    group=DEFINITIONS.group, version="v1", kind="CustomResourceDefinition", plural=DEFINITIONS.resource,
    namespaced=False, short_names=("crd", "crds"), categories=("api-extensions",), status=True, counted=True,
    columns=(Column("Created At", ".metadata.creationTimestamp"),),
    schema=schemas.DEFINITION,
)  # fmt: skip
ACCESS_REVIEW = Kind(
    group="authorization.k8s.io", version="v1", kind="SelfSubjectAccessReview", plural="selfsubjectaccessreviews",
    namespaced=False, review=True, schema=schemas.ACCESS_REVIEW,
)  # fmt: skip
RULES_REVIEW = Kind(
    group="authorization.k8s.io", version="v1", kind="SelfSubjectRulesReview", plural="selfsubjectrulesreviews",
    namespaced=False, review=True, schema=schemas.RULES_REVIEW,
)  # fmt: skip
SUBJECT_REVIEW = Kind(
    group="authentication.k8s.io", version="v1", kind="SelfSubjectReview", plural="selfsubjectreviews",
    namespaced=False, review=True, schema=schemas.SUBJECT_REVIEW,
)  # fmt: skip
KINDS = (
    NAMESPACE, CONFIG_MAP, SECRET, EVENT, NEW_EVENT, LEASE, DEFINITION, ACCESS_REVIEW, RULES_REVIEW, SUBJECT_REVIEW
)  # fmt: skip
