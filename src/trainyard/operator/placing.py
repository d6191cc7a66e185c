"""Where a resource's job is, or is to be made: by its annotations, its namespace's, and the operator's own place.

The order of who counts is ACK's. A job stays where it was made: its region and account are fixed by the first
reconcile, and whoever asks for others afterwards is told so. Beyond ACK, the intent is written before the deed (in an
annotation, beside the finalizer), and an endpoint that a namespace names must be https like the operator's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from trainyard.model.keys import Scope
from trainyard.operator.case import Case, Roaming
from trainyard.ports.places import Place
from trainyard.resource.conditions import Fault
from trainyard.resource.names import Annotation, NamespaceAnnotation, OwnAnnotation

REGION_MOVED = "Resource already exists in region {there}, but the desired state specifies region {wanted}. "
ACCOUNT_MOVED = (
    "Resource already exists in account {there}, but the role used for reconciliation is in account {here}. "
)
NO_ROLE = "IAM Role is not available"
NO_MAP = "CARM configmap not found"
NO_KEY = "account ID not found in CARM configmap"
NO_ARN = "role ARN is empty in CARM configmap"
ROLE_PAUSE = 15.0  # seconds: ACK's
_REGION = re.compile(r"[a-z0-9]{1,32}(-[a-z0-9]{1,32}){1,4}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)
_LONGEST = 200  # characters of an annotation's value that are repeated
Map = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RoleMaps:
    """Role ARNs by account and by team, as the two ConfigMaps of ACK's say; None for one that is not there."""

    accounts: Map | None = None
    teams: Map | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """The place to work in; `drift`: that it is not the one which is asked for now."""

    place: Place
    drift: Fault | None = None


def place_of(case: Case, maps: RoleMaps) -> Placed | Fault:
    """The place of a resource's job, or why there is none to look in."""
    roaming, home = case.rules.roaming, case.rules.scope
    if roaming is None:
        return Placed(Place(home.account, home.region))
    fixed, wanted = fixed_place(case), _wanted_region(case)
    account = _account(case, maps, roaming)
    endpoint = _endpoint(case, roaming)
    if isinstance(account, Fault):
        return account
    if isinstance(endpoint, Fault):
        return endpoint
    if fixed is not None and fixed.account != account.account:
        return Fault(ACCOUNT_MOVED.format(there=fixed.account, here=account.account), terminal=True)
    region = fixed.region if fixed is not None else wanted or home.region
    if not _REGION.fullmatch(region):
        return Fault(f"{_cut(region)!r} is no region: write one such as us-west-2.", terminal=True)
    moved = fixed is not None and wanted is not None and wanted != fixed.region
    drift = Fault(REGION_MOVED.format(there=region, wanted=_cut(wanted or "")), terminal=True) if moved else None
    return Placed(Place(account.account, region, account.role, endpoint), drift)


def fixed_place(case: Case) -> Scope | None:
    """Where the resource's job is known to be, or was to be made."""
    told = case.status.get("ackResourceMetadata") or {}
    if case.arn and told.get("region") and told.get("ownerAccountID"):
        return Scope(str(told["ownerAccountID"]), str(told["region"]))
    account, slash, region = (case.annotations.get(OwnAnnotation.PLACE) or "").partition("/")
    return Scope(account, region) if case.managed and slash else None


def intent(place: Place) -> dict[str, str]:
    """The annotation that fixes a place before anything is made there."""
    return {OwnAnnotation.PLACE.value: f"{place.account}/{place.region}"}


@dataclass(frozen=True, slots=True)
class _Account:
    account: str
    role: str = ""


def _wanted_region(case: Case) -> str | None:
    """What somebody said; None where nobody did."""
    return case.annotations.get(Annotation.REGION) or case.namespace.get(NamespaceAnnotation.DEFAULT_REGION) or None


def _account(case: Case, maps: RoleMaps, roaming: Roaming) -> _Account | Fault:
    team = case.namespace.get(NamespaceAnnotation.TEAM_ID)
    if team and roaming.teams:
        return _assumed(maps.teams, [team])
    owner, home = case.namespace.get(NamespaceAnnotation.OWNER_ACCOUNT_ID), case.rules.scope.account
    if not owner or not roaming.accounts:
        return _Account(home)
    keys = [f"sagemaker.{owner}", owner] if roaming.by_service else [owner]
    if owner == home and not any(key in (maps.accounts or {}) for key in keys):
        return _Account(home)  # the operator's own credentials are that account's
    found = _assumed(maps.accounts, keys)
    if isinstance(found, _Account) and found.account != owner:
        return _no_role(f"the role {found.role} is of account {found.account}, not of {_cut(owner)}")
    return found


def _assumed(roles: Map | None, keys: list[str]) -> _Account | Fault:
    if roles is None:
        return _no_role(NO_MAP)
    found = next((roles[key] for key in keys if key in roles), None)
    if found is None:
        return _no_role(NO_KEY)
    if not found:
        return _no_role(NO_ARN)
    known = _ROLE.fullmatch(found)
    return _Account(known[1], found) if known else _no_role(f"{_cut(found)!r} is no role's ARN")


def _no_role(why: str) -> Fault:
    return Fault(NO_ROLE, reason=why, unplaced=True, after=ROLE_PAUSE)


def _endpoint(case: Case, roaming: Roaming) -> str | Fault:
    asked = case.namespace.get(NamespaceAnnotation.ENDPOINT_URL)
    if not asked:
        return roaming.endpoint
    objection = objection_to(asked, unsafe=roaming.unsafe_endpoints)
    if objection is None:
        return asked
    key = NamespaceAnnotation.ENDPOINT_URL
    return Fault(f"The namespace's annotation {key}={_cut(asked)!r} is refused: {objection}", terminal=True)


def objection_to(url: str, *, unsafe: bool) -> str | None:
    """Why a URL is not taken as an endpoint; None where it is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "it is no URL."
    if parts.scheme not in ("https", "http") or not host or parts.username or parts.query or parts.fragment:
        return "write https://host or https://host:port."
    if parts.scheme == "http" and not unsafe:
        return "signed requests go over https alone, unless --allow-unsafe-aws-endpoint-urls is given."
    return None


def _cut(text: str) -> str:
    return text[:_LONGEST]
