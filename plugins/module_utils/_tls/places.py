# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that lie somewhere: files, TLS Secrets, kubeconfigs. Private keys beside them are dropped at once."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from typing import Any

from .._core.deps import need
from .._core.errors import LookError, OptionError
from .certs import NoCertificate, split
from .spec import SecretRef

_LARGEST = 16 * 1024 * 1024
_TLS_TYPE = "kubernetes.io/tls"

Parts = list[tuple[str, "list[bytes] | Unread"]]
"""Part of a source (empty: the whole source) and its certificates in DER, first the one that it is about."""


class Unread(Exception):
    """A place that could not be read.

    :ivar kind: ``missing``, ``denied``, ``garbage``, ``timeout`` or ``other``.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind, self.text = kind, text

    def to_dict(self) -> dict[str, str]:
        """As an observation keeps it."""
        return {"kind": self.kind, "text": self.text}


def file(path: str) -> list[bytes]:
    """The certificates of a file.

    :raises Unread: not there, no right to read it, or no certificate in it.
    """
    try:
        return split(_read(path))
    except NoCertificate as error:
        raise Unread("garbage", str(error)) from error


def _read(path: str) -> bytes:
    try:
        # Never a pipe or a device: reading it might take for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Unread("garbage", "it is no file")
        with open(path, "rb") as stream:
            data = stream.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise Unread("missing", "there is no such file") from error
    except PermissionError as error:
        raise Unread("denied", "it may not be read by who looks") from error
    except (OSError, ValueError) as error:
        raise Unread("other", str(getattr(error, "strerror", None) or error)) from error
    if len(data) > _LARGEST:
        raise Unread("garbage", "it is larger than %d MiB" % (_LARGEST >> 20))
    return data


def kubeconfig(path: str) -> Parts:
    """The client certificates and authorities of a kubeconfig: ``users/NAME``, ``clusters/NAME``.

    :raises Unread: the file as a whole cannot be read.
    """
    raw = _read(path)
    yaml: Any = need("yaml", "5.0", "PyYAML")
    try:
        data = yaml.load(raw, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # Without the library's text: it quotes the line, which may be a key.
        raise Unread("garbage", "it is no YAML") from error
    if not isinstance(data, Mapping):
        raise Unread("garbage", "it holds no kubeconfig")
    parts: Parts = []
    for section, key, name in (
        ("users", "user", "client-certificate"),
        ("clusters", "cluster", "certificate-authority"),
    ):
        entries = data.get(section)
        for entry in entries if isinstance(entries, list) else ():
            inner = entry.get(key) if isinstance(entry, Mapping) else None
            if isinstance(inner, Mapping) and (inner.get(f"{name}-data") or inner.get(name)):
                part = "{}/{}".format(section, entry.get("name"))
                try:
                    parts.append((part, _of_entry(path, inner, name)))
                except Unread as error:
                    parts.append((part, error))
    return parts


def _of_entry(path: str, inner: Mapping[str, Any], name: str) -> list[bytes]:
    encoded = inner.get(f"{name}-data")
    if not encoded:
        return file(os.path.join(os.path.dirname(os.path.abspath(path)), str(inner[name])))
    return _decoded(encoded, f"{name}-data")


def _decoded(encoded: Any, what: str) -> list[bytes]:
    try:
        return split(base64.b64decode(str(encoded).encode("ascii"), validate=True))
    except NoCertificate as error:
        raise Unread("garbage", f"{what}: {error}") from error
    except (binascii.Error, ValueError) as error:
        raise Unread("garbage", f"{what} is no base64") from error


class Clusters:
    """Connections to API servers, one for each kubeconfig and context."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._clients: dict[tuple[str | None, str | None], Any] = {}

    def connect(self, ref: SecretRef) -> None:
        """Find out how to reach the cluster of a Secret, before anything is looked at.

        :raises OptionError: the kubeconfig or its context is not there; a library is missing.
        """
        key = (ref.kubeconfig, ref.context)
        if key not in self._clients:
            # Late: whoever looks at endpoints alone needs neither YAML nor urllib3.
            from .._k8s.access import find
            from .._k8s.client import Client

            access = find({"kubeconfig": ref.kubeconfig, "context": ref.context})
            self._clients[key] = Client(access, self._until)

    def read(self, ref: SecretRef) -> Parts:
        """The certificates of a Secret, or of all TLS Secrets of a namespace by their names.

        :raises Unread: the API server does not answer or refuses, or there is no such Secret.
        """
        client = self._clients[(ref.kubeconfig, ref.context)]
        place = f"/api/v1/namespaces/{ref.namespace}/secrets"
        try:
            if ref.name:
                document, _clock = client.get(f"{place}/{ref.name}")
                # The private key ends here.
                return [("", _of_secret(document))]
            reduced = client.each(place, _reduce, selector=f"type={_TLS_TYPE}")
        except LookError as error:
            raise _unread(ref, error) from error
        except OptionError as error:
            raise Unread("other", str(error)) from error
        parts: Parts = []
        for name, encoded in sorted(reduced):
            try:
                parts.append((name, _decoded(encoded, "tls.crt")))
            except Unread as error:
                parts.append((name, error))
        return parts


def _reduce(document: Mapping[str, Any]) -> tuple[str, Any] | None:
    """Name and tls.crt of a Secret; nothing else of it is kept."""
    metadata, data = document.get("metadata"), document.get("data")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if document.get("type", _TLS_TYPE) != _TLS_TYPE:
        return None
    return str(name), str((data.get("tls.crt") if isinstance(data, Mapping) else None) or "")


def _of_secret(document: Any) -> list[bytes]:
    data = document.get("data") if isinstance(document, Mapping) else None
    encoded = data.get("tls.crt") if isinstance(data, Mapping) else None
    if not encoded:
        raise Unread("garbage", "it has no tls.crt")
    return _decoded(encoded, "tls.crt")


def _unread(ref: SecretRef, error: LookError) -> Unread:
    if error.kind == "missing":
        return Unread("missing", f"there is no such Secret in {ref.namespace}" if ref.name else error.text)
    kind = error.kind if error.kind in ("denied", "timeout", "garbage") else "other"
    return Unread(kind, error.text)
