"""Why another Trainyard cannot be reached, in words that say what to do."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp

from trainyard.controlapi.methods import Method
from trainyard.model.errors import TrainyardError, Transient

# OpenSSL's verification results (X509_V_ERR_…).
_NOT_YET, _EXPIRED, _ANOTHER_NAME = {9}, {10}, {62, 64}
_CERTIFICATE = {
    **dict.fromkeys(_NOT_YET, "its certificate is not valid yet: is this machine's clock right?"),
    **dict.fromkeys(_EXPIRED, "its certificate has expired: renew it there (or this machine's clock is wrong)"),
    **dict.fromkeys(_ANOTHER_NAME, "its certificate is for another name: call it by a name that stands in it"),
}
_UNTRUSTED = "nobody who is trusted here has signed its certificate: name the file of its authority (--service-ca-file)"


def trusting(ca: Path) -> ssl.SSLContext:
    """TLS that trusts the certificates of a file and no others. Raises TrainyardError for a file that holds none."""
    try:
        return ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError as error:
        raise TrainyardError(f"{ca} holds no certificate in PEM form: {error.reason or error}.") from error
    except OSError as error:
        raise TrainyardError(f"The certificate file {ca} cannot be read: {error.strerror}.") from error


def token_in(file: Path) -> str:
    """The token of a file, as it is now. Raises Transient: a file that is replaced is there again in a moment."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Transient(f"The token file {file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise Transient(f"The token file {file} holds no token.") from error
    if not token or not token.isprintable() or " " in token:
        raise Transient(f"The token file {file} holds no token.")
    return token


def unreachable(where: str, method: Method, error: BaseException) -> Transient:
    """What is told of a call that brought no answer; of one that may have been carried out, that too."""
    unknown = method.writes and not isinstance(error, aiohttp.ClientConnectorError)
    doubt = f" Whether {method.name} was carried out is not known: look before you repeat it." if unknown else ""
    return Transient(f"The Trainyard at {where} cannot be reached: {_reason(error)}.{doubt}")


def _reason(error: BaseException) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            code = cause.verify_code if isinstance(cause, ssl.SSLCertVerificationError) else 0
            return _CERTIFICATE.get(code, _UNTRUSTED)
        case aiohttp.ClientConnectorSSLError():
            return f"what answers there does not speak TLS as we do ({error.os_error})"
        case aiohttp.ClientConnectorDNSError():
            return f"the name is not known here ({error.os_error.strerror or error.os_error})"
        case aiohttp.ClientConnectorError():
            return f"nobody answers there ({error.os_error.strerror or error.os_error}): does `trainyard serve` run?"
        case TimeoutError():
            return "it does not answer in time"
        case _:
            return str(error) or type(error).__name__
