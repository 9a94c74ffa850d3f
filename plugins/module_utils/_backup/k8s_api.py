# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask an API server for whole objects of any kind, and apply them: the client of k8s_health, and what it never does."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from .._core.argspec import ArgSpec
from .._core.errors import LookError, OpsError, OptionError
from .._core.redact import redact_text
from .._k8s import access
from .._k8s.client import PAGE, Client
from .._k8s.read import Doc, docs, flag, mapping, text, texts

MANAGER = "nexuscos-ops"
_APPLY = "application/apply-patch+yaml"
_MOST_PAGES = 20_000
_ATTEMPTS, _PAUSE, _MOST_PAUSE, _SILENT = 5, 0.5, 10.0, 120.0
_BUSY = (429, 503)
# What becomes a part of a path, there and on the disk, is what Kubernetes allows in it, whatever a server says.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_OBJECT = re.compile(r"[^/%\x00-\x20]{1,253}")
_KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
# An escape of JSON; two of them that are one character make a group.
_ESCAPE = re.compile(r"\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})?(?(1)|.)")
_VERSION = re.compile(r"([a-z0-9][a-z0-9.-]{0,200}/)?v[a-z0-9]{1,30}")


class ApiError(OpsError):
    """The API server has refused; the text has its words.

    :ivar status: of HTTP; conflicts: ``(manager, field)`` of a server-side apply that somebody else's fields stand
        in the way of; reason: the server's word; token: where an expired list can go on.
    """

    def __init__(self, status: int, said: str, answer: Mapping[str, Any]) -> None:
        super().__init__(f"HTTP {status}: {said}")
        self.status, self.reason = status, text(answer, "reason")
        self.token = text(answer, "metadata", "continue")
        self.fields = [text(one, "field") for one in docs(answer, "details", "causes") if text(one, "field")]
        self.conflicts = [
            (_manager(text(one, "message")), text(one, "field"))
            for one in docs(answer, "details", "causes")
            if text(one, "reason") == "FieldManagerConflict"
        ]


