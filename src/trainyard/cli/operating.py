"""operator: TrainingJob resources of a Kubernetes API, carried out here."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import click

from trainyard.cli.main import SAGEMAKER, ServiceOption
from trainyard.cli.options import on_option
from trainyard.cli.sessions import service_option, with_session
from trainyard.model.errors import Unsupported
from trainyard.operator.options import AMAZONS, REFUSED, Flags, check_endpoints, need_amazon, refuse, switch
from trainyard.ports.places import OnlyPlace, Places
from trainyard.wiring.session import Session

LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "error": "error", "fatal": "critical"}


def _switch(name: str, text: str) -> Callable[..., Any]:
    """A boolean as ACK's flags take it: `--name` and `--name=false` alike."""
    return click.option(f"--{name}", default="false", is_flag=False, flag_value="true", metavar="[BOOL]", help=text)


def _switch_of_amazon(name: str, text: str) -> Callable[..., Any]:
    """A boolean that means something with --on sagemaker alone; "" where it was not given."""
    return click.option(f"--{name}", default="", is_flag=False, flag_value="true", metavar="[BOOL]", help=text)


def _acks_other_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    for flag in REFUSED:
        command = click.option(f"--{flag}", default="", is_flag=False, flag_value="true", hidden=True)(command)
    return command


@click.command("operator")
@click.option(
    "--kubeconfig", type=click.Path(dir_okay=False), help="The API server's; else $KUBECONFIG, else the pod's."
)
@click.option("--context", "kube_context", help="A context of the kubeconfig.")
@on_option
@click.option("--service", metavar="URL", help="Another Trainyard: unix:///…/control.sock or https://….")
@click.option("--service-token-file", metavar="FILE", help="The token for it, read before every request.")
@click.option("--service-ca-file", metavar="FILE", help="The certificates that it is trusted by.")
@click.option("--watch-namespace", default="", metavar="NAMES", help="Comma-separated; all where none is given.")
@click.option("--watch-selectors", default="", metavar="SELECTOR", help="Only resources with these labels.")
@click.option(
    "--resource-tags", multiple=True, metavar="KEY=VALUE", help="Tags for every job; %K8S_NAMESPACE% and the like."
)
@click.option("--deletion-policy", default="delete", show_default=True, help="delete stops the job, retain leaves it.")
@click.option(
    "--reconcile-default-resync-seconds", "default_resync", type=int, default=0, help="Look at everything so often."
)
@click.option("--reconcile-resource-resync-seconds", "resource_resync", multiple=True, metavar="TrainingJob=N")
@click.option(
    "--reconcile-default-max-concurrent-syncs", "default_workers", type=int, default=0, help="Resources at once."
)
@click.option("--reconcile-resource-max-concurrent-syncs", "resource_workers", multiple=True, metavar="TrainingJob=N")
@click.option("--reconcile-resources", "resources", default="", metavar="KINDS", help="TrainingJob is the only one.")
@click.option("--feature-gates", default="", metavar="A=true,B=false", help="ResourceAdoption, ReadOnlyResources.")
@click.option(
    "--ttl-after-finished", type=int, metavar="SECONDS", help="Delete a resource so long after its job's end."
)
@click.option("--metrics-addr", metavar="HOST:PORT", help="Prometheus metrics; 0 is none.")
@click.option("--healthz-addr", metavar="HOST:PORT", help="/healthz and /readyz; 0 is none.")
@_switch("enable-leader-election", "Of several processes one acts.")
@click.option("--leader-election-namespace", default="", metavar="NAME", help="Where the lease is.")
@_switch("enable-development-logging", "Plain lines instead of JSON.")
@click.option("--log-level", type=click.Choice(list(LEVELS)), default="info", show_default=True)
@click.option("--kube-api-qps", "qps", type=float, default=0.0, help="Requests a second at most; 0 is no limit.")
@click.option("--kube-api-burst", "burst", type=int, default=100, show_default=True)
@click.option("--aws-region", default="", metavar="REGION", help="The region of resources that name none.")
@click.option("--aws-endpoint-url", default="", metavar="URL", help="In place of SageMaker's own; --on sagemaker.")
@click.option("--aws-identity-endpoint-url", default="", metavar="URL", help="In place of STS's own; --on sagemaker.")
@_switch_of_amazon("allow-unsafe-aws-endpoint-urls", "Take http:// for these two, and for namespaces' endpoints.")
@_switch_of_amazon("enable-carm", "Heed a namespace's owner-account-id: on unless one namespace is watched.")
@_acks_other_flags
def operator_command(**given: Any) -> None:
    """Reconcile the TrainingJob resources of a Kubernetes API with this home's jobs, another's or Amazon's.

    It runs until SIGTERM.

    Flags are those of ACK's SageMaker controller where they mean the same; one that has no meaning here is refused
    with the reason.
    """
    for flag in REFUSED:
        refuse(flag, given.pop(flag.replace("-", "_")))
    if any(importlib.util.find_spec(name) is None for name in ("aiohttp", "httptools", "orjson")):
        raise Unsupported("`operator` needs its extra: pip install 'trainyard[serve]'.")
    from trainyard.wiring import operating

    operating.log_to_stderr(LEVELS[given["log_level"]], development=switch(given["enable_development_logging"]))
    context = click.get_current_context()
    options = context.find_root().obj
    options["region"] = options["region"] or given["aws_region"] or None
    url, token, ca = given["service"], given["service_token_file"], given["service_ca_file"]
    elsewhere = ServiceOption(url, token, ca) if url else service_option(context)
    on_amazon = elsewhere is not None and elsewhere.url == SAGEMAKER
    if not on_amazon:
        for flag in AMAZONS:
            need_amazon(flag, given[flag.replace("-", "_")])
    access = operating.access_of(given["kubeconfig"], given["kube_context"])
    operation = operation_of(given, on_amazon=on_amazon)
    check_endpoints(operation.flags)

    async def operate(session: Session) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            place = replace(operation, place=session.where)
            await operating.Operator(OnlyPlace(session.service), access, place).run()

    if elsewhere is None:
        with_session(operate, lead=True)
    elif on_amazon:
        _operate_with(lambda: _amazon(options, operation.flags), access, replace(operation, place="Amazon SageMaker"))
    else:
        _operate_with(lambda: _another(elsewhere, options), access, replace(operation, place=elsewhere.url))


