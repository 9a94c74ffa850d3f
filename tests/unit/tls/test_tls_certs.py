"""Files into certificates, certificates into plain values: what openssl reads, and nothing of what lies beside them."""

from __future__ import annotations

import base64
import datetime
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from tls_world import World, issuer_url, openssl, private_pem, rsa_key

from ansible_collections.nexuscos.ops.plugins.module_utils._tls import certs
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.certs import NoCertificate, load, split


def test_plain_values_are_those_that_openssl_reads(world: World) -> None:
    plain = world.leaf.read.plain
    told = openssl(
        "x509", "-noout", "-serial", "-fingerprint", "-sha256", "-dates", "-dateopt", "iso_8601", "-in", world.leaf.file
    )
    lines = dict(line.split("=", 1) for line in told.splitlines())
    assert int(lines["serial"], 16) == int(plain["serial"], 16)
    assert lines["sha256 Fingerprint"].replace(":", "").lower() == plain["sha256"]
    assert lines["notBefore"].replace(" ", "T") == plain["not_before"]
    assert lines["notAfter"].replace(" ", "T") == plain["not_after"]
    assert (plain["names"], plain["addresses"]) == (["localhost"], ["127.0.0.1"])
    assert (plain["subject"], plain["issuer"]) == ("CN=leaf", "CN=Intermediate")
    assert (plain["key_type"], plain["key_bits"], plain["key_as_rsa"]) == ("EC secp256r1", 256, 3072)
    assert (plain["signature"], plain["ca"], plain["self_signed"]) == ("sha256", False, False)
    assert world.root.read.plain["self_signed"] is True
    assert json.loads(json.dumps(plain)) == plain


def test_keys_are_measured_alike(world: World) -> None:
    for key, kind, as_rsa in (
        (rsa_key(1024), "RSA", 1024),
        (ec.generate_private_key(ec.SECP192R1()), "EC secp192r1", 1024),
        (ec.generate_private_key(ec.SECP384R1()), "EC secp384r1", 7680),
    ):
        plain = world.make("k", key=key).read.plain
        assert (plain["key_type"], plain["key_as_rsa"]) == (kind, as_rsa)
    made = world.make("k", world.root, key=None)
    assert made.read.plain["key_as_rsa"] == 3072
    public = world.make("e", world.root, key=_Ed25519())
    assert (public.read.plain["key_type"], public.read.plain["key_as_rsa"]) == ("Ed25519", 3072)


class _Ed25519:
    """A key of which only the public half goes into a certificate that another key signs."""

    def __init__(self) -> None:
        self._key = ed25519.Ed25519PrivateKey.generate()

    def public_key(self) -> ed25519.Ed25519PublicKey:
        return self._key.public_key()

    def private_bytes(self, *form: object) -> bytes:
        return self._key.private_bytes(*form)  # type: ignore[arg-type]


def test_who_signed_whom_is_told_by_the_signature(world: World) -> None:
    impostor = world.make("Intermediate", world.root, ca=True)
    chain = load([world.leaf.der, impostor.der, world.between.der, world.root.der])
    assert [one.plain["issued_by"] for one in chain] == [2, 3, 3, None]


def test_old_hashes_are_checked_although_the_library_refuses_them(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    key, request, made = (str(tmp_path / one) for one in ("key", "request", "made"))
    for digest in ("-sha1", "-md5"):
        openssl("req", "-newkey", "rsa:1024", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=old")
        signer = world.make("RSA root", ca=True, key=rsa_key(2048))
        openssl("x509", "-req", digest, "-in", request, "-CA", signer.file, "-set_serial", "7", "-out", made)
        with open(made, "rb") as stream:
            old = load(split(stream.read()))[0]
        assert old.plain["signature"] == digest[1:]
        assert certs.issued(old, signer.read)
        # the same name with another key
        assert not certs.issued(old, world.make("RSA root", ca=True, key=rsa_key(2048)).read)


def test_a_url_of_the_issuer(world: World) -> None:
    made = world.make("x", world.root, more=[issuer_url("http://pki.example.com/i.crt")])
    assert made.read.plain["issuer_urls"] == ["http://pki.example.com/i.crt"]


def test_dates_long_ago_and_far_away(world: World) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    days = (datetime.datetime(1951, 1, 15, tzinfo=datetime.timezone.utc) - now).days
    plain = world.make("x", days=(days, 2_000_000)).read.plain
    assert plain["not_before"].startswith("1951-01")
    assert len(plain["not_after"]) == 20


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "no certificate in PEM or DER"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "cut off"),
        (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", "no base64"),
        (b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "only: PRIVATE KEY"),
    ],
)
def test_what_is_no_certificate_says_why(data: bytes, words: str) -> None:
    with pytest.raises(NoCertificate, match=words):
        split(data)


def test_texts_and_keys_between_certificates_are_passed_over(world: World) -> None:
    mixed = b"subject=x\n" + private_pem(world.leaf.key) + world.leaf.pem + b"\nissuer=y\n" + world.between.pem
    assert split(mixed) == [world.leaf.der, world.between.der]
    assert split(world.leaf.der) == [world.leaf.der]
    windows = world.leaf.pem.replace(b"\n", b"\r\n")
    assert split(windows) == [world.leaf.der]


@given(data=st.binary(max_size=300))
def test_any_bytes_are_refused_with_words(data: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(data) + b"\n-----END CERTIFICATE-----\n"
    for given_bytes in (data, pem):
        with pytest.raises(NoCertificate):
            load(split(given_bytes))


@given(place=st.integers(0, 400), value=st.integers(0, 255))
def test_a_bent_certificate_is_read_or_refused(world: World, place: int, value: int) -> None:
    der = bytearray(world.leaf.der)
    der[place % len(der)] = value
    try:
        plain = load([bytes(der)])[0].plain
    except NoCertificate:
        return
    assert json.loads(json.dumps(plain)) == plain