@dataclass(frozen=True)
class Resource:
    """A kind, and where it is served.

    :ivar api_version: ``apps/v1``; plural: ``deployments``.
    """

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: tuple[str, ...] = field(default=(), compare=False)

    @property
    def title(self) -> str:
        """``apps/v1/Deployment``."""
        return f"{self.api_version}/{self.kind}"

    @property
    def file(self) -> str:
        """``deployments.apps``, a name for a file."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.plural}.{group}" if group else self.plural

    def url(self, namespace: str = "", name: str = "") -> str:
        """Path of one object, or of a list."""
        base = ("/apis/" if "/" in self.api_version else "/api/") + self.api_version
        if namespace:
            base += "/namespaces/" + quote(namespace, safe="")
        return f"{base}/{self.plural}" + ("/" + quote(name, safe="") if name else "")


def connection_spec() -> ArgSpec:
    """The options of the `kubernetes` doc fragment."""
    return access.connection_spec()


def kinds(given: list[str]) -> list[tuple[str, str]]:
    """``apps/v1/Deployment`` as apiVersion and kind.

    :raises OptionError: it is none.
    """
    found = []
    for one in given:
        version, _slash, kind = one.rpartition("/")
        if not _VERSION.fullmatch(version) or not _KIND.fullmatch(kind):
            raise OptionError(
                f"kinds: want apiVersion and kind, such as v1/ConfigMap or apps/v1/Deployment, got {one!r}"
            )
        if (version, kind) not in found:
            found.append((version, kind))
    return found


class Api(Client):
    """One API server; objects are read whole and may be written."""

    def __init__(self, params: Mapping[str, Any], until: float) -> None:
        where = access.find(params)
        super().__init__(where, until, 2)
        self._pool.headers["User-Agent"] = "nexuscos.ops/k8s_backup"
        self._versions: dict[str, list[Doc]] = {}
        url = urlsplit(where.host)
        self.place = "%s:%d" % (url.hostname, url.port or (443 if url.scheme == "https" else 80))

    def extend(self, seconds: float) -> None:
        """So many seconds are left in any case: what was begun is taken back after the deadline, too."""
        self._until = max(self._until, time.monotonic() + seconds)

    def version(self) -> str:
        """``v1.36.3``."""
        return text(self.ask("GET", "/version"), "gitVersion") or "?"

    def resource(self, api_version: str, kind: str) -> Resource | None:
        """Where a kind is served, by discovery; None where it is not."""
        for one in self._served(api_version):
            plural = text(one, "name")
            if text(one, "kind") == kind and "/" not in plural:
                if not _NAME.fullmatch(plural):
                    raise OpsError(
                        f"the API server serves {api_version}/{kind} under the name {plural!r}, which is none"
                    )
                return Resource(api_version, kind, plural, flag(one, "namespaced"), tuple(texts(one, "verbs")))
        return None

    def forget(self) -> None:
        """Discover anew: a definition of kinds has come."""
        self._versions.clear()

    def _served(self, api_version: str) -> list[Doc]:
        if api_version not in self._versions:
            path = ("/apis/" if "/" in api_version else "/api/") + api_version
            try:
                self._versions[api_version] = docs(self.ask("GET", path), "resources")
            except ApiError as error:
                if error.status != 404:
                    raise
                return []
        return self._versions[api_version]

    def like(self, kind: str) -> list[str]:
        """Where a kind of that name is served, for a message: ``apps/v1/Deployment``."""
        found = []
        groups = docs(self.ask("GET", "/apis"), "groups")
        versions = ["v1"] + [text(one, "preferredVersion", "groupVersion") for one in groups]
        for version in versions:
            if version and _VERSION.fullmatch(version):
                found += [f"{version}/{kind}" for one in self._served(version) if text(one, "kind") == kind]
        return sorted(set(found))

    def pages(self, what: Resource, namespace: str = "", labels: str = "", most: int = 0) -> Iterator[tuple[Doc, Doc]]:
        """Objects of a kind, each with the metadata of its page. Read from the store itself, not from a cache.

        A list whose token has expired goes on where it was, as the server offers; ``metadata.inconsistent`` says so.

        :raises ApiError: refused; LookError: not answered.
        """
        token, inconsistent = "", False
        for _page in range(_MOST_PAGES):
            query = {"limit": str(most or PAGE)}
            query.update({"labelSelector": labels} if labels else {})
            query.update({"continue": token} if token else {})
            try:
                answer = self.ask("GET", f"{what.url(namespace)}?{urlencode(query)}")
            except ApiError as error:
                if error.status != 410 or not error.token or error.token == token:
                    raise
                token, inconsistent = error.token, True
                continue
            if not isinstance(answer.get("items"), list):
                raise LookError("garbage", f"{what.url(namespace)}: the answer is no list")
            about = {**mapping(answer, "metadata"), "inconsistent": inconsistent}
            for one in answer["items"]:
                if not isinstance(one, dict):
                    raise LookError("garbage", f"{what.url(namespace)}: an item of the list is no object")
                # A list leaves out of its items what it says itself.
                yield {**one, "apiVersion": what.api_version, "kind": what.kind}, about
            following = text(about, "continue")
            if not answer["items"]:
                yield {}, about
            if most or not following:
                return
            if following == token:
                raise LookError("garbage", f"{what.url(namespace)}: one page leads to itself")
            token = following
        raise LookError("garbage", f"{what.url(namespace)}: more than {_MOST_PAGES} pages")

    def one(self, what: Resource, namespace: str, name: str) -> Doc | None:
        """One object; None where there is none."""
        try:
            return self.ask("GET", what.url(namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def apply(self, what: Resource, namespace: str, doc: Doc, force: bool = False, dry_run: bool = False) -> Doc:
        """Server-side apply; what the object is then, or would be."""
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        query.update({"force": "true"} if force else {})
        query.update({"dryRun": "All"} if dry_run else {})
        path = what.url(namespace, text(doc, "metadata", "name"))
        return self.ask("PATCH", f"{path}?{urlencode(query)}", doc, _APPLY)

    def remove(self, what: Resource, namespace: str, name: str) -> None:
        """Delete one object; that it is not there is as good."""
        try:
            self.ask("DELETE", what.url(namespace, name), {"kind": "DeleteOptions", "apiVersion": "v1"})
        except ApiError as error:
            if error.status != 404:
                raise

    def ask(self, method: str, path: str, body: Doc | None = None, kind: str = "application/json") -> Doc:
        """One request, one document. All requests here may be asked twice, so a server that is busy is asked again.

        :raises ApiError: refused; LookError: not answered.
        """
        told = path.split("?", 1)[0]
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            try:
                status, wait, raw = self._once(method, path, body, kind)
            except LookError as error:
                # A connection that was kept may have been closed by then.
                if error.kind not in ("garbage", "refused") or last or self.left() < _PAUSE:
                    raise
                time.sleep(_PAUSE)
                continue
            if status in _BUSY and not last and self.left() > wait:
                time.sleep(wait)
                continue
            return _answer(status, raw, told)
        raise LookError("other", f"{told}: not asked")

    def _once(self, method: str, path: str, body: Doc | None, kind: str) -> tuple[int, float, bytes]:
        """Status, seconds to wait where it is busy, and the answer."""
        left = self.left()
        if left <= 0:
            raise LookError("timeout", "the deadline was over before %s was asked for" % path.split("?", 1)[0])
        headers = dict(self._pool.headers)
        if body is not None:
            headers["Content-Type"] = kind
        try:
            response = self._pool.request(
                method,
                self._host + path,
                headers=headers,
                body=None if body is None else _body(body),
                # A server that falls silent is noticed long before the deadline of a backup.
                timeout=self._timeout(connect=min(left, 10.0), read=min(left, _SILENT)),
                preload_content=False,
                redirect=False,
            )
        except (self._errors.HTTPError, OSError, ValueError) as error:
            raise self._trouble(error) from error
        after = str(response.headers.get("Retry-After") or "")
        wait = min(max(float(after) if after.isdigit() else 1.0, _PAUSE), _MOST_PAUSE)
        return int(response.status), wait, b"".join(self._chunks(response))


def _answer(status: int, raw: bytes, path: str) -> Doc:
    try:
        answer = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        if status < 400:
            raise LookError("garbage", f"{path}: the answer is no JSON") from error
        answer = {"message": raw[:300].decode("utf-8", "replace")}
    if status >= 400:
        said = redact_text(" ".join(text(answer, "message").split())[:500]) or "no reason is given"
        raise ApiError(status, said, answer if isinstance(answer, dict) else {})
    if not isinstance(answer, dict):
        raise LookError("garbage", f"{path}: the answer is no object")
    return answer


def check_name(name: str, what: str, namespace: bool = False) -> str:
    """A name that an API server has sent, which becomes a part of a path.

    :raises OpsError: it cannot be one.
    """
    if not (_NAME if namespace else _OBJECT).fullmatch(name) or name in (".", ".."):
        raise OpsError(f"{what} has the name {name[:80]!r}, which is none")
    return name


def _body(doc: Doc) -> bytes:
    """A document as JSON that is YAML as well, which is what a server-side apply is read as.

    JSON writes what is beyond 16 bits as two escapes, which YAML knows nothing of; such characters stand as they are.
    """
    return _ESCAPE.sub(_unescaped, json.dumps(doc)).encode("utf-8")


def _unescaped(match: re.Match[str]) -> str:
    return str(json.loads(f'"{match.group(0)}"')) if match.group(1) else match.group(0)


def _manager(message: str) -> str:
    """``kubectl`` of ``conflict with "kubectl" using v1``."""
    match = re.search(r'conflicts? with "([^"]+)"', message)
    return match.group(1) if match else message[:100]
