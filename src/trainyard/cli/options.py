"""Options and arguments that several commands share: the form of the answer, ages, names of jobs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from trainyard.cli.main import SAGEMAKER, SERVICE, ServiceOption

F = TypeVar("F", bound=Callable[..., Any])
FORMS = ("table", "wide", "json", "yaml", "name")
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Age(click.ParamType[float]):
    """A duration such as `90s`, `5m` or `1h30m`, in seconds."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The text in seconds; fails with what may be written instead."""
        if isinstance(value, int | float):
            return float(value)
        parts = _AGE.findall(value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            self.fail(f"{value!r} is no age; write 30s, 5m, 1h30m or 2d.", param, ctx)
        return sum(float(number) * _UNITS[unit] for number, unit in parts)


class JobName(click.ParamType[str]):
    """The name of a job; a shell completes it with the newest jobs."""

    name = "job"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is."""
        if not value:
            self.fail("a job's name is empty; `trainyard list` shows the names.", param, ctx)
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Names that begin so. A home that cannot be read completes to nothing."""
        try:
            return [CompletionItem(name, help=status) for name, status in asyncio.run(_names(ctx, incomplete))]
        except Exception:  # noqa: BLE001 - a shell shows whatever is printed here in the middle of the user's line
            return []


def _go_there(ctx: click.Context, _option: click.Parameter, place: str | None) -> None:
    if place is not None:
        ctx.find_root().meta[SERVICE] = ServiceOption(place, None, None)


on_option = click.option(
    "--on", type=click.Choice([SAGEMAKER]), expose_value=False, callback=_go_there,
    help="Amazon's own jobs, with the credentials that every AWS tool finds.",
)  # fmt: skip


def format_option_without(*meaningless: str) -> Callable[[F], F]:
    """`-o`, but for the forms that would tell nothing of their own: those are refused, not printed as another one."""
    forms = click.Choice([form for form in FORMS if form not in meaningless])
    told = "How to print: for people, machines or scripts."
    return click.option("-o", "--output", "form", type=forms, default="table", help=told)


format_option = format_option_without()
AGE = Age()
JOB = JobName()


async def _names(ctx: click.Context, incomplete: str) -> list[tuple[str, str]]:
    from trainyard.model.listing import ListQuery
    from trainyard.wiring.listing import page_as_stored

    given = ctx.find_root().params
    if given.get("service"):
        return []  # a shell that waits for a network is worse than one that completes nothing
    query = ListQuery(limit=1000, name_contains=incomplete or None)
    place = {key: given.get(key) for key in ("home", "region", "account")}
    page = await page_as_stored(query, **place)
    return [(one.name, str(one.secondary)) for one in page.items if one.name.startswith(incomplete)]
