# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as programs write them: which are errors, how bad, when, and the sentence that tells what happened."""

# ruff: noqa: E501  # lines of logs are as long as they are

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._logs.levels import Event, deadly, read, when_of
from ansible_collections.nexuscos.ops.plugins.module_utils._logs.times import Clock

NOW = datetime.datetime(2026, 11, 29, 12, 0, tzinfo=datetime.timezone.utc).timestamp()
EIGHT = datetime.datetime(2026, 11, 29, 8, 0, tzinfo=datetime.timezone.utc).timestamp()


def seen(text: str, forced: bool = False, style: str = "auto") -> Event | None:
    return read(text, Clock(NOW), forced, style)


ERRORS = [
    ("2026-11-29T08:00:00Z ERROR payment failed", "error", "payment failed"),
    ("2026-11-29 08:00:00.123 UTC [12] ERROR:  duplicate key", "error", "duplicate key"),
    ("2026-11-29 08:00:00.123 UTC [12] FATAL:  the database system is starting up", "fatal", "the database system"),
    ("2026/11/29 08:00:00 [error] 12#12: *3 connect() failed (111: Connection refused)", "error", "connect() failed"),
    ("2026/11/29 08:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed", "fatal", "bind() to"),
    ("E1129 08:00:00.123456       1 reflector.go:138] failed to list pods: Unauthorized", "error", "failed to list"),
    ("Nov 29 08:00:00 host1 sshd[12]: error: kex_exchange_identification", "error", "kex_exchange"),
    ("Nov 29 08:00:00 host1 kernel: Out of memory: Killed process 123 (java)", "error", "Out of memory"),
    ('time="2026-11-29T08:00:00Z" level=error msg="failed to pull" err="not found"', "error", "failed to pull: not found"),
    ('level=fatal ts=2026-11-29T08:00:00Z msg="cannot open"', "fatal", "cannot open"),
    ('{"time":"2026-11-29T08:00:00Z","level":"ERROR","msg":"request failed","error":"refused"}', "error", "request failed: refused"),
    ('{"ts":1795939200.5,"severity":"CRITICAL","message":"no disk"}', "fatal", "no disk"),
    ('{"level":50,"time":1795939200000,"msg":"errored","err":{"message":"ECONNREFUSED","stack":"x"}}', "error", "ECONNREFUSED"),
    ('{"@timestamp":"2026-11-29T08:00:00Z","log":{"level":"error"},"message":"nested"}', "error", "nested"),
    ('{"log":"{\\"level\\":\\"error\\",\\"msg\\":\\"inner\\"}\\n","stream":"stderr","time":"2026-11-29T08:00:00Z"}', "error", "inner"),
    ("2026-11-29T08:00:00.5Z stderr F ERROR boom", "error", "boom"),
    ('1.2.3.4 - - [29/Nov/2026:08:00:00 +0000] "GET /a HTTP/1.1" 502 157 "-" "curl"', "error", "502"),
    ("[Sun Nov 29 08:00:00.123 2026] [core:error] [pid 1] AH00124: too many redirects", "error", "AH00124"),
    ("java.lang.IllegalStateException: closed", "error", "closed"),
    ("panic: runtime error: index out of range [3]", "fatal", "index out of range"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "level", "words"), ERRORS)
def test_errors_are_read(line: str, level: str, words: str) -> None:
    event = seen(line)
    assert event is not None
    assert event.level == level
    assert words in event.head


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-29T08:00:00Z INFO done, 0 errors, no exception",
        '{"level":"INFO","msg":"request","error_count":0,"note":"no error at all"}',
        '{"level":"warn","msg":"error budget is low"}',
        '{"level":30,"msg":"error"}',
        'level=info msg="error rate 0"',
        "2026-11-29 08:00:00 UTC [12] LOG:  checkpoint complete, errors: none",
        "I1129 08:00:00.123456       1 server.go:1] started without error",
        '1.2.3.4 - - [29/Nov/2026:08:00:00 +0000] "GET /error HTTP/1.1" 404 157 "-" "curl"',
        "nothing to see",
        "",
        "{",
        "{}",
        "[]",
    ],
)
def test_what_is_no_error_is_none(line: str) -> None:
    assert seen(line) is None


def test_what_something_else_calls_an_error_is_one() -> None:
    event = seen("unit entered failed state", forced=True)
    assert event is not None
    assert event.level == "error"


def test_the_format_may_be_given() -> None:
    assert seen("ERROR plain", style="json") is None
    assert seen('{"level":"error","msg":"x"}', style="json") is not None
    event = seen('{"level":"error","msg":"x"}', style="plain")
    assert event is None or "msg" in event.head


@pytest.mark.parametrize(
    "line",
    [
        line
        for line, _level, _words in ERRORS
        if "2026" in line or "Nov 29" in line or "1129" in line or "17959" in line
    ],
)
def test_times_are_read(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    event = seen(line)
    assert event is not None
    assert event.when is not None
    # A time without a zone is local time, wherever the test runs.
    assert abs(event.when - EIGHT) <= 15 * 3600
    if "Z" in line or "+0000" in line or "17959" in line:
        assert abs(event.when - EIGHT) < 1


def test_a_year_that_is_not_written_is_the_last_one() -> None:
    clock = Clock(datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc).timestamp())
    when, _end = clock.read("Dec 31 23:00:00 host x")
    assert when is not None
    assert datetime.datetime.fromtimestamp(when, datetime.timezone.utc).year in (2025, 2026)
    assert when < clock.read("Jan  2 00:00:00 host x")[0]  # type: ignore[operator]


def test_python_tells_what_was_raised() -> None:
    alone = seen(
        'Traceback (most recent call last):\n  File "x.py", line 3, in <module>\n    main()\nValueError: bad id'
    )
    assert alone is not None
    assert alone.head == "ValueError: bad id"
    logged = seen(
        '2026-11-29T08:00:00Z ERROR root: it failed\nTraceback (most recent call last):\n  File "x"\nKeyError: 1'
    )
    assert logged is not None
    assert logged.head.endswith("it failed: KeyError: 1")
    assert len(logged.trace) == 3


def test_java_tells_the_last_cause() -> None:
    event = seen(
        "2026-11-29T08:00:00Z ERROR [main] c.f.Bar - boom\njava.lang.RuntimeException: x\n\tat c.f.Bar.baz(Bar.java:1)\n"
        "Caused by: java.io.IOException: disk\n\t... 3 more"
    )
    assert event is not None
    assert event.head.endswith("boom: java.io.IOException: disk")


def test_what_kills_a_process_is_known() -> None:
    for words in ("java.lang.OutOfMemoryError: heap", "worker segfault at 0", "SIGSEGV", "thread 'main' panicked at x"):
        assert deadly(words), words
    for words in ("connection refused", "companion", "mechanic: x", "not found"):
        assert not deadly(words), words


def test_a_cut_line_still_says_its_time() -> None:
    clock = Clock(NOW)
    assert when_of('{"level":"INFO","time":"2026-11-29T08:00:00Z","msg":"long and cu', clock) == EIGHT
    assert when_of('{"ts":1795939200,"msg":"x', clock) == EIGHT
    assert when_of("nothing", clock) is None


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    seen(text)
    seen(text, forced=True)
    seen('{"level":"error","msg":%s}' % text)
    when_of(text, Clock(NOW))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["level", "msg", "error", "time", "stack", "log", "stream", "service"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_can_be_read(data: object) -> None:
    import json

    event = seen(json.dumps(data))
    assert event is None or event.level in ("error", "fatal")
