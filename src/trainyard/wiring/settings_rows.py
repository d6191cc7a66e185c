"""Every setting of trainyard.toml, as data: the file's check, its template and the reference page come from here."""

from __future__ import annotations

from dataclasses import dataclass

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
    "logs": Table(meaning="What is kept of a program's output"),
    "metrics": Table(meaning="What is measured of the machine"),
    "webhook": Table(meaning="Who is told of every state change of a job, in EventBridge's body, while `serve` runs"),
    "buckets.*": Table(
        meaning="Where a bucket's objects are: a folder, the embedded store, an endpoint, or else Amazon S3",
        name="my-data",
    ),
    "images.*": Table(meaning="What an image is on this machine: a command, or a Python for scripts", name="my-image"),
    "networks.*": Table(meaning="What the subnets and security groups of a VpcConfig mean here", name="private"),
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

SETTINGS = (
    Setting(
        table="", key="default_store", kind="text", choices=("embedded", "amazon"), default="embedded",
        example='"embedded"',
        meaning="Where s3:// goes for buckets without a table of their own: a folder of this home, or Amazon S3",
    ),
    Setting(
        table="", key="unknown_role", kind="text", choices=("allow", "refuse"), default="allow", example='"allow"',
        meaning="A job whose role has no table here runs without credentials, or is refused",
    ),
    Setting(
        table="defaults", key="account", kind="text", default="000000000000", example='"000000000000"',
        pattern="[0-9]{12}", meaning="The account, twelve digits",
    ),
    Setting(
        table="defaults", key="region", kind="text", default="us-east-1", example='"us-east-1"',
        pattern="[a-z0-9]+(-[a-z0-9]+)+", meaning="The region",
    ),
    Setting(
        table="capacity", key="cpus", kind="number", above=0, default="those of this machine", example="2.0",
        meaning="vCPUs",
    ),
    Setting(
        table="capacity", key="memory_gib", kind="number", above=0, default="that of this machine", example="8.0",
        meaning="Memory, in GiB",
    ),
    Setting(
        table="capacity", key="gpus", kind="whole", least=0, default="those of this machine", example="0",
        meaning="GPUs",
    ),
    Setting(
        table="capacity", key="oversize", kind="text", choices=("run", "refuse"), default="run", example='"refuse"',
        meaning="An instance type larger than this runs at this size, with a notice, or is refused",
    ),
    Setting(
        table="process", key="opt_ml", kind="text", choices=("private", "link"), default="private", example='"link"',
        meaning="Where the system gives a program no /opt/ml of its own (a pod): make /opt/ml a link to the job's, and "
        "run one job at a time",
    ),
    Setting(
        table="logs", key="cap_bytes", kind="whole", least=1 << 20, default="1 GiB", example="1073741824",
        meaning="The most that is kept of one log; its middle is freed first",
    ),
    Setting(
        table="metrics", key="usage_interval_seconds", kind="number", above=0, default="10", example="10.0",
        meaning="Seconds between looks at a host's CPU, memory and disk",
    ),
    Setting(
        table="webhook", key="url", kind="text", example='"https://example.com/jobs"', pattern=r"https?://.+",
        meaning="Where events are posted, in order, until they are taken (2xx) or refused for good (4xx)",
    ),
    Setting(
        table="webhook", key="secret_file", kind="text", example='"/etc/trainyard/webhook.secret"',
        meaning="A file whose content signs each body: X-Trainyard-Signature: sha256=HMAC",
    ),
    Setting(
        table="buckets.*", key="folder", kind="text", example='"/data/my-data"',
        meaning="The folder whose files are the bucket's objects",
    ),
    Setting(
        table="buckets.*", key="embedded", kind="switch", example="true",
        meaning="true: in the embedded store, whatever default_store says",
    ),
    Setting(
        table="buckets.*", key="endpoint", kind="text", pattern="https?://.+", example='"https://s3.example.org"',
        meaning="An S3-compatible endpoint",
    ),
    Setting(
        table="buckets.*", key="region", kind="text", default="us-east-1", example='"us-east-1"',
        meaning="The region that requests to the endpoint or to Amazon S3 are signed for",
    ),
    Setting(
        table="buckets.*", key="access_key", kind="text", default="those of the job's role", example='"…"',
        meaning="The key that requests are signed with, beside its secret_key",
    ),
    Setting(table="buckets.*", key="secret_key", kind="text", example='"…"', meaning="The secret of access_key"),
    Setting(
        table="images.*", key="command", kind="texts", example='["/usr/bin/python3", "/opt/train.py"]',
        meaning="What is started, before the job's own arguments",
    ),
    Setting(
        table="images.*", key="python", kind="text", example='"/opt/venv/bin/python"',
        meaning="The interpreter that runs the job's script; in place of command",
    ),
    Setting(
        table="images.*", key="env", kind="words", example='{ OMP_NUM_THREADS = "2" }',
        meaning="Variables of its programs; the job's own go before them",
    ),
    Setting(
        table="networks.*", key="subnets", kind="texts", example='["subnet-1"]', default="required",
        meaning="Subnets that mean this network",
    ),
    Setting(
        table="networks.*", key="security_groups", kind="texts", example='["sg-1"]', default="required",
        meaning="Security groups that mean this network; a job's subnets and groups must all be of one network",
    ),
    Setting(
        table="networks.*", key="access", kind="text", choices=("host", "none", "peers"), default="host",
        example='"peers"', meaning="This machine's own network, none at all, or the listed peers and nothing else",
    ),
    Setting(
        table="networks.*", key="peers", kind="texts", example='["db.example.org:5432", "10.0.0.0/8:443"]',
        meaning='host:port, address:port or network:port, reached over TCP; with access = "peers"',
    ),
    Setting(
        table="roles.*", key="access_key", kind="text", example='"…"',
        meaning="The role's key, beside its secret_key",
    ),
    Setting(table="roles.*", key="secret_key", kind="text", example='"…"', meaning="The secret of access_key"),
    Setting(
        table="roles.*", key="session_token", kind="text", example='"…"',
        meaning="The token of a temporary access_key",
    ),
    Setting(
        table="roles.*", key="profile", kind="text", example='"research"',
        meaning="In place of keys: a profile of the AWS configuration of whoever runs the engine",
    ),
    Setting(
        table="roles.*", key="credentials", kind="text", choices=("none",), example='"none"',
        meaning="In place of keys: known, and without credentials",
    ),
    Setting(
        table="roles.*", key="region", kind="text", default="the job's", example='"us-east-1"',
        meaning="The region that the program's AWS clients use",
    ),
    Setting(
        table="roles.*", key="endpoint", kind="text", pattern="https?://.+", default="Amazon's",
        example='"http://127.0.0.1:5000"', meaning="The endpoint that the program's AWS clients use",
    ),
    Setting(
        table="keys.*", key="secret", kind="text", default="required", example='"…"',
        meaning="The secret access key that requests are signed with",
    ),
    Setting(
        table="keys.*", key="account", kind="text", pattern="[0-9]{12}", default="defaults.account",
        example='"000000000000"', meaning="The account that it belongs to",
    ),
    Setting(
        table="keys.*", key="region", kind="text", pattern="[a-z0-9]+(-[a-z0-9]+)+", default="all",
        example='"us-east-1"', meaning="The one region that it is good for",
    ),
    Setting(
        table="keys.*", key="role", kind="text", choices=("read", "submit"), default="submit", example='"read"',
        meaning="What its holder may do: look, or work as well",
    ),
)  # fmt: skip
