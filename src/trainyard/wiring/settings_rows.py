"""Every setting of trainyard.toml, as data: the file's check, its template and the reference page come from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

KINDS = {
    "text": "text",
    "number": "a number",
    "whole": "a whole number",
    "switch": "true or false",
    "texts": "a list of texts",
    "words": "a table of texts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key.

    table  : the table that it stands in; "" for the top of the file; `networks.*` for a table that the user names.
    kind   : one of KINDS.
    example: a value as the file spells it.
    default: what holds without it, in words.
    choices: the values of a text that are allowed; any where empty.
    least  : the smallest number that is allowed; `above` the number that it must exceed.
    """

    table: str
    key: str
    kind: str
    meaning: str
    example: str
    default: str = ""
    choices: tuple[str, ...] = ()
    least: float | None = None
    above: float | None = None
    pattern: str | None = None

    @property
    def path(self) -> str:
        """The dotted key."""
        return f"{self.table}.{self.key}" if self.table else self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a table is for; `name` as an example names it, for tables that the user names."""

    meaning: str
    name: str = ""


TABLES = {
    "": Table(meaning="What holds for everything"),
    "defaults": Table(meaning="Whose names, where neither the command nor the request says so"),
    "capacity": Table(meaning="What jobs may use of this machine"),
    "process": Table(meaning="How programs are started here"),
    "channels": Table(meaning="How programs read their input"),
    "container": Table(meaning="The container engine, and how it starts programs"),
    "logs": Table(meaning="What is kept of a program's output"),
    "metrics": Table(meaning="What is measured of the machine"),
    "webhook": Table(meaning="Who is told of every state change of a job, in EventBridge's body, while `serve` runs"),
    "buckets.*": Table(
        meaning="Where a bucket's objects are: a folder, the embedded store, an endpoint, or else Amazon S3",
        name="my-data",
    ),
    "images.*": Table(meaning="What an image is on this machine: a command, or a Python for scripts", name="my-image"),
    "registries.*": Table(
        meaning="Who we are to an image registry; without a table, ECR is asked as the job's role, and Docker's and "
        "Podman's own configuration holds",
        name="registry.example.org",
    ),
    "networks.*": Table(meaning="What the subnets and security groups of a VpcConfig mean here", name="private"),
    "file_systems.*": Table(
        meaning="What a file system's id (EFS, FSx for Lustre) is on this machine", name="fs-0123456789abcdef0"
    ),
    "roles.*": Table(
        meaning="The credentials of a role (its ARN, or its name alone): keys, a profile, or none",
        name="arn:aws:iam::000000000000:role/trainer",
    ),
    "keys.*": Table(
        meaning="An access key of AWS clients: whose it is, and what its holder may do. Beyond loopback "
        "nobody else is let in",
        name="AKIATRAINYARDEXAMPLE",
    ),
}


def _of(kind: str) -> Callable[..., Setting]:
    """Makes settings of a kind: key, example and meaning, then what else there is to say of one."""

    def setting(key: str, example: str, meaning: str, **more: Any) -> Setting:
        return Setting(table="", key=key, kind=kind, example=example, meaning=meaning, **more)

    return setting


def _in(table: str, *settings: Setting) -> tuple[Setting, ...]:
    return tuple(replace(setting, table=table) for setting in settings)


_text, _number, _whole, _switch, _texts, _words = map(_of, KINDS)

SETTINGS: tuple[Setting, ...] = (
    *_in(
        "",
        _text(
            "default_store",
            '"embedded"',
            "Where s3:// goes for buckets without a table of their own: a folder of this home, or Amazon S3",
            default="embedded",
            choices=("embedded", "amazon"),
        ),
        _text(
            "unknown_role",
            '"allow"',
            "A job whose role has no table here has keys that are good here alone, or is refused",
            default="allow",
            choices=("allow", "refuse"),
        ),
        _text(
            "launcher",
            '"auto"',
            "Images run in the container engine, as programs of this machine, or as fits: an image that the engine has "
            "in it, else one that we know as a program, else one that the engine fetches",
            default="auto",
            choices=("auto", "process", "container"),
        ),
    ),
    *_in(
        "defaults",
        _text("account", '"000000000000"', "The account, twelve digits", default="000000000000", pattern="[0-9]{12}"),
        _text("region", '"us-east-1"', "The region", default="us-east-1", pattern="[a-z0-9]+(-[a-z0-9]+)+"),
    ),
    *_in(
        "capacity",
        _number("cpus", "2.0", "vCPUs", default="those of this machine", above=0),
        _number("memory_gib", "8.0", "Memory, in GiB", default="that of this machine", above=0),
        _whole("gpus", "0", "GPUs", default="those of this machine", least=0),
        _text(
            "oversize",
            '"refuse"',
            "An instance type larger than this runs at this size, with a notice, or is refused",
            default="run",
            choices=("run", "refuse"),
        ),
    ),
    *_in(
        "process",
        _text(
            "opt_ml",
            '"link"',
            "Where the system gives a program no /opt/ml of its own (a pod): make /opt/ml a link to the job's, and run "
            "one job at a time",
            default="private",
            choices=("private", "link"),
        ),
    ),
    *_in(
        "channels",
        _number(
            "pipe_timeout_seconds",
            "3600.0",
            "Seconds for which a program may take nothing from a pipe that it holds open; then the job fails",
            default="3600",
            above=0,
        ),
    ),
    *_in(
        "container",
        _text(
            "socket",
            '"/run/docker.sock"',
            "Where the engine (Docker, Podman) listens",
            default="DOCKER_HOST, else the user's own engine, else the machine's",
            pattern="/.+",
        ),
        _text(
            "pull",
            '"missing"',
            "When an image is fetched from its registry: where the engine lacks it, never, or for every job",
            default="missing",
            choices=("missing", "never", "always"),
        ),
        _text(
            "network",
            '"bridge"',
            "The network of jobs that ask for no other: one of the engine's, or `host`, the machine's own",
            default="the engine's own",
            pattern="[A-Za-z0-9][A-Za-z0-9_.-]*",
        ),
        _words(
            "ulimits",
            '{ nofile = "65536:65536", memlock = "-1" }',
            "Limits of the program's user, soft:hard or one number; -1 is none",
            default="the engine's",
        ),
    ),
    *_in(
        "logs",
        _whole(
            "cap_bytes",
            "1073741824",
            "The most that is kept of one log; its middle is freed first",
            default="1 GiB",
            least=1 << 20,
        ),
    ),
    *_in(
        "metrics",
        _number(
            "usage_interval_seconds",
            "10.0",
            "Seconds between looks at a host's CPU, memory and disk",
            default="10",
            above=0,
        ),
    ),
    *_in(
        "buckets.*",
        _text("folder", '"/data/my-data"', "The folder whose files are the bucket's objects"),
        _switch("embedded", "true", "true: in the embedded store, whatever default_store says"),
        _text("endpoint", '"https://s3.example.org"', "An S3-compatible endpoint", pattern="https?://.+"),
        _text(
            "region",
            '"us-east-1"',
            "The region that requests to the endpoint or to Amazon S3 are signed for",
            default="us-east-1",
        ),
        _text(
            "access_key",
            '"…"',
            "The key that requests are signed with, beside its secret_key",
            default="those of the job's role",
        ),
        _text("secret_key", '"…"', "The secret of access_key"),
    ),
    *_in(
        "images.*",
        _texts("command", '["/usr/bin/python3", "/opt/train.py"]', "What is started, before the job's own arguments"),
        _text("python", '"/opt/venv/bin/python"', "The interpreter that runs the job's script; in place of command"),
        _words("env", '{ OMP_NUM_THREADS = "2" }', "Variables of its programs; the job's own go before them"),
    ),
    *_in(
        "registries.*",
        _text("username", '"robot"', "The user's name", default="required"),
        _text("password", '"…"', "The password"),
        _text("password_file", '"/etc/trainyard/registry.secret"', "In place of it: a file that holds it"),
    ),
    *_in(
        "networks.*",
        _texts("subnets", '["subnet-1"]', "Subnets that mean this network", default="required"),
        _texts(
            "security_groups",
            '["sg-1"]',
            "Security groups that mean this network; a job's subnets and groups must all be of one network",
            default="required",
        ),
        _text(
            "access",
            '"peers"',
            "This machine's own network, none at all, or the listed peers and nothing else",
            default="host",
            choices=("host", "none", "peers"),
        ),
        _texts(
            "peers",
            '["db.example.org:5432", "10.0.0.0/8:443"]',
            'host:port, address:port or network:port, reached over TCP; with access = "peers"',
        ),
    ),
    *_in(
        "file_systems.*",
        _text("folder", '"/data/shared"', "The folder that a channel's DirectoryPath begins at", default="required"),
    ),
    *_in(
        "roles.*",
        _text("access_key", '"…"', "The role's key, beside its secret_key"),
        _text("secret_key", '"…"', "The secret of access_key"),
        _text("session_token", '"…"', "The token of a temporary access_key"),
        _text(
            "profile", '"research"', "In place of keys: a profile of the AWS configuration of whoever runs the engine"
        ),
        _text("credentials", '"none"', "In place of keys: known, and without credentials", choices=("none",)),
        _text("region", '"us-east-1"', "The region that the program's AWS clients use", default="the job's"),
        _text(
            "endpoint",
            '"http://127.0.0.1:5000"',
            "The endpoint that the program's AWS clients use",
            default="Amazon's",
            pattern="https?://.+",
        ),
    ),
    *_in(
        "webhook",
        _text(
            "url",
            '"https://example.com/jobs"',
            "Where events are posted, in order, until they are taken (2xx) or refused for good (4xx)",
            pattern="https?://.+",
        ),
        _text(
            "secret_file",
            '"/etc/trainyard/webhook.secret"',
            "A file whose content signs each body: X-Trainyard-Signature: sha256=HMAC",
        ),
    ),
    *_in(
        "keys.*",
        _text("secret", '"…"', "The secret access key that requests are signed with", default="required"),
        _text(
            "account",
            '"000000000000"',
            "The account that it belongs to",
            default="defaults.account",
            pattern="[0-9]{12}",
        ),
        _text(
            "region",
            '"us-east-1"',
            "The one region that it is good for",
            default="all",
            pattern="[a-z0-9]+(-[a-z0-9]+)+",
        ),
        _text(
            "role",
            '"read"',
            "What its holder may do: look, or work as well",
            default="submit",
            choices=("read", "submit"),
        ),
    ),
)
