"""Refusals as S3 words them: a code, a status and a sentence, in XML. Clients match on the codes."""

from __future__ import annotations

from trainyard.awswire.sigv4 import Fault, SignatureRefused
from trainyard.model.errors import ObjectRefused, Refusal, Transient

ERRORS = {
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs"),
    "AccessDenied": (403, "Access Denied"),
    "AuthorizationHeaderMalformed": (400, "The authorization header is malformed."),
    "AuthorizationQueryParametersError": (400, "The query parameters of the signature are wrong."),
    "BadDigest": (400, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    "BucketAlreadyExists": (409, "The requested bucket name is not available. Select a different name and try again."),
    "BucketAlreadyOwnedByYou": (
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty"),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size"),
    "ExpiredToken": (400, "The provided token has expired."),
    "IllegalLocationConstraintException": (
        400,
        "The location constraint is incompatible for the region specific endpoint this request was sent to.",
    ),
    "IncompleteBody": (400, "The request body terminated unexpectedly"),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": (403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidArgument": (400, "Invalid Argument"),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidDigest": (400, "The Content-MD5 you specified was invalid."),
    "InvalidPart": (
        400,
        "One or more of the specified parts could not be found, or their entity tags do not match.",
    ),
    "InvalidPartOrder": (
        400,
        "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (400, "The request is not valid."),
    "InvalidStorageClass": (400, "The storage class you specified is not valid"),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "InvalidURI": (400, "Couldn't parse the specified URI."),
    "KeyTooLongError": (400, "Your key is too long"),
    "MalformedTrailerError": (400, "The request contained trailing data that was not well-formed."),
    "MalformedXML": (
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "NoSuchBucket": (404, "The specified bucket does not exist"),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (
        404,
        "The specified upload does not exist. It may have been aborted or completed, or the upload ID is invalid.",
    ),
    "NoSuchVersion": (404, "The specified version does not exist."),
    "NotImplemented": (501, "A header you provided implies functionality that is not implemented"),
    "NotModified": (304, "Not Modified"),
    "PreconditionFailed": (412, "At least one of the pre-conditions you specified did not hold"),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "RequestTimeout": (
        400,
        "Your socket connection to the server was not read from or written to within the timeout period.",
    ),
    "ServiceUnavailable": (503, "Service is unable to handle request."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and method.",
    ),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
}


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that is answered with an error. details: more elements of its XML, more headers."""

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        details: dict[str, str] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.status, words = ERRORS.get(code, (404, code))
        super().__init__(message or words)
        self.code = code
        self.message = message or words
        self.details = details or {}
        self.headers = headers


def from_store(refused: ObjectRefused) -> Refused:
    """A store's refusal, in the service's words."""
    return Refused(str(refused.reason))


def from_fault(fault: Transient) -> Refused:
    """A fault that may pass: clients try again."""
    return Refused("ServiceUnavailable", str(fault), headers=(("retry-after", str(max(1, round(fault.after)))),))


_PRESIGNED = {Fault.EXPIRED: "Request has expired", Fault.NOT_YET: "Request is not yet valid"}
_CODES = {
    Fault.UNSUPPORTED: "InvalidRequest",
    Fault.AMBIGUOUS: "InvalidArgument",
    Fault.UNKNOWN_KEY: "InvalidAccessKeyId",
    Fault.EXPIRED_KEY: "ExpiredToken",
    Fault.SKEWED: "RequestTimeTooSkewed",
    Fault.PAYLOAD: "XAmzContentSHA256Mismatch",
    Fault.MISMATCH: "SignatureDoesNotMatch",
}


def from_signature(refused: SignatureRefused, *, presigned: bool) -> Refused:
    """A signature's refusal, in S3's words, which are not the other services'."""
    if refused.fault in _PRESIGNED:
        return Refused("AccessDenied", _PRESIGNED[refused.fault])
    if refused.fault is Fault.ABSENT:
        return Refused("AccessDenied")
    if refused.fault in _CODES:
        code = _CODES[refused.fault]
        return Refused(code, refused.message if code in ("InvalidRequest", "InvalidArgument") else "")
    if refused.fault is Fault.HEADERS:
        return Refused("AccessDenied", refused.message)
    return Refused(
        "AuthorizationQueryParametersError" if presigned else "AuthorizationHeaderMalformed", refused.message
    )


NO_BYTES = (Refusal.NOT_MODIFIED,)  # refusals that have no body
