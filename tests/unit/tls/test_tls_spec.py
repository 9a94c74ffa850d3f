"""Sources as they are given: what is taken, and what is refused with words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._tls.spec import parse, split_url

DEFAULTS = {"timeout": 5.0, "ca_path": None, "kubeconfig": "/k", "context": "east"}


def one(**given: Any) -> Any:
    return parse([{"name": "a", **given}], DEFAULTS)[0]


@pytest.mark.parametrize(
    ("given", "where", "starttls"),
    [
        ({"url": "https://a.example.com/x"}, "a.example.com:443", None),
        ({"url": "https://[2001:db8::1]:8443"}, "[2001:db8::1]:8443", None),
        ({"url": "smtp://mail.example.com"}, "mail.example.com:25", "smtp"),
        ({"url": "smtp://mail.example.com:587"}, "mail.example.com:587", "smtp"),
        ({"url": "ldaps://ldap.example.com"}, "ldap.example.com:636", None),
        ({"url": "postgresql://db1"}, "db1:5432", "postgres"),
        ({"url": "tls://db1:5432", "starttls": "postgres"}, "db1:5432", "postgres"),
        ({"host": "db1", "starttls": "imap"}, "db1:143", "imap"),
        ({"host": "db1"}, "db1:443", None),
        ({"host": "2001:db8::1", "port": 1}, "[2001:db8::1]:1", None),
    ],
)
def test_endpoints(given: dict[str, Any], where: str, starttls: str | None) -> None:
    source = one(**given)
    assert (source.kind, source.where, source.starttls) == ("endpoint", where, starttls)
    assert source.asked_name == source.host


def test_a_server_name_is_what_the_certificate_must_have() -> None:
    assert one(url="https://192.0.2.1", server_name="a.example.com").asked_name == "a.example.com"
    assert one(file="/x").asked_name is None
    assert one(file="/x", server_name="a.example.com").asked_name == "a.example.com"


def test_a_secret_takes_the_modules_cluster_unless_it_has_its_own() -> None:
    own = one(secret={"namespace": "n", "name": "s"}).secret
    assert (own.kubeconfig, own.context, own.where) == ("/k", "east", "east n/s")
    other = one(secret={"namespace": "n", "kubeconfig": "/other"}).secret
    assert (other.kubeconfig, other.context, other.where) == ("/other", None, "namespace n")


def test_what_a_recording_keeps_has_no_name_that_would_be_redacted() -> None:
    from ansible_collections.nexuscos.ops.plugins.module_utils._core.redact import redact

    for source in (
        {"url": "https://a"},
        {"secret": {"namespace": "n", "name": "s"}},
        {"kubeconfig": "/k"},
        {"file": "/f"},
    ):
        kept = one(**source).public()
        assert redact(kept) == kept


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "want one of url, host, file, secret, kubeconfig"),
        ({"url": "https://a", "host": "b"}, "exclude each other"),
        ({"url": "http://a"}, "did you mean 'https'"),
        ({"url": "https://"}, "with a host"),
        ({"url": "https://u:p@a"}, "nobody logs in"),
        ({"url": "https://a:70000"}, "no URL"),
        ({"url": "https://a", "port": 1}, "belongs into the url"),
        ({"url": "smtp://a", "starttls": "imap"}, "does not go with"),
        ({"host": "a b"}, "want a host name"),
        ({"host": "a", "port": 0}, "want 1 to 65535"),
        ({"host": "a", "starttls": "impa"}, "did you mean 'imap'"),
        ({"file": "/x", "port": 5}, "port wants url or host"),
        ({"file": "/x", "kubeconfig": "/y"}, "exclude each other"),
        ({"host": "a", "kubeconfig": "/y"}, "does not go with an endpoint"),
        ({"host": "a", "secret": {"namespace": "n"}}, "name of the one Secret"),
        ({"secret": {"namespace": "N/"}}, "want a namespace"),
        ({"secret": {"namespace": "n", "name": "../x"}}, "no name of a Secret"),
        ({"host": "a", "connect_to": "x:y:z:"}, "connect_to"),
        ({"host": "a", "timeout": 0}, "timeout"),
        ({"host": "a", "timeout": float("nan")}, "timeout"),
        ({"host": "a", "ca_path": "/nowhere"}, "cannot read /nowhere"),
    ],
)
def test_wrong_options_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        one(**given)
    assert str(caught.value).startswith("sources: a: ")


@pytest.mark.parametrize("names", [["a", "a"], [""], ["a/b"], ["a\nb"]])
def test_names(names: list[str]) -> None:
    with pytest.raises(OptionError, match="sources: entr"):
        parse([{"name": name, "host": "x"} for name in names], DEFAULTS)


@given(url=st.text(max_size=40).map(lambda text: "https://" + text))
def test_a_url_is_taken_or_refused(url: str) -> None:
    try:
        host, port, _starttls = split_url(url)
    except OptionError:
        return
    assert host
    assert 0 < port < 65536
