# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get the certificates that a server shows: connect, STARTTLS, a handshake that refuses nothing.

Nothing is sent but the few words of STARTTLS, and nobody logs in. The handshake verifies nothing, because what is wrong
with a certificate is to be told, and for that it has to be seen.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable

from .._http.failure import Failure, is_timeout, of_connection
from .._http.resolve import Resolver
from .spec import Source

_LONGEST = 64 * 1024
_HELLO = b"nexuscos-ops"
_LDAP_STARTTLS = b"1.3.6.1.4.1.1466.20037"
# The server spoke, and it was not TLS.
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
)


@dataclass
class Shown:
    """What a server showed.

    :ivar chain: certificates in DER, as they were sent; whole: the chain, not only the first of it.
    :ivar note: why the handshake failed after the certificates had come (a server that wants one of ours).
    """

    address: str = ""
    ms: float = 0.0
    version: str | None = None
    cipher: str | None = None
    chain: list[bytes] = field(default_factory=list)
    whole: bool = False
    note: str | None = None


def context() -> ssl.SSLContext:
    """One context for all: it trusts nobody, checks nothing, and accepts what is old and weak, to be able to tell."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with contextlib.suppress(ssl.SSLError):  # other builds than OpenSSL's know no levels
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
    return made


def show(
    source: Source,
    resolver: Resolver,
    tls: ssl.SSLContext,
    deadline: float,
    connected: Callable[[], None] = lambda: None,
) -> Shown:
    """Ask one endpoint.

    :param deadline: monotonic time.
    :param connected: called when there is a connection, before anything is said.
    :raises Failure: of the phases ``dns``, ``connect``, ``starttls`` and ``tls``.
    """
    began = time.monotonic()
    shown = Shown()
    host = source.connect_host or str(source.host)
    port = source.connect_port or source.port
    try:
        with _connected(resolver.resolve(host, port, deadline), deadline, shown) as raw:
            connected()
            if source.starttls:
                _starttls(source.starttls, raw, deadline)
            _handshake(raw, tls, _sni(source), deadline, shown)
    except Failure as failure:
        # Where it was, also when it went wrong: what several have in common is found by it.
        if shown.address:
            failure.more["address"] = shown.address
        raise
    shown.ms = round((time.monotonic() - began) * 1000, 2)
    return shown


def _sni(source: Source) -> str | None:
    """The name to ask for; an address is none (RFC 6066)."""
    name = source.server_name or str(source.host)
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, name)
            return None
    return name


@contextlib.contextmanager
def _connected(addresses: list[tuple[int, tuple[Any, ...]]], deadline: float, shown: Shown) -> Iterator[socket.socket]:
    """A connection to the first address that takes one. Each gets its share of the time that is left."""
    trouble: Failure | None = None
    for place, (family, address) in enumerate(addresses):
        left = deadline - time.monotonic()
        shown.address = ("[%s]:%d" if family == socket.AF_INET6 else "%s:%d") % address[:2]
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(max(left / (len(addresses) - place), 0.001))
            raw.connect(address)
        except OSError as error:
            raw.close()
            trouble = Failure("connect", of_connection(error), "%s: %s" % (shown.address, error.strerror or error))
            continue
        with raw:
            yield raw
        return
    raise trouble or Failure("connect", "other", "no address")


def _handshake(raw: socket.socket, tls: ssl.SSLContext, name: str | None, deadline: float, shown: Shown) -> None:
    raw.settimeout(max(deadline - time.monotonic(), 0.001))
    wrapped: ssl.SSLSocket | None = None
    try:
        wrapped = tls.wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False)
        wrapped.do_handshake()
    except (ssl.SSLError, ValueError, OSError) as error:
        failure = _why(error, name)
        # Whoever wants a certificate of ours has shown its own before it hangs up.
        _read_chain(wrapped, shown)
        if wrapped is not None:
            wrapped.close()
        if not shown.chain:
            raise failure from error
        shown.note = failure.text
        return
    with wrapped:
        _read_chain(wrapped, shown)
        shown.version = wrapped.version()
        shown.cipher = (wrapped.cipher() or (None,))[0]
    if not shown.chain:
        raise Failure("tls", "anonymous", "the server shows no certificate")


def _read_chain(wrapped: ssl.SSLSocket | None, shown: Shown) -> None:
    """The chain as it was sent. Python 3.13 has a method for it, 3.10 a hidden one, 3.9 shows the first only."""
    if wrapped is None:
        return
    whole = getattr(wrapped, "get_unverified_chain", None)
    hidden = getattr(getattr(wrapped, "_sslobj", None), "get_unverified_chain", None)
    with contextlib.suppress(ssl.SSLError, ValueError, AttributeError):
        if whole is not None:
            shown.chain = [bytes(one) for one in whole() or ()]
        elif hidden is not None:
            # ENCODING_DER of the module _ssl, which has no other name for it.
            shown.chain = [one if isinstance(one, bytes) else one.public_bytes(2) for one in hidden() or ()]
        shown.whole = bool(shown.chain)
    if not shown.chain:
        with contextlib.suppress(ssl.SSLError, ValueError):
            first = wrapped.getpeercert(binary_form=True)
            shown.chain = [first] if first else []


def _why(error: BaseException, name: str | None) -> Failure:
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Failure("tls", "closed", "the server closed the connection during the handshake")
    if isinstance(error, ssl.SSLError):
        reason = str(error.reason or error)
        if is_timeout(error) or "timed out" in reason:
            return Failure("tls", "timeout", "no end of the TLS handshake in time")
        kind = "not_tls" if any(word in reason for word in _NOT_TLS) else "handshake"
        return Failure("tls", kind, reason.replace("_", " ").lower())
    if isinstance(error, OSError):
        if is_timeout(error):
            return Failure("tls", "timeout", "no end of the TLS handshake in time")
        return Failure("tls", "reset", "the connection was reset during the handshake: %s" % (error.strerror or error))
    return Failure("tls", "handshake", f"the name {name!r} cannot be asked for: {error}")


# STARTTLS


class _Line:
    """Lines and bytes of a conversation in plain text. Nothing is read past what is asked for: TLS begins there."""

    def __init__(self, raw: socket.socket, deadline: float) -> None:
        self._raw, self._deadline = raw, deadline

    def send(self, data: bytes) -> None:
        self._wait()
        self._raw.sendall(data)

    def take(self, count: int) -> bytes:
        """Exactly so many bytes."""
        data = b""
        while len(data) < count:
            self._wait()
            more = self._raw.recv(count - len(data))
            if not more:
                raise Failure("starttls", "closed", "the server hangs up before TLS")
            data += more
        return data

    def line(self) -> bytes:
        """A line without its end."""
        data = bytearray()
        while len(data) < _LONGEST:
            self._wait()
            seen = self._raw.recv(1024, socket.MSG_PEEK)
            if not seen:
                raise Failure("starttls", "closed", "the server hangs up before TLS")
            end = seen.find(b"\n")
            data += self.take(end + 1 if end >= 0 else len(seen))
            if end >= 0:
                return bytes(data).rstrip(b"\r\n")
        raise Failure("starttls", "garbage", "a line without an end")

    def _wait(self) -> None:
        self._raw.settimeout(max(self._deadline - time.monotonic(), 0.001))


def _starttls(protocol: str, raw: socket.socket, deadline: float) -> None:
    try:
        _TALKS[protocol](_Line(raw, deadline))
    except Failure:
        raise
    except OSError as error:
        if is_timeout(error):
            raise Failure("starttls", "timeout", f"no answer to {protocol.upper()} STARTTLS in time") from error
        raise Failure(
            "starttls", "reset", "the connection was reset before TLS: %s" % (error.strerror or error)
        ) from error


def _refused(said: bytes) -> Failure:
    return Failure("starttls", "refused", "the server offers no TLS: %s" % _plain(said))


def _garbage(protocol: str, said: bytes) -> Failure:
    return Failure("starttls", "garbage", "what answers is no %s server: %s" % (protocol, _plain(said)))


def _plain(said: bytes) -> str:
    return repr(said[:120].decode("ascii", "replace"))


def _smtp(talk: _Line) -> None:
    def answer() -> tuple[bytes, list[bytes]]:
        lines: list[bytes] = []
        while len(lines) < 200:
            line = talk.line()
            if not line[:3].isdigit() or line[3:4] not in (b" ", b"-", b""):
                raise _garbage("SMTP", line)
            lines.append(line)
            if line[3:4] != b"-":
                return line[:3], lines
        raise _garbage("SMTP", lines[-1])

    code, lines = answer()
    if code != b"220":
        raise _refused(lines[-1])
    talk.send(b"EHLO " + _HELLO + b"\r\n")
    code, lines = answer()
    if code != b"250" or not any(line[4:].strip().upper() == b"STARTTLS" for line in lines):
        raise Failure("starttls", "refused", "the server offers no STARTTLS in its answer to EHLO")
    talk.send(b"STARTTLS\r\n")
    code, lines = answer()
    if code != b"220":
        raise _refused(lines[-1])


def _imap(talk: _Line) -> None:
    line = talk.line()
    if not line.startswith(b"* "):
        raise _garbage("IMAP", line)
    if line[2:].upper().startswith(b"BYE"):
        raise _refused(line)
    talk.send(b"a1 STARTTLS\r\n")
    for _line in range(100):
        line = talk.line()
        if line.startswith(b"a1 "):
            if not line[3:].upper().startswith(b"OK"):
                raise _refused(line)
            return
        if not line.startswith(b"* "):
            raise _garbage("IMAP", line)
    raise _garbage("IMAP", line)


def _pop3(talk: _Line) -> None:
    line = talk.line()
    if not line.startswith((b"+OK", b"-ERR")):
        raise _garbage("POP3", line)
    if line.startswith(b"-ERR"):
        raise _refused(line)
    talk.send(b"STLS\r\n")
    line = talk.line()
    if not line.startswith(b"+OK"):
        raise _refused(line)


def _postgres(talk: _Line) -> None:
    talk.send(struct.pack("!ii", 8, 80877103))
    answer = talk.take(1)
    if answer == b"N":
        raise Failure("starttls", "refused", "the server offers no TLS (answer N to SSLRequest)")
    if answer != b"S":
        raise _garbage("PostgreSQL", answer)


def _ldap(talk: _Line) -> None:
    """ExtendedRequest StartTLS (RFC 4511, 4.14) as message 1, and the result code of its answer."""
    name = bytes((0x80, len(_LDAP_STARTTLS))) + _LDAP_STARTTLS
    body = b"\x02\x01\x01" + bytes((0x77, len(name))) + name
    talk.send(bytes((0x30, len(body))) + body)
    tag, message = _tlv(talk)
    rest = message
    try:
        if tag != 0x30:
            raise ValueError
        _id, rest = _split(rest)
        (tag, extended), _controls = _split(rest)
        if tag != 0x78:
            raise ValueError
        (tag, code), rest = _split(extended)
        if tag != 0x0A or not code:
            raise ValueError
    except (ValueError, IndexError) as error:
        raise _garbage("LDAP", message[:20]) from error
    number = int.from_bytes(code, "big")
    if number:
        said = b""
        with contextlib.suppress(ValueError, IndexError):
            _matched, rest = _split(rest)
            (_tag, said), rest = _split(rest)
        raise Failure("starttls", "refused", "the server refuses TLS (LDAP result %d): %s" % (number, _plain(said)))


def _tlv(talk: _Line) -> tuple[int, bytes]:
    """One BER element off the wire: tag and content."""
    tag, length = talk.take(2)
    if length & 0x80:
        count = length & 0x7F
        if not 0 < count <= 4:
            raise _garbage("LDAP", bytes((tag, length)))
        length = int.from_bytes(talk.take(count), "big")
    if length > _LONGEST:
        raise _garbage("LDAP", bytes((tag,)))
    return tag, talk.take(length)


def _split(data: bytes) -> tuple[tuple[int, bytes], bytes]:
    """The first BER element of some bytes, and what follows; raises ValueError or IndexError."""
    tag, length, at = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, at = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    if len(data) < at + length:
        raise ValueError("cut off")
    return (tag, data[at : at + length]), data[at + length :]


_TALKS: dict[str, Callable[[_Line], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ldap": _ldap,
    "postgres": _postgres,
}
