"""TLS: what is wrong with a certificate is told apart, and what is right passes."""

from __future__ import annotations

import shutil
import socket
import ssl

import pytest
from misbehaving import MODES, Server, hang

CHECK = "endpoint.tls"


def test_a_good_certificate_passes(ask, authority):
    with Server(MODES["ok"], authority.server()) as server:
        result = ask({"url": server.url()}, ca_path=authority.file)
    assert result["findings"] == []
    sample = result["observation"]["endpoints"][0]["samples_taken"][0]
    assert sample["tls"]["version"].startswith("TLSv1.")
    assert set(sample["phases"]) == {"dns", "connect", "tls", "first_byte", "body"}
    rows = {row["check"]: row for row in result["coverage"]}
    assert rows[CHECK]["objects"] == 1


def test_expired(one, authority):
    with Server(MODES["ok"], authority.server(days=(-30, -2))) as server:
        found = one({"url": server.url()}, ca_path=authority.file)
    assert (found["check"], found["status"], found["evidence"]["kind"]) == (CHECK, "critical", "expired")
    certificate = found["evidence"]["certificate"]
    assert found["title"] == f"a shows an expired certificate (valid until {certificate['not_after']})"
    assert certificate["names"] == ["127.0.0.1", "localhost"]
    assert certificate["issuer"] == "CN=test authority"


def test_not_yet_valid(one, authority):
    with Server(MODES["ok"], authority.server(days=(2, 30))) as server:
        found = one({"url": server.url()}, ca_path=authority.file)
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "not_yet_valid")
    assert "timedatectl" in found["remedy"]


@pytest.mark.parametrize("names", [("other.example.com",), ("127.0.0.2",), ("*.example.com",)])
def test_another_name(one, authority, names):
    with Server(MODES["ok"], authority.server(*names)) as server:
        found = one({"url": server.url()}, ca_path=authority.file)
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "hostname")
    assert found["evidence"]["certificate"]["names"] == list(names)
    assert f"-connect 127.0.0.1:{server.port} -servername 127.0.0.1" in found["remedy"]


def test_not_trusted(one, authority, stranger):
    with Server(MODES["ok"], stranger.server()) as server:
        found = one({"url": server.url()}, ca_path=authority.file)
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "untrusted")


def test_the_systems_authorities_do_not_know_ours(one, authority):
    with Server(MODES["ok"], authority.server()) as server:
        assert one({"url": server.url()})["evidence"]["kind"] == "untrusted"


def test_an_authority_of_the_endpoint_wins(ask, authority, stranger):
    with Server(MODES["ok"], stranger.server()) as server:
        assert ask({"url": server.url(), "ca_path": stranger.file}, ca_path=authority.file)["findings"] == []


def test_a_folder_of_authorities(ask, authority, tmp_path):
    shutil.copy(authority.file, tmp_path / "ca.pem")
    hashed = ssl.create_default_context(cafile=authority.file)
    assert hashed.get_ca_certs()
    # OpenSSL looks authorities up by the hash of their subject, as c_rehash names them.
    import subprocess

    name = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", authority.file], capture_output=True, text=True, check=True
    )
    (tmp_path / f"{name.stdout.strip()}.0").symlink_to(tmp_path / "ca.pem")
    with Server(MODES["ok"], authority.server()) as server:
        assert ask({"url": server.url()}, ca_path=str(tmp_path))["findings"] == []


def test_without_verification_anything_passes(ask, stranger):
    with Server(MODES["ok"], stranger.server("else.example.com", days=(-9, -8))) as server:
        assert ask({"url": server.url(), "validate_certs": False})["findings"] == []


def test_connect_to_keeps_name_sni_and_host_header(ask, authority):
    asked = []
    context = authority.server("www.nexuscos.example.com")
    context.sni_callback = lambda _sock, name, _context: asked.append(name)
    with Server(MODES["ok"], context) as server:
        endpoint = {"url": "https://www.nexuscos.example.com/x", "connect_to": f"127.0.0.1:{server.port}"}
        assert ask(endpoint, ca_path=authority.file)["findings"] == []
        assert asked == ["www.nexuscos.example.com"]
        assert server.connections[0].headers["host"] == "www.nexuscos.example.com"


