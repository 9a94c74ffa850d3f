# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an API server: lists in pages, single documents and log tails, all before one deadline."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator
from typing import Any, Callable
from urllib.parse import urlencode

from .._core.deps import need
from .._core.errors import LookError
from .._core.redact import redact_text
from .access import Access
from .read import Doc, text
from .stream import ListStream

PAGE = 500
_CHUNK = 128 * 1024
_MOST_PAGES = 2000
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
_AGENT = "nexuscos.ops/k8s_health"
_REFUSALS = {
    401: "denied",
    403: "denied",
    404: "missing",
    410: "expired",
    429: "busy",
    500: "unavailable",
    502: "unavailable",
    503: "unavailable",
    504: "timeout",
}


class Client:
    """One API server, safe to use from several threads.

    :param access: where and how.
    :param until: monotonic time of the deadline.
    :param connections: how many connections are kept.
    """

    def __init__(self, access: Access, until: float, connections: int = 4) -> None:
        urllib3: Any = need("urllib3", "1.26")
        self._errors: Any = urllib3.exceptions
        self._timeout: Any = urllib3.Timeout
        self._until = until
        self._host = access.host
        headers = {"User-Agent": _AGENT, "Accept": "application/json"}
        headers.update(access.headers)
        if access.compress:
            headers["Accept-Encoding"] = "gzip"
        pool: dict[str, Any] = {"maxsize": connections, "headers": headers, "retries": False}
        if access.host.startswith("https:"):
            pool["ssl_context"] = access.ssl_context()
            if not access.verify:
                pool["cert_reqs"] = "CERT_NONE"
                pool["assert_hostname"] = False
                # The user has asked for it, by name: no need to be told again with every connection.
                urllib3.disable_warnings(self._errors.InsecureRequestWarning)
            elif access.server_name:
                pool["server_hostname"] = access.server_name
                pool["assert_hostname"] = access.server_name
        self._pool: Any = urllib3.ProxyManager(access.proxy, **pool) if access.proxy else urllib3.PoolManager(**pool)

    def left(self) -> float:
        """Seconds until the deadline."""
        return self._until - time.monotonic()

    def get(self, path: str) -> tuple[Any, float | None]:
        """One JSON document, and the server's clock (seconds since 1970; None where it does not say).

        :raises LookError: see :meth:`_open`.
        """
        response = self._open(path)
        raw = b"".join(self._chunks(response))
        try:
            return json.loads(raw.decode("utf-8", "replace")), _clock(response.headers.get("Date"))
        except (ValueError, RecursionError) as error:
            raise LookError("garbage", f"{path}: the answer is no JSON") from error

    def failing(self) -> list[str]:
        """The parts that the API server itself calls not ready (``/readyz``); none where it is ready or does not say.

        :raises LookError: no answer at all.
        """
        response = self._send("/readyz?verbose", "*/*")
        raw = self._body(response)
        if response.status not in (500, 503):
            return []
        return [line[3:].strip()[:200] for line in raw.splitlines() if line.startswith("[-]")] or ["readyz"]

    def tail(self, path: str, most: int = 16384) -> str:
        """The first bytes of an answer as text.

        :raises LookError: see :meth:`_open`.
        """
        response = self._open(path, accept="*/*")
        raw = b""
        for chunk in self._chunks(response):
            raw += chunk
            if len(raw) >= most:
                response.close()
                break
        return raw[:most].decode("utf-8", "replace")

    def each(
        self,
        path: str,
        keep: Callable[[Doc], Any],
        selector: str = "",
        metadata: bool = False,
        most: int = 0,
    ) -> list[Any]:
        """All objects of a kind, each reduced by `keep` as soon as it has arrived; None is left out.

        Asked for with ``resourceVersion=0`` and ``limit=500``. The first means that an answer from the API server's own
        memory will do, so that etcd is not read. API servers that keep the kind in memory then ignore the limit and
        send everything in one answer; others, and aggregated APIs, send pages and a token for the next. Both are read
        object by object, so that memory does not depend on which it is.

        :param selector: a field selector, answered without resourceVersion.
        :param metadata: ask for names and labels only, where the server can leave out the rest.
        :param most: stop after so many objects (0: never).
        :raises LookError: see :meth:`_open`; ``gone`` tokens are retried once from the start.
        """
        for attempt in (1, 2):
            try:
                return self._pages(path, keep, selector, metadata, most, fresh=attempt == 2)
            except LookError as error:
                # The token of the next page has expired: what it pointed at has been compacted away.
                if error.kind != "expired" or attempt == 2:
                    raise
        raise LookError("other", f"{path}: not read")

    def _pages(
        self, path: str, keep: Callable[[Doc], Any], selector: str, metadata: bool, most: int, fresh: bool
    ) -> list[Any]:
        kept: list[Any] = []
        token = ""
        for _page in range(_MOST_PAGES):
            query = {"limit": str(PAGE)}
            if token:
                query["continue"] = token
            elif not selector and not fresh:
                query["resourceVersion"] = "0"
            if selector:
                query["fieldSelector"] = selector
            response = self._open(f"{path}?{urlencode(query)}", accept=_METADATA if metadata else "")
            stream = ListStream(self._chunks(response))
            for item in stream.items():
                if isinstance(item, dict):
                    value = keep(item)
                    if value is not None:
                        kept.append(value)
            following = text(stream.envelope, "metadata", "continue")
            if "List" not in text(stream.envelope, "kind") and not kept:
                raise LookError("garbage", f"{path}: the answer is no list")
            if not following or following == token or (most and len(kept) >= most):
                return kept
            token = following
        raise LookError("garbage", "%s: more than %d pages" % (path, _MOST_PAGES))

    def _open(self, path: str, accept: str = "") -> Any:
        """Begin a request.

        :raises LookError: of the kinds of :class:`LookError`, and ``missing`` (404), ``expired`` (410), ``busy`` (429),
            ``unavailable`` (500, 502, 503); the text is the server's own message where it sent one.
        """
        response = self._send(path, accept)
        if response.status != 200:
            raise self._refusal(response)
        return response

    def _send(self, path: str, accept: str = "") -> Any:
        left = self.left()
        if left <= 0:
            raise LookError("timeout", "the deadline was over before %s was asked for" % path.split("?", 1)[0])
        headers = dict(self._pool.headers)
        if accept:
            headers["Accept"] = accept
        try:
            return self._pool.request(
                "GET",
                self._host + path,
                headers=headers,
                timeout=self._timeout(connect=min(left, 10.0), read=left),
                preload_content=False,
                redirect=False,
            )
        except (self._errors.HTTPError, OSError, ValueError) as error:
            raise self._trouble(error) from error

    def _chunks(self, response: Any) -> Iterator[bytes]:
        try:
            for chunk in response.stream(_CHUNK, decode_content=True):
                if self.left() <= 0:
                    response.close()
                    raise LookError("timeout", "the deadline was over while an answer was still arriving")
                yield chunk
        except (self._errors.HTTPError, OSError, ValueError) as error:
            raise self._trouble(error) from error
        response.release_conn()

    def _trouble(self, error: Exception) -> LookError:
        errors = self._errors
        cause = getattr(error, "reason", None)
        if isinstance(cause, Exception):
            error = cause
        said = " ".join(redact_text(str(error)).split())[:300]
        if isinstance(error, errors.SSLError):
            return LookError("tls", f"TLS with {self._host} fails: {said}")
        if isinstance(error, getattr(errors, "NameResolutionError", ())) or "Name or service not known" in said:
            return LookError("dns", f"{self._host}: the name cannot be resolved")
        if isinstance(error, errors.NewConnectionError):  # which urllib3 counts among the timeouts
            if "refused" in said:
                return LookError("refused", f"{self._host} refuses connections")
            return LookError("timeout", "%s cannot be reached: %s" % (self._host, said.rsplit(": ", 1)[-1]))
        if isinstance(error, (errors.ConnectTimeoutError, errors.ReadTimeoutError, TimeoutError)):
            return LookError("timeout", f"no answer from {self._host} in time")
        if isinstance(error, (errors.ProtocolError, ConnectionError)):
            return LookError("garbage", f"{self._host} breaks the connection: {said}")
        if isinstance(error, errors.DecodeError):
            return LookError("garbage", f"{self._host} sends what cannot be decompressed")
        return LookError("other", said or type(error).__name__)

    def _refusal(self, response: Any) -> LookError:
        raw = self._body(response)
        try:
            said = text(json.loads(raw), "message")
        except (ValueError, RecursionError):
            said = raw
        status = int(response.status)
        said = redact_text(" ".join(said.split())[:300]) or str(response.reason or "no reason given")
        return LookError(_REFUSALS.get(status, "other"), "HTTP %d: %s" % (status, said))

    def _body(self, response: Any) -> str:
        """The beginning of an answer that is not the wanted one; empty where even that cannot be read."""
        raw = bytearray()
        try:
            for chunk in response.stream(_CHUNK, decode_content=True):
                raw += chunk
                if len(raw) > 65536 or self.left() <= 0:
                    response.close()
                    return raw.decode("utf-8", "replace")
            response.release_conn()
        except (self._errors.HTTPError, OSError, ValueError):
            response.close()
        return raw.decode("utf-8", "replace")


def _clock(date: Any) -> float | None:
    if not isinstance(date, str):
        return None
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
