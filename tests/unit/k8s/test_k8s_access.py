# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cluster is found: options, kubeconfigs, the pod's own service account; and over TLS as it should be."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import ssl
import sys

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from documents import deployment
from fake_api import FakeApi

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s import access
from ansible_collections.nexuscos.ops.plugins.module_utils._k8s.collect import collect


@pytest.fixture(autouse=True)
def _no_kubeconfig(monkeypatch, tmp_path):
    """The machine's own settings do not count."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write(path, cluster=None, user=None, **more):
    """A kubeconfig of one context, `east`."""
    config = {
        "current-context": "east",
        "contexts": [{"name": "east", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://203.0.113.10:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        **more,
    }
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(path)


def test_token_and_certificates_beside_the_kubeconfig(tmp_path):
    """Relative names are relative to the kubeconfig."""
    path = write(
        tmp_path / "config",
        {"certificate-authority": "ca.crt", "tls-server-name": "kubernetes", "disable-compression": True},
        {"token": "abc", "client-certificate": "pki/me.crt", "client-key": "pki/me.key"},
    )
    found = access.find({"kubeconfig": path})
    assert found.host == "https://203.0.113.10:6443"
    assert found.headers == {"Authorization": "Bearer abc"}
    assert found.ca_file == str(tmp_path / "ca.crt")
    assert found.cert_file == str(tmp_path / "pki" / "me.crt")
    assert (found.server_name, found.compress, found.verify) == ("kubernetes", False, True)
    assert "abc" not in repr(found)


def test_token_file_and_password(tmp_path):
    """The other two ways that need nothing but the file."""
    (tmp_path / "token").write_text("from-file\n", encoding="utf-8")
    path = write(tmp_path / "a", user={"tokenFile": "token", "token": "other"})
    assert access.find({"kubeconfig": path}).headers["Authorization"] == "Bearer from-file"
    path = write(tmp_path / "b", user={"username": "me", "password": "secret"})
    assert access.find({"kubeconfig": path}).headers["Authorization"] == "Basic " + encoded("me:secret")


def test_options_win_over_the_kubeconfig(tmp_path):
    """Host, token, authority, validation."""
    path = write(tmp_path / "config", {"insecure-skip-tls-verify": True}, {"token": "abc"})
    given = {"kubeconfig": path, "host": "https://x:1/", "token": "t", "ca_file": "/ca", "validate_certs": True}
    found = access.find(given)
    assert (found.host, found.headers["Authorization"], found.ca_file) == ("https://x:1", "Bearer t", "/ca")
    assert found.verify
    assert not access.find({"kubeconfig": path}).verify


def test_several_files_and_contexts(tmp_path, monkeypatch):
    """As KUBECONFIG has it: the first file that names a thing wins."""
    first = write(tmp_path / "a", {"server": "https://first:1"})
    second = write(
        tmp_path / "b",
        clusters=[{"name": "d", "cluster": {"server": "https://second:2"}}],
        contexts=[{"name": "west", "context": {"cluster": "d"}}],
    )
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}:{tmp_path / 'none'}")
    assert access.find({}).host == "https://first:1"
    assert access.find({"context": "west"}).host == "https://second:2"


WRONG = [
    ({"kubeconfig": "/no/such/file"}, "there is no file /no/such/file"),
    ({}, "no host given"),
    ({"context": "east"}, "no kubeconfig"),
    ({"host": "203.0.113.10:6443"}, "want a URL"),
]


@pytest.mark.parametrize(("given", "said"), WRONG)
def test_nothing_to_go_by(given, said):
    """The text says what is missing."""
    with pytest.raises(OptionError, match=said):
        access.find(given)


BROKEN = [
    ("{", "no YAML"),
    ("[]", "holds no kubeconfig"),
    ("contexts: []", "no current context"),
    ("current-context: east", "no context 'east'"),
    ("current-context: east\ncontexts: [{name: east, context: {cluster: c}}]", "no cluster 'c'"),
    (
        "current-context: east\ncontexts: [{name: east, context: {cluster: c}}]\nclusters: [{name: c, cluster: {}}]",
        "no server",
    ),
]


@pytest.mark.parametrize(("content", "said"), BROKEN)
def test_broken_kubeconfigs(tmp_path, content, said):
    """Each says what is wrong, none raises anything else."""
    (tmp_path / "config").write_text(content, encoding="utf-8")
    with pytest.raises(OptionError, match=said):
        access.find({"kubeconfig": str(tmp_path / "config")})


def test_data_that_is_no_base64(tmp_path):
    """Named by its key."""
    path = write(tmp_path / "config", {"certificate-authority-data": "%%%"})
    with pytest.raises(OptionError, match="certificate-authority-data"):
        access.find({"kubeconfig": path})


def test_service_account(tmp_path, monkeypatch):
    """In a pod, without any option."""
    (tmp_path / "token").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(access, "_SERVICE_ACCOUNT", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = access.find({})
    assert (found.host, found.headers["Authorization"]) == ("https://[fd00::1]:443", "Bearer mine")


def test_credentials_from_a_program_need_the_library(tmp_path):
    """The kubernetes library runs it."""
    pytest.importorskip("kubernetes")
    answer = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"by-program"}}'
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "echo",
        "args": [answer],
        "interactiveMode": "Never",
    }
    path = write(tmp_path / "config", user={"exec": plugin})
    assert access.find({"kubeconfig": path}).headers["Authorization"] == "Bearer by-program"


def test_without_the_library_it_says_so(tmp_path, monkeypatch):
    """And what to install."""
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    path = write(tmp_path / "config", user={"exec": {"command": "true"}})
    with pytest.raises(OptionError, match=r"kubernetes >= 32\.0"):
        access.find({"kubeconfig": path})


def certificate(name: str, issuer=None):
    """A certificate and its key; self-signed without an issuer, and as old-fashioned as many clusters' ones."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def pem(one) -> str:
    """Certificate or key as text."""
    if isinstance(one, x509.Certificate):
        return one.public_bytes(serialization.Encoding.PEM).decode()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return one.private_bytes(*form).decode()


def test_tls_with_a_client_certificate(tmp_path):
    """Verified both ways, from data in the kubeconfig; a wrong authority is unknown; without validation it works."""
    ca = certificate("ca")
    server, server_key = certificate("server", ca)
    client, client_key = certificate("client", ca)
    (tmp_path / "server.pem").write_text(pem(server) + pem(server_key), encoding="utf-8")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(cadata=pem(ca[0]))
    context.verify_mode = ssl.CERT_REQUIRED
    user = {"client-certificate-data": encoded(pem(client)), "client-key-data": encoded(pem(client_key))}
    with FakeApi({"deployments.apps": [deployment()]}) as api:
        api.server.socket = context.wrap_socket(api.server.socket, server_side=True)
        where = {"server": api.url.replace("http:", "https:")}
        other = encoded(pem(certificate("other")[0]))

        def look(cluster, person):
            return collect({"kubeconfig": write(tmp_path / "config", cluster, person), "deadline": 5.0})

        good = look({**where, "certificate-authority-data": encoded(pem(ca[0]))}, user)
        assert good["api"] is None
        assert len(good["lists"]["deployments.apps"]) == 1
        assert look({**where, "certificate-authority-data": other}, user)["api"]["kind"] == "tls"
        assert look({**where, "insecure-skip-tls-verify": True}, user)["api"] is None
        # TLS 1.3 tells a client late that its certificate is missing: while it reads
        assert look({**where, "insecure-skip-tls-verify": True}, {})["api"]["kind"] in ("tls", "garbage")
    assert not list(tmp_path.glob(".nexuscos-*"))
