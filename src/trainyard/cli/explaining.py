"""explain: what a field of the manifest is, and what each place of running does with it."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from trainyard.cli import output
from trainyard.cli.options import format_option
from trainyard.lifecycle import support
from trainyard.lifecycle.support_rows import PLACES, ROWS
from trainyard.model.casing import ack_name, api_name
from trainyard.model.members import Member, Shape, members_of, paths_of
from trainyard.model.shapes import Constraint, Items, Mapped, Number, OneOf, Structure, Text
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.sentences import SENTENCES

VALUES_SHOWN = 12
_INDEX = re.compile(r"\[(\d*|\*)\]$")  # as in inputDataConfig[0]


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its steps in the API's spelling; no step is the whole request."""

    steps: tuple[str, ...]
    member: Member | None
    shape: Shape
    within: type[Structure]

    @property
    def innermost(self) -> Shape:
        """What a list's items are, else the shape itself."""
        shape = self.shape
        while shape.item is not None:
            shape = shape.item
        return shape


class FieldPath(click.ParamType[str]):
    """A dotted path; a shell completes it step by step, in the spelling of manifests."""

    name = "field"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        """The path as it is."""
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """The members of what stands before the last dot that begin so; none where that is no structure."""
        above, dot, begun = incomplete.rpartition(".")
        try:
            names = [ack_name(name) for name, _ in _members(field_of(above))]
        except click.UsageError:
            return []
        return [CompletionItem(f"{above}{dot}{name}") for name in names if name.lower().startswith(begun.lower())]


@click.command("explain")
@click.argument("field", default="", type=FieldPath())
@format_option
def explain_command(field: str, form: str) -> None:
    """Explain a field of the manifest, in either spelling: `trainyard explain resourceConfig.instanceType`.

    It tells type, limits and both spellings, and what becomes of the field where jobs run today; `-o wide` tells of
    every place, those that are not built yet among them.
    """
    found = field_of(field)
    if form in ("json", "yaml"):
        output.document(_plain(found), form)
    elif form == "name":
        click.echo(".".join(found.steps))
    else:
        _print(found, wide=form == "wide")


def field_of(text: str) -> Field:
    """The field that a dotted path names. Raises UsageError with the names that are spelt alike."""
    steps: list[str] = []
    found = Field((), None, Shape("structure", structure=TrainingJobSpec), TrainingJobSpec)
    for step in _steps(text):
        within = found.innermost.structure
        name = _name(within, step) if within is not None else None
        if within is None or name is None:
            raise click.UsageError(_missing(step, steps, within))
        steps.append(name)
        member = members_of(within)[name]
        found = Field(tuple(steps), member, member.shape, within)
    return found


def _steps(text: str) -> list[str]:
    given = [_INDEX.sub("", step) for step in text.split(".") if step]
    return given[1:] if given[:1] == ["spec"] else given


def _name(structure: type[Structure], step: str) -> str | None:
    exact = api_name(structure, step)
    return exact or next((name for name in members_of(structure) if name.lower() == step.lower()), None)


def _missing(step: str, steps: list[str], within: type[Structure] | None) -> str:
    above = ".".join(steps)
    if within is None:
        return f"{above} is no structure: there is nothing below it, so no {step!r}."
    names = {name.lower(): name for name in members_of(within)}
    near = [names[name] for name in difflib.get_close_matches(step.lower(), names, n=1)]
    if not near:  # perhaps it stands elsewhere
        near = _elsewhere(step)
    hint = f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(names.values())}."
    return f"There is no field {step!r} in {above or 'a TrainingJob'}.{hint}"


def _elsewhere(step: str) -> list[str]:
    """Paths whose last step is spelt so, or nearly so."""
    paths: dict[str, list[str]] = {}
    for path, member, _ in paths_of(TrainingJobSpec):
        if member is not None:
            paths.setdefault(member.name.lower(), []).append(path.replace("[]", ""))
    return [path for name in difflib.get_close_matches(step.lower(), paths, n=1) for path in paths[name][:3]]


