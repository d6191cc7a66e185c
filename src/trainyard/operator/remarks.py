"""What a resource and its namespace ask for by annotations and do not get: told instead of passed over."""

from __future__ import annotations

from trainyard.operator.case import Case, Roaming
from trainyard.resource.names import Annotation, DeletionPolicy, NamespaceAnnotation, OwnAnnotation

_LONGEST = 60  # characters of an annotation's value that are repeated


def remarks_on(case: Case) -> list[str]:
    """One sentence for each."""
    return [*_on_the_place(case), *_on_the_account(case), *_on_words(case)]


def _on_the_place(case: Case) -> list[str]:
    if case.rules.roaming is not None:
        return []
    own, inherited = case.annotations.get(Annotation.REGION), case.namespace.get(NamespaceAnnotation.DEFAULT_REGION)
    here = case.rules.scope.region
    if own and own != here:
        return [f"The annotation {Annotation.REGION} asks for {_cut(own)}; this operator's jobs are in {here}."]
    if inherited and not own and inherited != here:
        key = NamespaceAnnotation.DEFAULT_REGION
        return [f"The namespace's annotation {key} asks for {_cut(inherited)}; this operator's jobs are in {here}."]
    return []


def _on_the_account(case: Case) -> list[str]:
    if case.rules.roaming is not None:
        return _on_what_is_off(case, case.rules.roaming)
    found, here = [], case.rules.scope.account
    owner = case.namespace.get(NamespaceAnnotation.OWNER_ACCOUNT_ID)
    if owner and owner != here:
        key = NamespaceAnnotation.OWNER_ACCOUNT_ID
        found.append(f"The namespace's annotation {key} asks for {_cut(owner)}; this operator's jobs are in {here}.")
    unheeded = (NamespaceAnnotation.TEAM_ID, NamespaceAnnotation.ENDPOINT_URL)
    return [
        *found,
        *(
            f"The namespace's annotation {key} is not acted upon: all jobs are in account {here}."
            for key in unheeded
            if case.namespace.get(key)
        ),
    ]


def _on_what_is_off(case: Case, roaming: Roaming) -> list[str]:
    switches = (
        (NamespaceAnnotation.OWNER_ACCOUNT_ID, roaming.accounts, "--enable-carm is off"),
        (NamespaceAnnotation.TEAM_ID, roaming.teams, "the feature gate TeamLevelCARM is off"),
    )
    return [
        f"The namespace's annotation {key} is not acted upon: {why}."
        for key, on, why in switches
        if case.namespace.get(key) and not on
    ]


def _on_words(case: Case) -> list[str]:
    found = []
    ttl = case.annotations.get(OwnAnnotation.TTL)
    if ttl and not (ttl.isascii() and ttl.isdecimal()):
        found.append(f"The annotation {OwnAnnotation.TTL} must be whole seconds, and {_cut(ttl)!r} is not.")
    for whose, key, policy in (
        ("annotation", Annotation.DELETION_POLICY, case.annotations.get(Annotation.DELETION_POLICY)),
        (
            "namespace's annotation",
            NamespaceAnnotation.DELETION_POLICY,
            case.namespace.get(NamespaceAnnotation.DELETION_POLICY),
        ),
    ):
        if policy and policy not in set(DeletionPolicy):
            found.append(f"The {whose} {key}: {_cut(policy)!r} is taken for retain.")
    return found


def _cut(text: str) -> str:
    return text[:_LONGEST]
