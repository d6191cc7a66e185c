"""kubeconfig files: clusters, users and contexts, one file or several merged as kubectl merges them."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from trainyard.kubeapi.access import Access, Credentials, Fixed, TokenFile
from trainyard.kubeapi.execplugin import ExecPlugin
from trainyard.model.errors import TrainyardError
from trainyard.ports.clock import Clock

_REFUSED = {"auth-provider": "use an exec plugin", "proxy-url": "proxies are not supported"}


def from_kubeconfig(files: Iterable[Path], clock: Clock, context: str | None = None) -> Access:
    """The access that a context of these files describes; the first file that names a thing wins.

    Raises TrainyardError with what is missing or cannot be read.
    """
    entries, current = _merged([(path, _read(path)) for path in files])
    name = context or current
    if not name or ("contexts", name) not in entries:
        raise TrainyardError(f"The kubeconfig has no context {name!r}." if name else "The kubeconfig names no context.")
    chosen, _ = entries["contexts", name]
    cluster, cluster_folder = _entry(entries, "clusters", chosen.get("cluster"))
    user, user_folder = _entry(entries, "users", chosen.get("user")) if chosen.get("user") else ({}, Path())
    for member, hint in _REFUSED.items():
        if cluster.get(member) or user.get(member):
            raise TrainyardError(f"The kubeconfig's {member} is not supported: {hint}.")
    server = str(cluster.get("server") or "")
    tls = _tls(cluster, cluster_folder) if server.startswith("https://") else None
    if tls is not None:
        _client_certificate(tls, user, user_folder)
    return Access(
        server=server.rstrip("/"),
        credentials=_credentials(user, user_folder, clock, tls),
        tls=tls,
        server_name=cluster.get("tls-server-name"),
        namespace=str(chosen.get("namespace") or "default"),
    )


def files_of(environment: Mapping[str, str]) -> list[Path]:
    """The files of $KUBECONFIG, else ~/.kube/config where there is one."""
    given = environment.get("KUBECONFIG", "")
    if given:
        return [Path(part) for part in given.split(os.pathsep) if part and Path(part).exists()]
    usual = Path(environment.get("HOME", "/nonexistent")) / ".kube" / "config"
    return [usual] if usual.exists() else []


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = YAML(typ="safe", pure=True).load(path.read_bytes())
    except (OSError, YAMLError, ValueError) as error:
        raise TrainyardError(f"The kubeconfig {path} cannot be read: {error}") from error
    if not isinstance(found, Mapping):
        raise TrainyardError(f"The kubeconfig {path} is no mapping.")
    return found


_Entries = dict[tuple[str, str], tuple[Mapping[str, Any], Path]]


def _merged(files: list[tuple[Path, Mapping[str, Any]]]) -> tuple[_Entries, str | None]:
    entries: _Entries = {}
    current = None
    for path, content in files:
        current = current or content.get("current-context")
        for section, member in (("contexts", "context"), ("clusters", "cluster"), ("users", "user")):
            for one in content.get(section) or ():
                entries.setdefault((section, str(one.get("name"))), (one.get(member) or {}, path.parent))
    return entries, current


def _entry(entries: _Entries, section: str, name: Any) -> tuple[Mapping[str, Any], Path]:
    if (section, str(name)) not in entries:
        raise TrainyardError(f"The kubeconfig has no {section[:-1]} {name!r}.")
    return entries[section, str(name)]


def _tls(cluster: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _data(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode("ascii", "replace") if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _client_certificate(tls: ssl.SSLContext, user: Mapping[str, Any], folder: Path) -> None:
    certificate, key = (_data(user, member, folder) for member in ("client-certificate", "client-key"))
    if certificate and key:
        load_certificate(tls, certificate, key)


def load_certificate(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Use a certificate for new connections. OpenSSL reads files alone, so it passes through one that only we read."""
    with tempfile.TemporaryDirectory(prefix="trainyard-") as folder:
        both = Path(folder) / "pair.pem"
        both.touch(mode=0o600)
        both.write_bytes(certificate + b"\n" + key)
        try:
            tls.load_cert_chain(both)
        except ssl.SSLError as error:
            raise TrainyardError(f"The client certificate cannot be used: {error}") from error


def _data(holder: Mapping[str, Any], member: str, folder: Path) -> bytes | None:
    """A member given in place (`…-data`, base64) or as a file, relative to the kubeconfig's folder."""
    try:
        if holder.get(f"{member}-data"):
            return base64.b64decode(holder[f"{member}-data"], validate=True)
        return (folder / str(holder[member])).read_bytes() if holder.get(member) else None
    except (OSError, binascii.Error, TypeError, ValueError) as error:
        raise TrainyardError(f"The kubeconfig's {member} cannot be read: {error}") from error


def _credentials(user: Mapping[str, Any], folder: Path, clock: Clock, tls: ssl.SSLContext | None) -> Credentials:
    extra = _impersonation(user)
    if user.get("exec"):
        return ExecPlugin(user["exec"], folder, clock, extra, _loader(tls))
    if user.get("token"):
        return Fixed((*extra, ("Authorization", f"Bearer {user['token']}")))
    if user.get("tokenFile"):
        return TokenFile(folder / str(user["tokenFile"]), clock, extra)
    if user.get("username"):
        pair = base64.b64encode(f"{user['username']}:{user.get('password', '')}".encode()).decode()
        return Fixed((*extra, ("Authorization", f"Basic {pair}")))
    return Fixed(extra)


def _loader(tls: ssl.SSLContext | None) -> Any:
    return lambda certificate, key: load_certificate(tls, certificate, key) if tls is not None else None


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    groups = user.get("as-groups") or ()
    if len(groups) > 1:
        raise TrainyardError("The kubeconfig impersonates several groups, which is not supported: name one.")
    named = (("Impersonate-User", user.get("as")), ("Impersonate-Group", groups[0] if groups else None))
    return tuple((header, str(value)) for header, value in named if value)
