"""Paths to authorities: which verdict, and does openssl come to the same one?"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tls_world import Made, World, issuer_url, openssl

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._tls import certs
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.trust import Store, judge_path, open_store


def verdict(
    chain: Sequence[Made], anchors: Sequence[Made], pool: Sequence[Made] = (), server: bool = True
) -> dict[str, Any]:
    read = certs.load([one.der for one in chain])
    known: dict[bytes, list[certs.Cert]] = {}
    for one in pool:
        known.setdefault(one.read.subject, []).append(one.read)
    store = Store([one.read for one in anchors], "test")
    return judge_path(read, store, known, datetime.datetime.now(datetime.timezone.utc), server)


def by_openssl(world: World, chain: Sequence[Made], anchors: Sequence[Made]) -> bool:
    """Whether openssl trusts it, as a client of TLS would."""
    words = ["verify", "-purpose", "sslserver", "-CAfile", world.write("anchors.pem", *(one.pem for one in anchors))]
    if chain[1:]:
        words += ["-untrusted", world.write("untrusted.pem", *(one.pem for one in chain[1:]))]
    return openssl(*words, world.write("first.pem", chain[0].pem)).rstrip().endswith(": OK")


def usage(sign: bool) -> tuple[x509.ExtensionType, bool]:
    return x509.KeyUsage(True, False, False, False, False, sign, sign, False, False), True


def test_kinds(world: World) -> None:
    root, between, leaf, stranger = world.root, world.between, world.leaf, world.stranger
    short = world.make("Short root", ca=True, path_length=0)
    below = world.make("Below", short, ca=True)
    no_ca = world.make("No authority", root)
    no_sign = world.make("May not sign", root, ca=True, more=[usage(False)])
    client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    impostor = world.make("Root", ca=True)
    names = x509.NameConstraints([x509.DNSName("example.com")], [x509.DNSName("secret.example.com")])
    limited = world.make("Limited", root, ca=True, more=[(names, True)])
    private = x509.NameConstraints(None, [x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))])
    no_ten = world.make("No ten", root, ca=True, more=[(private, True)])
    cases: list[tuple[str, list[Made], list[Made]]] = [
        ("trusted", [leaf, between], [root]),
        ("trusted", [leaf, between, root], [root]),
        ("trusted", [leaf, stranger, between], [root]),
        ("trusted", [world.make("direct", root, names=["a"])], [stranger, root]),
        ("self_signed", [world.make("self", names=["a"])], [root]),
        ("unknown_root", [leaf, between, root], [stranger]),
        ("unknown", [leaf], [root]),
        ("unknown", [leaf, between], [stranger]),
        ("forged", [world.make("forged", impostor, names=["a"])], [root]),
        ("limits", [world.make("deep", below, names=["a"]), below], [short]),
        ("limits", [world.make("x", no_ca, names=["a"]), no_ca], [root]),
        ("limits", [world.make("x", no_sign, names=["a"]), no_sign], [root]),
        ("purpose", [world.make("client", root, names=["a"], more=[(client, False)])], [root]),
        ("trusted", [world.make("x", limited, names=["a.example.com"]), limited], [root]),
        ("limits", [world.make("x", limited, names=["a.example.org"]), limited], [root]),
        ("limits", [world.make("x", limited, names=["a.secret.example.com"]), limited], [root]),
        ("trusted", [world.make("x", no_ten, names=["192.0.2.1"]), no_ten], [root]),
        ("limits", [world.make("x", no_ten, names=["10.1.2.3"]), no_ten], [root]),
    ]
    for kind, chain, anchors in cases:
        found = verdict(chain, anchors)
        who = f"{chain[0].read.plain['subject']}: {found}"
        assert found["kind"] == kind, who
        assert by_openssl(world, chain, anchors) == (kind == "trusted"), who


def test_a_certificate_that_is_trusted_itself(world: World) -> None:
    own = world.make("self", names=["a"])
    assert verdict([own], [own])["kind"] == "trusted"


def test_what_is_missing_is_told_by_what_others_send(world: World) -> None:
    found = verdict([world.leaf], [world.root], pool=[world.between])
    assert found["kind"] == "missing"
    assert found["text"] == "the intermediate CN=Intermediate is not sent"


def test_what_is_missing_is_told_by_the_address_of_the_issuer(world: World) -> None:
    lonely = world.make("lonely", world.between, names=["a"], more=[issuer_url("http://pki.example.com/i.crt")])
    found = verdict([lonely], [world.root])
    assert (found["kind"], "http://pki.example.com/i.crt" in found["text"]) == ("missing", True)


def test_an_authority_that_has_expired_leads_nowhere(world: World) -> None:
    old = world.make("Old root", ca=True, days=(-900, -1))
    found = verdict([world.make("x", old, names=["a"])], [old])
    assert found["kind"] == "expired"
    assert not by_openssl(world, [world.make("x", old, names=["a"])], [old])


def test_dates_of_the_chain_are_no_question_of_trust(world: World) -> None:
    assert verdict([world.make("x", world.root, names=["a"], days=(-9, -1))], [world.root])["kind"] == "trusted"


def test_authorities_that_sign_each_other_end(world: World) -> None:
    one = world.make("One", ca=True, issuer="Two")
    two = world.make("Two", one, ca=True)
    crossed = world.make("One", two, ca=True, key=one.key)
    leaf = world.make("x", crossed, names=["a"])
    assert verdict([leaf, crossed, two], [world.root])["kind"] in ("unknown", "limits")


def test_a_signature_that_cannot_be_checked_is_said_to_be_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certs, "signed", lambda _parsed, _issuer: None)
    assert verdict([world.leaf, world.between], [world.root])["kind"] == "unchecked"


def test_stores(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "root.pem").write_bytes(world.root.pem)
    (folder / "again.crt").write_bytes(world.root.pem + world.stranger.pem)
    (folder / "README").write_text("no certificate")
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")
    assert len(open_store(str(folder))) == 2
    assert len(open_store(world.ca)) == 1
    (folder / "empty").mkdir()
    with pytest.raises(OptionError, match="holds no certificate"):
        open_store(str(folder / "empty"))
    with pytest.raises(OptionError, match="holds no certificate"):
        open_store(str(folder / "README"))


def test_the_systems_store(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", world.ca)
    assert len(open_store(None)) == 1
    monkeypatch.setattr("ansible_collections.nexuscos.ops.plugins.module_utils._tls.trust._system", lambda: None)
    with pytest.raises(OptionError, match="the system has no authorities"):
        open_store(None)
