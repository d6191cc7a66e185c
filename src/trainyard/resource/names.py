"""The names that the TrainingJob resource goes by: ACK's own words, to the letter, and the few that are ours.

Whoever writes one of these into an object or looks for one there takes it from here.
"""

from __future__ import annotations

from enum import StrEnum

GROUP = "sagemaker.services.k8s.aws"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TrainingJob"
LIST_KIND = "TrainingJobList"
PLURAL = "trainingjobs"
SINGULAR = "trainingjob"
CRD_NAME = f"{PLURAL}.{GROUP}"

FINALIZER = f"finalizers.{GROUP}/{KIND}"


class Annotation(StrEnum):
    """Keys that ACK reads on a TrainingJob."""

    REGION = "services.k8s.aws/region"
    ADOPTION_POLICY = "services.k8s.aws/adoption-policy"
    ADOPTION_FIELDS = "services.k8s.aws/adoption-fields"
    ADOPTED = "services.k8s.aws/adopted"
    READ_ONLY = "services.k8s.aws/read-only"
    DELETION_POLICY = "services.k8s.aws/deletion-policy"


class OwnAnnotation(StrEnum):
    """Keys that ACK does not know."""

    MIRRORED = "trainyard/mirrored"  # the resource was made to show a job that another door took in
    PLACE = "trainyard/place"  # account/region that the job was to be made in, from before it was
    TTL = "trainyard/ttl-seconds-after-finished"  # the resource is deleted so long after its job ended


class NamespaceAnnotation(StrEnum):
    """Keys that ACK reads on a namespace."""

    DEFAULT_REGION = "services.k8s.aws/default-region"
    OWNER_ACCOUNT_ID = "services.k8s.aws/owner-account-id"
    TEAM_ID = "services.k8s.aws/team-id"
    ENDPOINT_URL = "services.k8s.aws/endpoint-url"
    DELETION_POLICY = f"{GROUP}/deletion-policy"


class AdoptionPolicy(StrEnum):
    """Values of `adoption-policy`."""

    ADOPT = "adopt"
    ADOPT_OR_CREATE = "adopt-or-create"


class DeletionPolicy(StrEnum):
    """Values of `deletion-policy`; ACK takes any other word for `retain`."""

    DELETE = "delete"
    RETAIN = "retain"


class ConditionType(StrEnum):
    """Types of `status.conditions`."""

    RESOURCE_SYNCED = "ACK.ResourceSynced"
    TERMINAL = "ACK.Terminal"
    RECOVERABLE = "ACK.Recoverable"
    LATE_INITIALIZED = "ACK.LateInitialized"
    ADOPTED = "ACK.Adopted"
    ADVISORY = "ACK.Advisory"
    REFERENCES_RESOLVED = "ACK.ReferencesResolved"
    IAM_ROLE_SELECTED = "ACK.IAMRoleSelected"
    READY = "Ready"
    # Not ACK's: what kstatus, and so GitOps tools, read beside Ready. Present only while they are True.
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class ConditionStatus(StrEnum):
    """Values of a condition's `status`."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class DefaultTag(StrEnum):
    """Keys of the tags that ACK puts on every job."""

    CONTROLLER_VERSION = "services.k8s.aws/controller-version"
    NAMESPACE = "services.k8s.aws/namespace"
