"""Each check, with real certificates: healthy, at its lines, past them, and not seen."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tls_world import Made, World, issuer_url, judged, rsa_key, said


def of(world: World, *chain: Made, **source: Any) -> dict[str, Any]:
    """The judgement of a file with a chain, or of an endpoint that serves it."""
    with world.server(*chain) as server:
        return world.judge({"at": server, **source})


def only(result: dict[str, Any]) -> dict[str, Any]:
    assert len(result["findings"]) == 1, [one["title"] for one in result["findings"]]
    found: dict[str, Any] = result["findings"][0]
    return found


def leaf(world: World, **given: Any) -> Made:
    return world.make("leaf", world.between, names=["127.0.0.1"], **given)


@pytest.mark.parametrize(
    ("left", "status", "words"),
    [
        (31, None, ""),
        (29.5, "warning", "a expires in 29 days"),
        (6.5, "critical", "a expires in 6.5 days"),
        (0.52, "critical", "a expires in 12 hours"),
        (-0.02, "critical", "a expired 28 minutes ago"),
        (-3, "critical", "a expired 3 days ago"),
    ],
)
def test_expiry(world: World, left: float, status: str | None, words: str) -> None:
    result = of(world, leaf(world, days=(-360, left)), world.between)
    if status is None:
        assert result["findings"] == []
        return
    found = only(result)
    assert (found["check"], found["status"]) == ("certificate.expiry", status)
    assert found["title"].startswith(words)
    assert found["title"].endswith("({})".format(found["evidence"]["not_after"][:10]))
    assert found["value"] == pytest.approx(left, abs=0.2)
    assert "127.0.0.1" in found["remedy"]


def test_an_intermediate_that_expires_first(world: World) -> None:
    between = world.make("Old intermediate", world.root, ca=True, days=(-800, 12.5))
    found = only(of(world, world.make("leaf", between, names=["127.0.0.1"]), between))
    assert (found["check"], found["status"]) == ("certificate.expiry", "warning")
    assert found["title"].startswith("the intermediate CN=Old intermediate of a expires in 12 days")


def test_a_root_that_is_sent_and_has_expired_does_no_harm(world: World) -> None:
    """The client's own root counts: here a younger one with the same key."""
    old = world.make("Root", ca=True, key=world.root.key, days=(-900, -1))
    assert of(world, world.leaf, world.between, old)["findings"] == []


@pytest.mark.parametrize(
    ("days", "status"), [((-3, 3.5), None), ((-5, 1.5), "warning"), ((-6, 0.2), "critical"), ((-60, 31), None)]
)
def test_a_short_life_is_judged_by_its_shares(world: World, days: tuple[float, float], status: str | None) -> None:
    result = of(world, leaf(world, days=days), world.between)
    if status is None:
        assert result["findings"] == []
        return
    found = only(result)
    assert (found["check"], found["status"]) == ("certificate.expiry", status)
    assert "it lives" in found["evidence"]["judged_by"]


def test_not_yet_valid(world: World) -> None:
    found = only(of(world, leaf(world, days=(2, 397)), world.between))
    assert (found["check"], found["status"]) == ("certificate.not_yet_valid", "critical")
    assert found["title"] == "a is not valid before {}".format(found["evidence"]["not_before"])
    assert found["value"] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.example.com", "192.0.2.1"], "a shows a certificate for a.example.com, 192.0.2.1, not for 127.0.0.1"),
        ([], "without subject alternative names, so not for 127.0.0.1 (CN=leaf)"),
    ],
)
def test_hostname(world: World, names: list[str], words: str) -> None:
    found = only(of(world, world.make("leaf", world.between, names=names), world.between))
    assert (found["check"], found["status"]) == ("certificate.hostname", "critical")
    assert words in found["title"]


def test_the_server_name_counts_where_there_is_one(world: World) -> None:
    made = world.make("leaf", world.between, names=["*.example.com"])
    assert of(world, made, world.between, server_name="a.example.com")["findings"] == []
    found = only(of(world, made, world.between, server_name="a.b.example.com"))
    assert "-servername a.b.example.com" in found["remedy"]


def test_a_chain_in_the_wrong_order(world: World) -> None:
    lower = world.make("Lower", world.between, ca=True)
    made = world.make("leaf", lower, names=["127.0.0.1"])
    assert of(world, made, lower, world.between)["findings"] == []
    found = only(of(world, made, world.between, lower))
    assert (found["check"], found["status"]) == ("certificate.chain", "warning")
    assert found["title"] == "a sends its chain in the wrong order"
    assert found["evidence"]["sent"] == [
        "CN=leaf signed by CN=Lower",
        "CN=Intermediate signed by CN=Root",
        "CN=Lower signed by CN=Intermediate",
    ]


def test_what_does_not_belong_to_a_chain(world: World) -> None:
    found = only(of(world, world.leaf, world.between, world.stranger))
    assert found["title"] == "a sends a certificate that does not belong to its chain: CN=Stranger"
    assert of(world, world.leaf, world.between, world.root)["findings"] == []


def test_a_certificate_twice(world: World) -> None:
    assert only(of(world, world.leaf, world.between, world.between))["title"] == "a sends a certificate twice"


def test_a_file_with_the_authority_first(world: World) -> None:
    path = world.write("reversed.pem", world.between.pem, world.leaf.pem)
    found = only(world.judge({"file": path, "trust": False}))
    assert found["title"] == "a holds an authority before the certificate itself"


