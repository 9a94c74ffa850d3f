# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: contexts made once, handshakes whose failure has a name, and a look at a certificate that was refused."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
import time
from typing import Any

from .._core.errors import OptionError
from .failure import Failure, is_timeout
from .resolve import Address
from .spec import Endpoint

# X509_V_ERR_*: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_VERIFY = {
    2: "untrusted",
    9: "not_yet_valid",
    10: "expired",
    18: "untrusted",
    19: "untrusted",
    20: "untrusted",
    21: "untrusted",
    23: "revoked",
    24: "untrusted",
    62: "hostname",
    64: "hostname",
}
# The server spoke, and it was not TLS.
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)
_INSPECT_SECONDS = 2.0


class Contexts:
    """SSL contexts by what goes into them: reading the trusted authorities takes longer than many a request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[Any, ...], ssl.SSLContext] = {}

    def get(self, endpoint: Endpoint) -> ssl.SSLContext:
        """The context for an endpoint.

        :raises OptionError: the file of an authority or of a client certificate is no such thing.
        """
        key = (endpoint.validate_certs, endpoint.ca_path, endpoint.client_cert, endpoint.client_key)
        with self._lock:
            if key not in self._made:
                self._made[key] = _make(endpoint)
            return self._made[key]


def _make(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        if not endpoint.validate_certs:
            context = _unverified()
        elif endpoint.ca_path and os.path.isdir(endpoint.ca_path):
            context = ssl.create_default_context(capath=endpoint.ca_path)
        else:
            context = ssl.create_default_context(cafile=endpoint.ca_path)
    except (ssl.SSLError, OSError) as error:
        raise OptionError(
            f"endpoints: {endpoint.name}: ca_path: {endpoint.ca_path} holds no certificate: {error}"
        ) from error
    if endpoint.client_cert:
        try:
            # Without the empty password OpenSSL would ask on the terminal for that of an encrypted key.
            context.load_cert_chain(endpoint.client_cert, endpoint.client_key, password="")
        except (ssl.SSLError, OSError) as error:
            raise OptionError(f"endpoints: {endpoint.name}: client_cert: {endpoint.client_cert}: {error}") from error
    return context


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def handshake(raw: socket.socket, context: ssl.SSLContext, name: str, deadline: float) -> ssl.SSLSocket:
    """Make a connected socket a TLS one.

    :param name: name for SNI and for the verification.
    :param deadline: monotonic time.
    :raises Failure: of the phase ``tls``.
    """
    raw.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        # On a connection that was reset meanwhile wrap_socket alone does no handshake, and says nothing.
        wrapped = context.wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False)
        try:
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        return wrapped
    except ssl.SSLCertVerificationError as error:
        kind = _VERIFY.get(error.verify_code, "certificate")
        raise Failure("tls", kind, error.verify_message or str(error), {"verify_code": error.verify_code}) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise Failure("tls", "closed", "the server closed the connection during the handshake") from error
    except ssl.SSLError as error:
        reason = str(error.reason or error)
        kind = "not_tls" if any(word in reason for word in _NOT_TLS) else "handshake"
        raise Failure("tls", kind, reason.replace("_", " ").lower()) from error
    except ValueError as error:
        raise Failure("tls", "handshake", f"the name {name!r} cannot be asked for: {error}") from error
    except OSError as error:
        if is_timeout(error):
            raise Failure("tls", "timeout", "no end of the TLS handshake in time") from error
        raise Failure(
            "tls", "reset", "the connection was reset during the handshake: %s" % (error.strerror or error)
        ) from error


def inspect(address: Address, name: str, deadline: float) -> dict[str, Any] | None:
    """What is in the certificate that a handshake refused: a second, unverified handshake, only for the evidence.

    :returns: subject, issuer, names, not_before, not_after, self_signed; None where it cannot be had.
    """
    end = min(deadline, time.monotonic() + _INSPECT_SECONDS)
    family, place = address
    try:
        with socket.socket(family, socket.SOCK_STREAM) as raw:
            raw.settimeout(max(end - time.monotonic(), 0.001))
            raw.connect(place)
            with handshake(raw, _unverified(), name, end) as wrapped:
                der = wrapped.getpeercert(binary_form=True)
    except (OSError, Failure):
        return None
    return describe(der) if der else None


def describe(der: bytes) -> dict[str, Any] | None:
    """A certificate in words. Needs `cryptography`, as ansible-core does; without it there is less evidence."""
    try:
        from cryptography import x509
    except ImportError:
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            shown = [str(getattr(one, "value", one)) for one in names]
        except x509.ExtensionNotFound:
            shown = []
        # The _utc properties came with cryptography 42; the old ones are naive, and UTC as well.
        before = getattr(certificate, "not_valid_before_utc", None) or certificate.not_valid_before
        after = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after
        return {
            "subject": certificate.subject.rfc4514_string(),
            "issuer": certificate.issuer.rfc4514_string(),
            "names": shown[:20],
            "not_before": before.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "not_after": after.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "self_signed": certificate.subject == certificate.issuer,
            "fingerprint_sha256": hashlib.sha256(der).hexdigest(),
        }
    except ValueError:
        return None
