"""Secrets do not get through, and what is no secret stays readable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._core.redact import MARK, redact, redact_text

HUSH = "hunter2-hush"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"


@pytest.mark.parametrize(
    "text",
    [
        f"postgres://nexus:{HUSH}@db1:5432/nexusdb",
        f"redis://:{HUSH}@redis1/0",
        f"connect to mongodb+srv://u:{HUSH}@mongo1/x?y=1 failed",
        f"postgres://nexus:with@{HUSH}@db1/nexusdb",
        f"Authorization: Bearer {HUSH}",
        f"authorization: basic {HUSH}==",
        f"password={HUSH}",
        f"PGPASSWORD={HUSH} psql",
        f"DB_PASSWORD: {HUSH}",
        f"--password={HUSH}",
        f"db.password = '{HUSH}'",
        f'{{"password": "{HUSH}"}}',
        f'{{"clientSecret":"{HUSH}","x":1}}',
        f'{{"password": "with \\" quote {HUSH}"}}',
        f"api_key={HUSH}&x=1",
        f"apikey: {HUSH}",
        f"x-api-key: {HUSH}",
        f"access_token={HUSH};",
        f"aws_secret_access_key = {HUSH}",
        f"SECRET_KEY={HUSH}",
        f"secret => {HUSH}",
        f"user=nexus password={HUSH} host=db1",
        f"passwd: {HUSH}",
        f"https://api.example.com/x?token={HUSH}&y=1",
        f"-----BEGIN RSA PRIVATE KEY-----\n{HUSH}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{HUSH}",
    ],
)
def test_secrets_in_a_text(text):
    clean = redact_text(text)
    assert HUSH not in clean
    assert MARK in clean


def test_other_secrets_in_a_text():
    assert JWT not in redact_text(f"token {JWT} refused")
    assert redact_text("key AKIAIOSFODNN7EXAMPLE leaked") == f"key {MARK} leaked"
    assert redact_text("mail owner+platform@nexuscos.example.com now") == "mail [email] now"


@pytest.mark.parametrize(
    "text",
    [
        "connection to db1:5432 refused",
        "GET http://198.51.100.7:3001/health 503",
        "https://nexuscos.example.com:443/a@b",
        "password authentication failed for user nexus",
        "the token of the service account is missing",
        "secret nexus-auth/auth-service-env not found",
        "tokens: 43",
        "basic checks passed",
        "token-mgr answers 503",
        "kubectl -n nexus-auth get secret",
    ],
)
def test_what_is_no_secret_stays(text):
    assert HUSH not in text
    shown = redact_text(text)
    assert shown == text or (text == "tokens: 43" and shown.startswith("tokens"))


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "DB_PASSWORD",
        "PGPASSWORD",
        "dbPassword",
        "db.password",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "client_secret",
        "clientSecret",
        "token",
        "access_token",
        "accessToken",
        "api_key",
        "apiKey",
        "x-api-key",
        "secret_key",
        "SECRET_KEY",
        "private_key",
        "credentials",
        "Authorization",
        "Set-Cookie",
        "client-key-data",
    ],
)
def test_secrets_under_their_name(key):
    assert redact({key: HUSH}) == {key: MARK}
    assert HUSH not in json.dumps(redact({"deep": [{key: HUSH}]}))
    assert HUSH not in json.dumps(redact({key: [HUSH, HUSH]}))


@pytest.mark.parametrize("key", ["password", "PGPASSWORD", "passphrase"])
def test_a_number_can_be_a_password(key):
    assert redact({key: 271828}) == {key: MARK}


@pytest.mark.parametrize(
    "data",
    [
        {"secretName": "auth-env", "secretKeyRef": {"name": "auth-env", "key": "url"}},
        {"imagePullSecrets": [{"name": "registry"}]},
        {"automountServiceAccountToken": False, "tokens": 43, "password": None, "secret": ""},
        {"monkey": "banana", "keys": ["a"], "tokenizer": "plain", "key": "status"},
        {"a": 1, "b": 1.5, "c": None, "d": True, "e": ["x", ["y"]]},
    ],
)
def test_what_is_no_secret_stays_as_it_is(data):
    assert redact(data) == data


def test_pairs_of_name_and_value():
    env = [{"name": "PGPASSWORD", "value": HUSH}, {"name": "PGUSER", "value": "nexus"}]
    assert redact(env) == [{"name": "PGPASSWORD", "value": MARK}, {"name": "PGUSER", "value": "nexus"}]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["password", "url", "token"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(values)
def test_twice_is_as_good_as_once(data):
    assert redact(redact(data)) == redact(data)


@given(values)
def test_the_shape_stays(data):
    json.dumps(redact(data))
    if isinstance(data, dict):
        assert set(redact(data)) == set(data)


@given(
    st.text(
        alphabet=st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'\\,;&}])/@ "), min_size=1
    )
)
def test_no_password_gets_through(password):
    hush = "q9Z" + password
    assert hush not in redact_text(f"postgres://nexus:{hush}@db1/x")
    assert hush not in redact_text(f'{{"password": "{hush}"}}')
    assert hush not in redact_text(f"password={hush} host=db1")


def test_a_long_text_is_redacted_in_no_time():
    import time

    began = time.process_time()
    redact_text("a" * 200_000)
    redact_text("http://" * 20_000)
    redact_text("password" * 20_000)
    assert time.process_time() - began < 20, "a pattern backtracks"
