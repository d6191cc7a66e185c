"""Names of objects: `s3://bucket/key`, `file:///path`, and what AWS spells as `https://`."""

from __future__ import annotations

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")


def plain(uri: str) -> str:
    """The URI as listings spell it.

    `https://s3.<region>.amazonaws.com/bucket/key` and `https://bucket.s3.<region>.amazonaws.com/key` are
    `s3://bucket/key`; a bucket alone gets its slash.
    """
    scheme, _, rest = uri.partition("://")
    if scheme == "https":
        scheme, rest = "s3", _behind_host(rest)
    return f"{scheme}://{rest}" if "/" in rest else f"{scheme}://{rest}/"


def key_of(uri: str) -> str:
    """A plain URI without scheme and bucket."""
    return uri.partition("://")[2].partition("/")[2]


def folder_of(uri: str) -> str:
    """A plain URI up to its last slash: what files of a channel are named below."""
    return uri[: uri.rfind("/") + 1]


def _behind_host(rest: str) -> str:
    host, _, path = rest.partition("/")
    bucket, dot, _ = host.partition(".s3")
    return f"{bucket}/{path}" if dot and bucket and host.endswith(_AMAZON) else path
