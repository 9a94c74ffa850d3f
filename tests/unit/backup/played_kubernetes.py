# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server that is played: discovery, lists in pages, server-side apply as far as the tests need it."""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import k8s_vault

Doc = dict[str, Any]
CORE = {"configmaps": "ConfigMap", "secrets": "Secret", "namespaces": "Namespace", "services": "Service"}
APPS = {"deployments": "Deployment"}
DEFINITIONS = {"customresourcedefinitions": "CustomResourceDefinition"}


class Played:
    """What the server has, and how it answers.

    :ivar objects: by path, ``/api/v1/namespaces/a/configmaps/x``; asked: method, path and query of each request.
    :ivar groups: kinds by apiVersion; page: objects of a page; deny: parts of paths that are refused with 403.
    :ivar expire: how many tokens of pages have expired; conflict: manager and field that stand in the way of an apply.
    :ivar raw: answers as they are sent, by path; busy: requests that are answered with 429; hang_up: with nothing.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Doc] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.groups = {"v1": CORE, "apps/v1": APPS, "apiextensions.k8s.io/v1": DEFINITIONS}
        self.page = 2
        self.deny: list[str] = []
        self.expire = 0
        self.conflict: tuple[str, str] | None = None
        self.refuse: dict[str, tuple[int, str]] = {}
        self.raw: dict[str, bytes] = {}
        self.busy = 0
        self.hang_up = 0
        self.url = ""

    def add(self, api_version: str, kind: str, namespace: str, name: str, **more: Any) -> Doc:
        """An object as a server has it, with all that it writes itself."""
        plural = next(key for key, value in self.groups[api_version].items() if value == kind)
        metadata = {
            "name": name, "uid": "1-2-3", "resourceVersion": "17", "generation": 2,
            "creationTimestamp": "2026-11-29T00:00:00Z", "managedFields": [{"manager": "kubectl"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{secret}", "kept": "yes"},
            **more.pop("metadata", {}),
        }  # fmt: skip
        if namespace:
            metadata["namespace"] = namespace
            inside = f"/namespaces/{namespace}"
            self.objects.setdefault(f"/api/v1/namespaces/{namespace}", _namespace(namespace))
        else:
            inside = ""
        doc = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "status": {"a": 1}, **more}
        base = ("/apis/" if "/" in api_version else "/api/") + api_version
        self.objects[f"{base}{inside}/{plural}/{name}"] = doc
        return doc

    def writes(self) -> list[str]:
        """Paths that were written in earnest."""
        return [path for method, path, query in self.asked if method != "GET" and "dryRun" not in query]

    def params(self, **more: Any) -> dict[str, Any]:
        """Options of a connection to it."""
        return {
            "kubeconfig": None, "context": None, "host": self.url, "token": "t", "ca_file": None,
            "validate_certs": None, "namespaces": [], "exclude_namespaces": [], **more,
        }  # fmt: skip

    # -- answers

    def get(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"gitVersion": "v1.36.3"}
        if path == "/apis":
            return 200, {"groups": [{"preferredVersion": {"groupVersion": one}} for one in self.groups if "/" in one]}
        for version, kinds in self.groups.items():
            if path == ("/apis/" if "/" in version else "/api/") + version:
                return 200, {"resources": [
                    {"name": plural, "kind": kind, "verbs": ["list", "get"],
                     "namespaced": kind not in ("Namespace", "CustomResourceDefinition")}
                    for plural, kind in kinds.items()
                ]}  # fmt: skip
        if path in self.objects:
            return 200, self.objects[path]
        plural = path.rsplit("/", 1)[1]
        if any(plural in kinds for kinds in self.groups.values()):
            return self._list(path, plural, query)
        return 404, {"message": f"{path} not found"}

    def _list(self, path: str, plural: str, query: dict[str, str]) -> tuple[int, Any]:
        base = path[: -len(plural) - 1]
        wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
        found = [
            {key: value for key, value in doc.items() if key not in ("apiVersion", "kind")}
            for name, doc in sorted(self.objects.items())
            if name.startswith(base + "/") and name.rsplit("/", 2)[1] == plural
            and wanted.items() <= doc["metadata"].get("labels", {}).items()
        ]  # fmt: skip
        start = int(query.get("continue", "0"))
        if start and self.expire:
            self.expire -= 1
            return 410, {"message": "expired", "reason": "Expired", "metadata": {"continue": str(start + 1000)}}
        start %= 1000
        size = min(self.page, int(query["limit"]))
        rest = found[start + size :]
        about: Doc = {"resourceVersion": "99"}
        if rest:
            about.update({"continue": str(start + size), "remainingItemCount": len(rest)})
        return 200, {"kind": "List", "metadata": about, "items": found[start : start + size]}

    def apply(self, path: str, query: dict[str, str], given: Doc) -> tuple[int, Any]:
        namespace = given["metadata"].get("namespace")
        name = given["metadata"]["name"]
        if name in self.refuse:
            status, message = self.refuse[name]
            return status, {"message": message, "reason": "Invalid", "details": {"causes": [{"field": "data.x"}]}}
        if namespace and f"/api/v1/namespaces/{namespace}" not in self.objects:
            return 404, {"message": f'namespaces "{namespace}" not found'}
        live = self.objects.get(path, {"metadata": {"uid": "9"}})
        if self.conflict and "force" not in query and _merged(live, given) != live:
            manager, field = self.conflict
            cause = {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}" using v1', "field": field}
            return 409, {"message": "Apply failed with 1 conflict", "details": {"causes": [cause]}}
        after = _merged(live, given)
        after["metadata"].update(resourceVersion="18", managedFields=[])
        if "dryRun" not in query:
            self.objects[path] = after
        return 200, after

    def create(self, path: str, _query: dict[str, str], _given: Doc) -> tuple[int, Any]:
        return 405, {"message": f"{path}: nothing is made here"}

    def delete(self, path: str, _options: Doc) -> tuple[int, Any]:
        gone = [one for one in self.objects if one == path or one.startswith(path + "/")]
        for one in gone:
            del self.objects[one]
        return (200, {}) if gone else (404, {"message": "not found"})


class VaultHere:
    """ansible-vault in this process: starting another one for each test would take minutes."""

    def __init__(self, secret: str, vault_id: str | None, _until: float) -> None:
        self._secret, self._id = VaultSecret(secret.encode()), vault_id
        self._lib = VaultLib([(vault_id or "default", self._secret)])

    def __enter__(self) -> VaultHere:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """There is nothing to end."""

    def encrypt(self, data: bytes) -> bytes:
        return bytes(self._lib.encrypt(data, self._secret, self._id))

    def decrypt(self, data: bytes) -> bytes:
        try:
            return bytes(self._lib.decrypt(data))
        except AnsibleError as error:
            raise k8s_vault.WrongPassword(f"it cannot be decrypted with the given password: {error}") from None


@contextlib.contextmanager
def played(one: Any = None) -> Iterator[Any]:
    """A server on a port of its own, a plain one where none is given."""
    one = one or Played()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_words: Any) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            one.asked.append((self.command, url.path, query))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if one.hang_up:
                one.hang_up -= 1
                self.close_connection = True
                return
            if one.busy:
                one.busy -= 1
                status, told = 429, {"message": "too many requests"}
            elif any(part in url.path for part in one.deny):
                status, told = 403, {"message": "forbidden: no right", "reason": "Forbidden"}
            elif self.command == "GET":
                status, told = one.get(url.path, query)
            elif self.command == "PATCH":
                status, told = one.apply(url.path, query, json.loads(body))
            elif self.command == "POST":
                status, told = one.create(url.path, query, json.loads(body))
            else:
                status, told = one.delete(url.path, json.loads(body or b"{}"))
            raw = one.raw.get(url.path) if self.command == "GET" else None
            data = raw if raw is not None else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PATCH = do_POST = do_DELETE = _answer

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    one.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield one
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _namespace(name: str) -> Doc:
    labels = {"kubernetes.io/metadata.name": name, "team": "ops"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}, "spec": {"a": 1}}


def _merged(live: Any, given: Any) -> Any:
    if not isinstance(live, dict) or not isinstance(given, dict):
        return copy.deepcopy(given)
    return {**copy.deepcopy(live), **{key: _merged(live.get(key), value) for key, value in given.items()}}
