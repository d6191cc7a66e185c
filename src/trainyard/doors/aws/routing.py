"""Which service a request is for: the signature says so; unsigned ones are told by what their clients send."""

from __future__ import annotations

from urllib.parse import parse_qs

from trainyard.awswire.json11 import target_of
from trainyard.awswire.sigv4 import Claim, RawRequest

QUERY = "query"
"""An unsigned form whose service stands in its body."""

_TARGETS = {
    "SageMaker": "sagemaker",
    "Logs_20140328": "logs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
    "GraniteServiceVersion20100801": "monitoring",
}
_PATHS = {b"/BatchPutMetrics": "sagemaker", b"/BatchGetMetrics": "sagemaker"}
_RPC = b"/service/GraniteServiceVersion20100801/"
_VERSIONS = {"2011-06-15": "sts", "2010-05-08": "iam", "2010-08-01": "monitoring"}
_FORM = b"application/x-www-form-urlencoded"


def service_of(request: RawRequest, claim: Claim | None) -> str:
    """The signing name of the service; QUERY where the body must be read first; S3 for whatever is nothing else."""
    if claim is not None:
        return claim.scope.service
    prefix, _ = target_of(request)
    if prefix:
        return _TARGETS.get(prefix, prefix)
    if request.path in _PATHS:
        return _PATHS[request.path]
    if request.path.startswith(_RPC):
        return "monitoring"
    kinds = [value for name, value in request.headers if name == b"content-type"]
    if request.method == "POST" and request.path == b"/" and kinds and kinds[0].lower().startswith(_FORM):
        return QUERY
    return "s3"


def service_of_form(body: bytes) -> str:
    """The service of an unsigned form, by its API's version; "" where none of ours has that one."""
    try:
        fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=1000)
    except ValueError:
        return ""
    return _VERSIONS.get(fields.get("Version", [""])[0], "")