def _operate_with(open_places: Callable[[], AbstractAsyncContextManager[Places]], access: Any, operation: Any) -> None:
    """Operate with jobs of elsewhere; nothing of this machine's home is touched."""
    from trainyard.wiring import operating

    async def operate() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: task.cancel() if task else None)
        with contextlib.suppress(asyncio.CancelledError):
            async with open_places() as places:
                await operating.Operator(places, access, operation).run()

    asyncio.run(operate())


def _amazon(options: dict[str, Any], flags: Flags) -> AbstractAsyncContextManager[Places]:
    from trainyard.wiring.amazon import places_on_amazon

    endpoints = {"sagemaker": flags.aws_endpoint_url, "sts": flags.aws_identity_endpoint_url}
    return places_on_amazon(region=options["region"], account=options["account"], endpoints=endpoints)


@contextlib.asynccontextmanager
async def _another(option: ServiceOption, options: dict[str, Any]) -> AsyncIterator[Places]:
    from trainyard.wiring import elsewhere

    address = elsewhere.address_of(option.url, token_file=option.token_file, ca_file=option.ca_file)
    async with elsewhere.service_at(address, elsewhere.scope_of(**options)) as service:
        yield OnlyPlace(service)


def operation_of(given: dict[str, Any], *, on_amazon: bool = False) -> Any:
    """The operation that the command's parameters ask for."""
    from trainyard.wiring.operating import Operation, in_a_pod

    host = "0.0.0.0" if in_a_pod() else "127.0.0.1"  # noqa: S104 - probes come from outside the pod
    names = Flags.__dataclass_fields__.keys() - {"on_amazon"}
    return Operation(
        flags=Flags(**{name: given[name] for name in names}, on_amazon=on_amazon),
        metrics_address=given["metrics_addr"] if given["metrics_addr"] is not None else f"{host}:8080",
        health_address=given["healthz_addr"] if given["healthz_addr"] is not None else f"{host}:8081",
        leader_election=switch(given["enable_leader_election"]),
        lease_namespace=given["leader_election_namespace"],
        qps=given["qps"],
        burst=given["burst"],
    )
