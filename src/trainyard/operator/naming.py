"""Which job a resource means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trainyard.operator.case import Case
from trainyard.resource.names import AdoptionPolicy, Annotation

_LONGEST = 63  # characters of a job's name
_DIGITS = 12  # of the resource's uid, random ones, in a generated name


class BadAdoption(Exception):  # noqa: N818 - it names what is wrong with a resource
    """The adoption annotations make no sense; the text is ACK's."""


def job_name(case: Case) -> str:
    """The name to ask the service for. Raises BadAdoption.

    A job that exists keeps its name, whatever is written into the spec afterwards. Else it is the spec's, or the one
    to be adopted, or a generated one.
    """
    established = case.status.get("trainingJobName")
    if case.arn and established and (case.managed or case.adopted):
        return str(established)
    if adopting(case) == AdoptionPolicy.ADOPT:
        return adoption_name(case)
    given = case.spec.get("trainingJobName")
    return str(given) if given else generated_name(case.metadata)


def adopting(case: Case) -> str | None:
    """The adoption policy while it has not been carried out."""
    if not case.rules.adoption or case.adopted or (case.managed and case.arn):
        return None
    return case.annotations.get(Annotation.ADOPTION_POLICY)


def adoption_name(case: Case) -> str:
    """`trainingJobName` in the adoption-fields annotation. Raises BadAdoption in ACK's words."""
    try:
        fields = json.loads(case.annotations.get(Annotation.ADOPTION_FIELDS) or "{}")
    except (ValueError, RecursionError) as error:
        raise BadAdoption(f"unmarshalling adoption-fields annotation: {error}") from error
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise BadAdoption("unmarshalling adoption-fields annotation: it must be a JSON object of strings")
    name = fields.get("trainingJobName")
    if not name:
        raise BadAdoption("Error populating adoption fields: required field missing: trainingJobName")
    return str(name)


def generated_name(metadata: Mapping[str, Any]) -> str:
    """`<metadata.name>-<digits of the uid>`: the same for one resource for ever, another for the next of that name."""
    suffix = "".join(letter for letter in str(metadata.get("uid") or "") if letter.isalnum())[:_DIGITS]
    stem = "".join(letter if letter.isalnum() else "-" for letter in str(metadata.get("name") or "job"))
    return f"{stem[: _LONGEST - 1 - len(suffix)].strip('-')}-{suffix}".strip("-")