def test_a_missing_intermediate(world: World) -> None:
    made = world.make("leaf", world.between, names=["127.0.0.1"], more=[issuer_url("http://pki.example.com/i.crt")])
    found = only(of(world, made))
    assert (found["check"], found["status"]) == ("certificate.chain", "critical")
    assert "incomplete chain: the issuer CN=Intermediate is not sent" in found["title"]


def test_a_missing_intermediate_that_another_server_sends(world: World) -> None:
    with world.server(world.leaf) as short, world.server(world.leaf, world.between) as whole:
        result = world.judge({"at": short}, {"at": whole})
    assert said(result) == [("chain", "a", "critical")]


def test_trust(world: World) -> None:
    other = world.make("leaf", world.stranger, names=["127.0.0.1"])
    found = only(of(world, other))
    assert (found["check"], found["status"]) == ("certificate.trust", "critical")
    assert "its issuer CN=Stranger is neither sent nor trusted" in found["title"]
    assert "ca_path" in found["remedy"]
    assert of(world, other, trust=False)["findings"] == []
    assert of(world, other, ca_path=world.stranger.file)["findings"] == []
    own = world.make("own", names=["127.0.0.1"])
    assert only(of(world, own))["title"] == "a shows a certificate that is signed by itself and not trusted"
    forged = world.make("x", world.make("Root", ca=True), names=["127.0.0.1"])
    assert "impostor" in only(of(world, forged))["title"]


def test_where_the_system_has_no_authorities_trust_is_not_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible_collections.nexuscos.ops.plugins.module_utils._tls.trust._system", lambda: None)
    with world.server(world.leaf, world.between) as server:
        result = world.judge({"at": server}, ca_path=None)
    assert result["findings"] == []
    row = next(row for row in result["coverage"] if row["check"] == "certificate.trust")
    assert (row["seen"], "no authorities" in row["reason"]) == (False, True)


@pytest.mark.parametrize(
    ("bits", "status"), [(1024, "critical"), (1536, "warning"), (2048, None), (-192, "critical"), (-256, None)]
)
def test_keys(world: World, bits: int, status: str | None) -> None:
    key = rsa_key(bits) if bits > 0 else ec.generate_private_key({192: ec.SECP192R1(), 256: ec.SECP256R1()}[-bits])
    path = world.write("key.pem", leaf(world, key=key).pem, world.between.pem)
    result = world.judge({"file": path})
    if status is None:
        assert result["findings"] == []
        return
    found = only(result)
    assert (found["check"], found["status"]) == ("certificate.key", status)
    assert "%d bits" % abs(bits) in found["title"]


def plain(world: World, **given: Any) -> dict[str, Any]:
    """An observation of one endpoint, with some values of its certificate replaced."""
    with world.server(world.leaf, world.between) as server:
        observation = world.look({"at": server})
    observation["sources"][0]["certificates"][0]["chain"][0].update(given)
    return observation


@pytest.mark.parametrize("name", ["sha1", "md5", "md5WithRSAEncryption", "SHA1"])
def test_signatures(world: World, name: str) -> None:
    found = only(judged(plain(world, signature=name)))
    assert (found["check"], found["status"]) == ("certificate.signature", "critical")
    assert found["title"] == f"a is signed with {name.upper()}"


@pytest.mark.parametrize("name", ["sha256", "ed25519", "sha3-256", "1.2.3.4", None])
def test_good_signatures(world: World, name: Any) -> None:
    assert judged(plain(world, signature=name))["findings"] == []


def test_the_signature_of_a_root_does_not_matter(world: World) -> None:
    observation = world.look({"file": world.ca})
    observation["sources"][0]["certificates"][0]["chain"][0]["signature"] = "sha1"
    assert judged(observation)["findings"] == []


def test_facts(world: World) -> None:
    soon = leaf(world, days=(-360, 12))
    with world.server(world.leaf, world.between) as good, world.server(soon, world.between) as bad:
        result = world.judge({"at": good}, {"at": bad}, {"file": world.ca})
    facts = result["facts"]
    assert (facts["certificates_ok"], facts["certificates_total"]) == (2, 3)
    assert [row["name"] for row in facts["certificates"]] == ["b", "a", "c"]
    assert facts["days_to_expiry"] == facts["nearest"]["days"] == pytest.approx(12, abs=0.1)
    assert set(facts["certificates"][0]) == {"name", "subject", "issuer", "not_after", "days_left"}


def test_a_recording_is_judged_by_its_own_clock(world: World) -> None:
    observation = plain(world)
    observation["looked_at"] = "2036-01-01T00:00:00Z"
    assert said(judged(observation)) == [("expiry", "a", "critical")]


def test_the_service_is_in_the_evidence(world: World) -> None:
    found = only(of(world, leaf(world, days=(-360, 1)), world.between, service="auth-service"))
    assert found["evidence"]["service"] == "auth-service"


def test_lines_of_the_inventory(world: World) -> None:
    with world.server(leaf(world, days=(-360, 40)), world.between) as server:
        observation = world.look({"at": server})
    assert judged(observation)["findings"] == []
    assert said(judged(observation, {"certificate.expiry": {"target": 60}})) == [("expiry", "a", "warning")]
    short = {"certificate.expiry": {"target": 200, "overrides": [{"match": "*/a", "enabled": False}]}}
    assert judged(observation, short)["findings"] == []


def test_no_source_has_nothing_wrong() -> None:
    result = judged({"looked_at": "2026-01-01T00:00:00Z", "deadline": 30, "sources": []})
    assert all(row["seen"] for row in result["coverage"])
    assert result["facts"]["nearest"] is None
