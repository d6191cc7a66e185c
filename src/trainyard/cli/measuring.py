"""metrics: what a job measured, as a table or a plot."""

from __future__ import annotations

from collections.abc import Sequence

import click

from trainyard.cli import output
from trainyard.cli.options import AGE, JOB, format_option, on_option
from trainyard.cli.output import safe
from trainyard.cli.plot import plot, sparkline
from trainyard.cli.sessions import described, with_jobs
from trainyard.kit.clock import SystemClock
from trainyard.model.job import Series
from trainyard.wiring.session import Jobs


@click.command("metrics")
@on_option
@click.argument("name", type=JOB)
@click.argument("metric", required=False)
@click.option("--host", is_flag=True, help="Also what the host used.")
@click.option("--since", type=AGE, metavar="AGE", help="Only points not older than this.")
@click.option("--plot", "plotted", is_flag=True, help="Draw each one over time.")
@format_option
def metrics_command(
    name: str, metric: str | None, since: float | None, form: str, *, host: bool, plotted: bool
) -> None:
    """Show a job's metrics, or one METRIC: last, least and greatest value, and their course."""
    after = None if since is None else SystemClock().now() - since

    async def fetch(session: Jobs) -> Sequence[Series]:
        await described(session, name)
        return await session.service.metrics(name, metric=metric, since=after)

    every = with_jobs(fetch)
    series = [one for one in every if one.points and (host or not one.host or metric)]
    if form in ("json", "yaml"):
        output.document([_plain(one) for one in series], form)
    elif form == "name":
        for one in series:
            click.echo(safe(one.name))
    elif not series:
        click.echo(_nothing(name, metric, since, hosts=any(one.host for one in every)), err=True)
    elif plotted:
        for one in series:
            _print_plot(one)
    else:
        _print_table(series, wide=form == "wide")


def _nothing(name: str, metric: str | None, since: float | None, *, hosts: bool) -> str:
    what = f"no metric {metric!r}" if metric else "no metric"
    when = "" if since is None else " in that time"
    more = " --host shows what the host used." if hosts else ""
    return f"{safe(name)} has written {what}{when}; AlgorithmSpecification.MetricDefinitions say what is read.{more}"


def _plain(one: Series) -> dict[str, object]:
    return {"name": one.name, "host": one.host, "points": [list(point) for point in one.points]}


def _print_table(series: Sequence[Series], *, wide: bool) -> None:
    header = ["METRIC", "HOST", "POINTS", "LAST", "MIN", "MAX", "COURSE"]
    rows = []
    for one in series:
        values = [value for _, value in one.points]
        numbers = [f"{number:.6g}" for number in (values[-1], min(values), max(values))]
        course = sparkline(values, 64 if wide else 24)
        rows.append([one.name, one.host or "-", str(len(values)), *numbers, course])
    output.table(header, rows)


def _print_plot(one: Series) -> None:
    (begin, _), (end, last) = one.points[0], one.points[-1]
    where = f" on {one.host}" if one.host else ""
    click.echo(safe(f"{one.name}{where}: {last:.6g} after {output.exact_span(end - begin)}, {len(one.points)} points"))
    for line in plot(one.points, width=min(output.columns(), 100) - 1):
        click.echo(line)
