"""Options: what is wrong is named; what is right is plain afterwards."""

from __future__ import annotations

import re

import pytest

from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OptionError
from ansible_collections.nexuscos.ops.plugins.module_utils._http import spec

DEFAULTS = {"timeout": 5.0, "samples": 3, "ca_path": None}
URL = "http://nexuscos.example.com/health"


def parse(**endpoint):
    return spec.parse([{"name": "a", "url": URL, **endpoint}], DEFAULTS)[0]


@pytest.mark.parametrize(
    ("endpoint", "says"),
    [
        ({"name": ""}, "entry 1: want a name"),
        ({"name": "a/b"}, "want a name without '/'"),
        ({"url": ""}, "want http://"),
        ({"url": "nexuscos.example.com"}, "want http://"),
        ({"url": "ftp://nexuscos.example.com/"}, "want http://"),
        ({"url": "http:///health"}, "with a host"),
        ({"url": "http://host:99999/"}, "is no URL"),
        ({"url": "http://host:port/"}, "is no URL"),
        ({"url": "http://[::1/"}, "is no URL"),
        ({"url": "http://user:secret@host/"}, "use username and password"),
        ({"url": "http://host/a b"}, "blanks or control characters"),
        ({"url": "http://host/\u00e4"}, "encode what is not ASCII"),
        ({"url": "http://" + "a" * 64 + "/"}, "encode what is not ASCII"),
        ({"method": "GET / HTTP/1.1\r\nX: y"}, "method"),
        ({"headers": {"X Y": "z"}}, "no header name"),
        ({"headers": {"X": "a\r\nY: b"}}, "the value of X has a line break"),
        ({"secret_headers": {"X": "hush\nhush"}}, "the value of X has a line break"),
        ({"headers": {"authorization": "x"}, "token": "y"}, "authorization is given twice"),
        ({"token": "a", "username": "b"}, "exclude each other"),
        ({"password": "b"}, "password wants username"),
        ({"follow_redirects": "same-host"}, "did you mean 'same_host'"),
        ({"connect_to": "http://host"}, "connect_to"),
        ({"connect_to": "host:0"}, "connect_to"),
        ({"status": ["2"]}, "want 200, 200-299 or 2xx"),
        ({"status": ["299-200"]}, "wrong way round"),
        ({"json": [{"path": "a", "equal": 1}]}, "did you mean 'equals'"),
        ({"json": [{"equals": 1}]}, "wants a path"),
        ({"json": [{"path": "a", "min": "few"}]}, "want a number"),
        ({"timeout": 0}, "timeout: want 0.001 to 3600"),
        ({"samples": 101}, "samples: want 1 to 100"),
        ({"ca_path": "/no/such/file"}, "ca_path: cannot read"),
        ({"client_key": "/etc/hostname"}, "wants client_cert"),
    ],
)
def test_what_is_wrong_is_named(endpoint, says):
    with pytest.raises(OptionError, match=re.escape(says)):
        parse(**endpoint)


def test_a_secret_is_not_repeated_in_an_error():
    with pytest.raises(OptionError) as error:
        parse(secret_headers={"X": "hush\nhush"})
    assert "hush" not in str(error.value)


def test_names_are_unique():
    with pytest.raises(OptionError, match="entries 1 and 2 are both called 'a'"):
        spec.parse([{"name": "a", "url": URL}, {"name": "a", "url": URL}], DEFAULTS)


@pytest.mark.parametrize(
    ("given", "ranges"),
    [
        (None, ((200, 299),)),
        (["200"], ((200, 200),)),
        (["2xx", "301"], ((200, 299), (301, 301))),
        (["200-204"], ((200, 204),)),
        ([503], ((503, 503),)),
    ],
)
def test_statuses(given, ranges):
    assert parse(status=given).status == ranges


@pytest.mark.parametrize(
    ("given", "host", "port"),
    [
        (None, None, None),
        ("198.51.100.7", "198.51.100.7", None),
        ("198.51.100.7:8443", "198.51.100.7", 8443),
        ("edge1.example.com:443", "edge1.example.com", 443),
        ("[2001:db8::7]:443", "2001:db8::7", 443),
        ("[2001:db8::7]", "2001:db8::7", None),
        ("2001:db8::7", "2001:db8::7", None),
    ],
)
def test_connect_to(given, host, port):
    endpoint = parse(connect_to=given)
    assert (endpoint.connect_host, endpoint.connect_port) == (host, port)


def test_defaults_of_the_module_and_of_the_endpoint():
    assert (parse().timeout, parse().samples) == (5.0, 3)
    assert (parse(timeout=1, samples=1).timeout, parse(timeout=1, samples=1).samples) == (1.0, 1)


def test_what_a_recording_keeps_holds_no_secret():
    endpoint = parse(token="hush-token", secret_headers={"X-Key": "hush-key"}, body="hush-body", headers={"X": "plain"})
    assert "hush" not in str(endpoint.public())


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://host", ("http", "host", 80, "/")),
        ("https://host?x=1#y", ("https", "host", 443, "/?x=1")),
        ("https://HOST:8443/a%20b?c=d", ("https", "host", 8443, "/a%20b?c=d")),
        ("http://[::1]:80/", ("http", "::1", 80, "/")),
    ],
)
def test_split_url(url, parts):
    assert spec.split_url(url) == parts
