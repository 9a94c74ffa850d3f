# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API server is and how to log in there: from options, a kubeconfig or the pod's own service account."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.argspec import ArgSpec
from .._core.deps import need
from .._core.errors import OptionError
from .read import dig, docs, flag, mapping, text

_SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass
class Access:
    """How to reach one API server.

    :ivar host: URL without a slash at its end.
    :ivar headers: sent with every request: ``Authorization``.
    :ivar ca_file: file with certificate authorities, or ``ca_data`` as PEM text; both None for the machine's own.
    :ivar cert_file: client certificate, with ``key_file``.
    :ivar cert_data: client certificate as PEM text, with ``key_data``.
    :ivar verify: whether the server's certificate is checked.
    :ivar server_name: name to check the certificate for, where it is not the host's.
    :ivar proxy: URL of an HTTP proxy.
    :ivar compress: whether answers may be compressed on the way.
    """

    host: str
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    ca_data: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    cert_data: str | None = None
    key_data: str | None = field(default=None, repr=False)
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None
    compress: bool = True

    def ssl_context(self) -> ssl.SSLContext:
        """The TLS settings as a context.

        :raises OptionError: a certificate or key that cannot be read.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_data)
            # Python 3.13 refuses certificate authorities without an authority key identifier. Kubernetes' own clients
            # accept them, and many clusters have them.
            context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
            if not self.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.cert_data and self.key_data:
                with _as_file(self.cert_data) as cert, _as_file(self.key_data) as key:
                    context.load_cert_chain(cert, key)
            elif self.cert_file:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ValueError) as error:
            # ssl.SSLError is an OSError. Its text names no secret.
            names = [name for name in (self.ca_file, self.cert_file, self.key_file) if name]
            raise OptionError(
                "kubeconfig: cannot use the certificates %s: %s" % (", ".join(names) or "in it", error)
            ) from error
        return context


def connection_spec() -> ArgSpec:
    """The options of the `kubernetes` doc fragment."""
    return ArgSpec(
        {
            "kubeconfig": {"type": "path"},
            "context": {"type": "str"},
            "host": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "ca_file": {"type": "path"},
            "validate_certs": {"type": "bool"},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "exclude_namespaces": {"type": "list", "elements": "str", "default": []},
        }
    )


def find(params: Mapping[str, Any]) -> Access:
    """Find out how to reach the API server.

    :param params: the options of :func:`connection_spec`.
    :raises OptionError: no such file or context, an incomplete kubeconfig, no way to reach a cluster at all.
    """
    given = params.get("kubeconfig")
    found = given or os.environ.get("KUBECONFIG") or os.path.expanduser("~/.kube/config")
    paths = [os.path.expanduser(path) for path in found.split(":") if path]
    present = [path for path in paths if os.path.exists(path)]
    if given and not present:
        raise OptionError(f"kubeconfig: there is no file {given}")
    if params.get("context") and not present:
        raise OptionError(f"context: there is no kubeconfig to look for it (looked for {found})")
    if present and (given or params.get("context") or not params.get("host")):
        access = _from_kubeconfig(present, params.get("context"))
    elif params.get("host"):
        access = Access(str(params["host"]).rstrip("/"))
    elif os.path.exists(_SERVICE_ACCOUNT + "/token") and os.environ.get("KUBERNETES_SERVICE_HOST"):
        access = _in_cluster()
    else:
        raise OptionError(f"kubeconfig: none given, none at {found}, no host given, and this is no pod of a cluster")
    if params.get("host"):
        access.host = str(params["host"]).rstrip("/")
    if params.get("token"):
        access.headers = {"Authorization": "Bearer %s" % (params["token"],)}
    if params.get("ca_file"):
        access.ca_file, access.ca_data = params["ca_file"], None
    if params.get("validate_certs") is not None:
        access.verify = bool(params["validate_certs"])
    if not access.host.startswith(("https://", "http://")):
        raise OptionError(f"host: want a URL such as https://203.0.113.10:6443, got {access.host!r}")
    return access


def _in_cluster() -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = _read(_SERVICE_ACCOUNT + "/token").strip()
    return Access(
        "https://%s:%s" % (f"[{host}]" if ":" in host else host, port),
        headers={"Authorization": "Bearer " + token},
        ca_file=_SERVICE_ACCOUNT + "/ca.crt",
    )


def _from_kubeconfig(paths: list[str], wanted: str | None) -> Access:
    files = [(path, _parse(path)) for path in paths]
    name = wanted or next((text(data, "current-context") for _path, data in files if text(data, "current-context")), "")
    if not name:
        raise OptionError("context: %s has no current context; name one" % (":".join(paths),))
    context, _where = _named(files, "contexts", "context", name, "context")
    cluster, cluster_path = _named(files, "clusters", "cluster", text(context, "cluster"), "context")
    user: dict[str, Any] = {}
    user_path = cluster_path
    if text(context, "user"):
        user, user_path = _named(files, "users", "user", text(context, "user"), "context")
    if not text(cluster, "server"):
        raise OptionError("kubeconfig: cluster %s in %s has no server" % (text(context, "cluster"), cluster_path))
    if "exec" in user or "auth-provider" in user:
        return _from_library(paths, name)
    access = Access(
        text(cluster, "server").rstrip("/"),
        ca_file=_path(cluster_path, cluster, "certificate-authority"),
        ca_data=_data(cluster_path, cluster, "certificate-authority-data"),
        cert_file=_path(user_path, user, "client-certificate"),
        key_file=_path(user_path, user, "client-key"),
        cert_data=_data(user_path, user, "client-certificate-data"),
        key_data=_data(user_path, user, "client-key-data"),
        verify=not flag(cluster, "insecure-skip-tls-verify"),
        server_name=text(cluster, "tls-server-name") or None,
        proxy=text(cluster, "proxy-url") or None,
        compress=not flag(cluster, "disable-compression"),
    )
    token_file = _path(user_path, user, "tokenFile")
    token = _read(token_file).strip() if token_file else text(user, "token")
    if token:
        access.headers["Authorization"] = "Bearer " + token
    elif text(user, "username"):
        pair = "%s:%s" % (text(user, "username"), text(user, "password"))
        access.headers["Authorization"] = "Basic " + base64.b64encode(pair.encode("utf-8")).decode("ascii")
    return access


def _from_library(paths: list[str], context: str) -> Access:
    """Credentials that come from a program: the kubernetes library knows how. Its import costs 0.7 s, so only here."""
    need("kubernetes", "32.0")
    config: Any = need("kubernetes.config", "0")
    client: Any = need("kubernetes.client", "0")
    settings = client.Configuration()
    try:
        config.load_kube_config(":".join(paths), context, settings, persist_config=False)
    except (config.ConfigException, OSError, ValueError) as error:
        raise OptionError(f"kubeconfig: context {context}: {error}") from error
    headers = {}
    # The key has had two names in the library's history.
    token = settings.api_key.get("BearerToken") or settings.api_key.get("authorization")
    if token:
        headers["Authorization"] = token
    return Access(
        settings.host.rstrip("/"),
        headers=headers,
        ca_file=settings.ssl_ca_cert,
        cert_file=settings.cert_file,
        key_file=settings.key_file,
        verify=settings.verify_ssl,
        server_name=getattr(settings, "tls_server_name", None),
        proxy=settings.proxy,
    )


def _parse(path: str) -> dict[str, Any]:
    yaml: Any = need("yaml", "5.0", "PyYAML")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(_read(path), Loader=loader)
    except yaml.YAMLError as error:
        raise OptionError("kubeconfig: %s is no YAML: %s" % (path, " ".join(str(error).split())[:200])) from error
    if not isinstance(data, dict):
        raise OptionError(f"kubeconfig: {path} holds no kubeconfig")
    return data


def _named(
    files: list[tuple[str, dict[str, Any]]], section: str, key: str, name: str, option: str
) -> tuple[dict[str, Any], str]:
    known = []
    for path, data in files:
        for entry in docs(data, section):
            if entry.get("name") == name and isinstance(dig(entry, key), dict):
                return mapping(entry, key), path
            known.append(str(entry.get("name")))
    raise OptionError("%s: no %s %r in the kubeconfig (%s)" % (option, key, name, ", ".join(known) or "it has none"))


def _path(config: str, section: dict[str, Any], key: str) -> str | None:
    """A file named in a kubeconfig: relative names are relative to the kubeconfig."""
    name = text(section, key)
    return os.path.join(os.path.dirname(os.path.abspath(config)), name) if name else None


def _data(config: str, section: dict[str, Any], key: str) -> str | None:
    encoded = text(section, key)
    if not encoded:
        return None
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise OptionError(f"kubeconfig: {key} in {config} is no base64 text") from error


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(f"kubeconfig: cannot read {path}: {error}") from error


@contextlib.contextmanager
def _as_file(content: str) -> Iterator[str]:
    """A key in a file of its own, readable by us alone, for as long as OpenSSL needs it."""
    handle, path = tempfile.mkstemp(prefix=".nexuscos-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
        yield path
    finally:
        os.unlink(path)