def test_connect_to_an_address_keeps_the_port_of_the_url(ask, authority):
    with Server(MODES["ok"], authority.server("www.example.com")) as server:
        endpoint = {"url": f"https://www.example.com:{server.port}/", "connect_to": "127.0.0.1"}
        assert ask(endpoint, ca_path=authority.file)["findings"] == []
        assert server.connections[0].headers["host"] == f"www.example.com:{server.port}"


def test_server_name_stands_for_the_host(ask, one, authority):
    with Server(MODES["ok"], authority.server("inner.example.com")) as server:
        assert ask({"url": server.url(), "server_name": "inner.example.com"}, ca_path=authority.file)["findings"] == []
        found = one({"url": server.url(), "server_name": "outer.example.com"}, ca_path=authority.file)
    assert found["evidence"]["server_name"] == "outer.example.com"
    assert found["evidence"]["kind"] == "hostname"


def test_plain_http_on_the_tls_port(one):
    with Server(MODES["ok"], read=False) as server:
        found = one({"url": server.url(scheme="https")})
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "not_tls")
    assert found["title"] == "a does not speak TLS on its TLS port"


def test_no_common_version(one, authority):
    context = authority.server()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with Server(MODES["ok"], context) as server:
        import ansible_collections.nexuscos.ops.plugins.module_utils._http.tls as tls

        make = tls._make

        def old(endpoint):
            made = make(endpoint)
            made.maximum_version = ssl.TLSVersion.TLSv1_2
            return made

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tls, "_make", old)
            found = one({"url": server.url()}, ca_path=authority.file)
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "handshake")
    assert "alert" in found["evidence"]["error"]


def test_a_server_that_hangs_up_during_the_handshake(one):
    with Server(lambda it: it.sock.recv(4096), read=False) as server:
        found = one({"url": server.url(scheme="https")})
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "closed")


def test_a_reset_during_the_handshake(one):
    def answer(it):
        it.sock.recv(1)  # else the reset may come while the client still connects
        it.reset()

    with Server(answer, read=False) as server:
        found = one({"url": server.url(scheme="https")})
    assert (found["check"], found["evidence"]["kind"]) == (CHECK, "reset")


def test_a_handshake_that_never_ends(one):
    with Server(hang, read=False) as server:
        found = one({"url": server.url(scheme="https")}, timeout=1.5)
    assert (found["check"], found["evidence"]["kind"]) == ("endpoint.reachable", "timeout"), "as dead as in plain HTTP"
    assert found["title"] == "a does not finish the TLS handshake within 1.5 s"


def test_a_client_certificate_is_shown(ask, one, authority):
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    certificate, key = authority.leaf("client")
    with Server(MODES["ok"], context) as server:
        endpoint = {"url": server.url(), "client_cert": certificate, "client_key": key}
        assert ask(endpoint, ca_path=authority.file)["findings"] == []
        # Without one, TLS 1.3 refuses only after the handshake: by an alert in place of the answer.
        found = one({"url": server.url()}, ca_path=authority.file)
    assert found["status"] == "critical"


def test_evidence_without_the_library_cryptography(one, authority, monkeypatch):
    import builtins

    plain = builtins.__import__

    def without(name, *args, **more):
        if name.split(".")[0] == "cryptography":
            raise ImportError(name)
        return plain(name, *args, **more)

    with Server(MODES["ok"], authority.server(days=(-30, -2))) as server:
        monkeypatch.setattr(builtins, "__import__", without)
        found = one({"url": server.url()}, ca_path=authority.file)
        monkeypatch.undo()
    assert found["title"] == "a shows an expired certificate"
    assert found["evidence"].get("certificate") is None


def test_ipv6(ask):
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    server = Server(MODES["ok"])
    server.listener.close()
    server.listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    server.port = server.listener.getsockname()[1]
    with server:
        result = ask({"url": f"http://[::1]:{server.port}/"})
        assert result["findings"] == []
        assert result["observation"]["endpoints"][0]["samples_taken"][0]["address"] == f"[::1]:{server.port}"
        assert server.connections[0].headers["host"] == f"[::1]:{server.port}"