def _plain(field: Field) -> dict[str, Any]:
    return {
        "api": ".".join(field.steps),
        "manifest": _manifest_path(field),
        "type": _kind(field.shape),
        "required": field.member.required if field.member else True,
        "limits": list(_limits(field)),
        "doc": _doc(field),
        "places": {place: {"verdict": verdict, "remark": remark} for place, verdict, remark in _verdicts(field)},
        "members": [name for name, _ in _members(field)],
    }


def _print(field: Field, *, wide: bool) -> None:
    if field.member is None:
        click.echo("TrainingJob: one CreateTrainingJob request; give it as `spec` of a manifest.")
    else:
        output.labelled(
            [
                ("Field", ".".join(field.steps)),
                ("Manifest", _manifest_path(field)),
                ("Type", f"{_kind(field.shape)}, {'required' if field.member.required else 'optional'}"),
                ("Doc", _doc(field)),
                *(("Limits", output.safe(limit)) for limit in _limits(field, most=None if wide else VALUES_SHOWN)),
            ]
        )
        click.echo("What becomes of it:")
        places = [row for row in _verdicts(field) if wide or support.is_built(row[0])]
        output.table(("PLACE", "VERDICT", "REMARK"), places, indent="  ")
    rows = [
        (ack_name(name), _kind(member.shape), "required" if member.required else "", _doc(_below(field, member)))
        for name, member in _members(field)
    ]
    if rows:
        click.echo("Members:")
        output.table(("MEMBER", "TYPE", "", "WHAT IT IS"), rows, indent="  ")


def _below(field: Field, member: Member) -> Field:
    return Field((*field.steps, member.name), member, member.shape, field.innermost.structure or field.within)


def _manifest_path(field: Field) -> str:
    return ".".join(["spec", *map(ack_name, field.steps)])


def _kind(shape: Shape) -> str:
    return f"list of {_kind(shape.item)}s" if shape.item is not None else shape.kind


def _doc(field: Field) -> str:
    """What the field is, else what its structure is."""
    told = SENTENCES.get(f"{field.within.__name__}.{field.member.name}") if field.member else None
    return told or " ".join((inspect.getdoc(field.innermost.structure or field.within) or "").split())


def _members(field: Field) -> list[tuple[str, Member]]:
    structure = field.innermost.structure
    return list(members_of(structure).items()) if structure else []


def _verdicts(field: Field) -> Iterator[tuple[str, str, str]]:
    path = _row_path(field.steps)
    for place in PLACES:
        yield (place, *support.cell(path, place)) if path in ROWS else (place, "honoured", "")


def _row_path(steps: tuple[str, ...]) -> str:
    """`InputDataConfig.ChannelName` as the matrix writes it: `InputDataConfig[].ChannelName`."""
    wanted = ".".join(steps)
    return next((path for path in ROWS if path.replace("[]", "") == wanted), wanted)


def _limits(field: Field, most: int | None = None) -> Iterator[str]:
    """What a value must be; of a long list of values the first `most`, and how many there are."""
    shape: Shape | None = field.shape
    prefix = ""
    while shape is not None:
        if shape.constraint is not None:
            yield from (f"{prefix}{limit}" for limit in _constraint(shape.constraint, most))
        shape, prefix = shape.item, "each "


def _constraint(constraint: Constraint, most: int | None) -> Iterator[str]:
    match constraint:
        case Text():
            yield from _text(constraint)
        case Number():
            yield f"a number{_bounds(constraint.min, constraint.max)}"
        case Items():
            yield f"entries{_bounds(constraint.min, constraint.max)}"
        case Mapped():
            yield f"entries up to {constraint.max}"
            yield from (f"keys: {limit}" for limit in _text(constraint.key))
            yield from (f"values: {limit}" for limit in _text(constraint.value))
        case OneOf():
            values = ", ".join(constraint.values[:most])
            more = most is not None and len(constraint.values) > most
            yield f"one of {values}" + (f", … ({len(constraint.values)} in all; -o wide lists them)" if more else "")


def _text(constraint: Text) -> Iterator[str]:
    yield f"characters{_bounds(constraint.min, constraint.max)}"
    if constraint.pattern not in (None, ".*", ".+", r"[\S\s]*"):
        yield f"the whole matches {constraint.pattern}"


def _bounds(least: int | None, most: int | None) -> str:
    if most is None:
        return f": at least {least or 0}"
    return f": {least or 0} to {most}"
