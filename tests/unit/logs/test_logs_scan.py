# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding the lines of errors in bytes: all of them, with their traces, whatever the size of the blocks."""

# ruff: noqa: E501  # lines of logs are as long as they are

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.nexuscos.ops.plugins.module_utils._logs import scan
from ansible_collections.nexuscos.ops.plugins.module_utils._logs.levels import read
from ansible_collections.nexuscos.ops.plugins.module_utils._logs.times import Clock

JSON = '{"time":"2026-11-29T08:00:00.%06dZ","level":"%s","msg":"request","trace_id":"%032x","status":200}'
PLAIN = "2026-11-29T08:00:00.%06dZ %s [worker-1] com.nexus.Billing - payment %x is done"
KLOG = "%s1129 08:00:00.%06d       1 reflector.go:138] step %x"
FREE = "service %d says %s: %x"
TRACES = [
    b'Traceback (most recent call last):\n  File "x.py", line 3, in <module>\n    main()\nValueError: bad id',
    b"java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: y\n\t... 3 more",
    b"panic: runtime error: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:12 +0x1d\n\ngoroutine 2 [select]:\nmain.f()\n\t/x",
    b"TypeError: x is not a function\n    at Object.<anonymous> (/app/x.js:1:2)\n    at node:internal/main:1:2",
]  # fmt: skip


def whole(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    scan.scan_bytes(data, found.append)
    return found


def in_blocks(data: bytes, block: int, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    monkeypatch.setattr(scan, "BLOCK", block)
    monkeypatch.setattr(scan, "_LONGEST", max(block // 2, 2000))
    found: list[bytes] = []
    finder = scan.Finder(bytearray(block + 2 * max(block // 2, 2000)))
    stream = scan.Stream(finder, scan.Plan([data]), lambda events: found.extend(raw for raw, _begin in events))
    place = 0
    while place < len(data):
        room = stream.room()
        part = data[place : place + len(room)]
        room[: len(part)] = part
        room.release()
        stream.take(len(part))
        place += len(part)
    stream.finish()
    return found


def corpus(style: str, count: int, seed: int = 1) -> tuple[bytes, int]:
    """Lines of a style, and how many of them are errors."""
    dice = random.Random(seed)
    lines, bad = [], 0
    for number in range(count):
        error = dice.random() < 0.03
        bad += error
        level = "ERROR" if error else dice.choice(["INFO", "DEBUG", "WARN"])
        if style == "json":
            lines.append(JSON % (number, level, dice.getrandbits(128)))
        elif style == "lower":
            lines.append(JSON % (number, level.lower(), dice.getrandbits(128)))
        elif style == "klog":
            lines.append(KLOG % (level[0], number, dice.getrandbits(64)))
        elif style == "plain":
            lines.append(PLAIN % (number, level, dice.getrandbits(64)))
        else:
            lines.append(FREE % (number, "connection error" if error else "fine", dice.getrandbits(64)))
    return ("\n".join(lines) + "\n").encode(), bad


def errors(found: list[bytes]) -> int:
    clock = Clock(1.8e9)
    return sum(1 for raw in found if read(raw.decode("utf-8", "replace"), clock) is not None)


@pytest.mark.parametrize("style", ["json", "lower", "plain", "klog", "free"])
def test_every_error_of_a_style_is_found(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, bad = corpus(style, 4000)
    assert errors(whole(data)) == bad
    for block in (700, 8192):
        assert errors(in_blocks(data, block, monkeypatch)) == bad


@pytest.mark.parametrize("style", ["json", "plain", "free"])
def test_it_works_without_the_c_library(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_MEMMEM", None)
    data, bad = corpus(style, 1000)
    assert errors(whole(data)) == bad


def test_a_file_that_says_levels_is_searched_for_levels() -> None:
    plan = scan.Plan([corpus("json", 200)[0]])
    needles = {*plan.needles, *(needle for group in plan.rare.values() for _place, needle in group)}
    assert b"rror" not in needles
    assert any(needle.startswith(b'"level":"ERR') for needle in needles)
    free = scan.Plan([corpus("free", 200)[0]])
    assert b"rror" in {*free.needles, *(needle for group in free.rare.values() for _place, needle in group)}


def test_a_file_that_changes_its_format_is_noticed() -> None:
    plan = scan.Plan([corpus("json", 200)[0]])
    assert plan.covers(corpus("json", 50, seed=2)[0])
    assert not plan.covers(corpus("plain", 50)[0])
    assert not plan.covers(corpus("free", 50)[0])


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("head", [b"", b"2026-11-29T08:00:00Z ERROR it failed\n"])
def test_a_trace_is_one_event(trace: bytes, head: bytes) -> None:
    around, _bad = corpus("plain", 50)
    around = b"\n".join(line for line in around.split(b"\n") if b"ERROR" not in line)
    if head and trace.startswith((b"panic", b"TypeError")):
        head = b""
    assert whole(around + head + trace + b"\n" + around) == [head + trace]


def test_two_traces_are_two_events() -> None:
    data = TRACES[0] + b"\n" + TRACES[0] + b"\n"
    assert len(whole(data)) == 2
    assert len(whole(b"2026-11-29T08:00:00Z ERROR a\n2026-11-29T08:00:01Z ERROR b\n")) == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=700, max_value=3000), st.integers(min_value=0, max_value=10**6))
def test_blocks_do_not_matter(block: int, seed: int) -> None:
    dice = random.Random(seed)
    parts = []
    for number in range(60):
        pick = dice.random()
        if pick < 0.1:
            parts.append(b"2026-11-29T08:00:00Z ERROR it failed\n" + dice.choice(TRACES[:2]))
        elif pick < 0.3:
            parts.append((PLAIN % (number, "ERROR", dice.getrandbits(64))).encode())
        else:
            parts.append((PLAIN % (number, "INFO", dice.getrandbits(64))).encode())
    data = b"\n".join(parts) + b"\n"
    with pytest.MonkeyPatch.context() as patch:
        assert in_blocks(data, block, patch) == whole(data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_can_be_scanned(data: bytes) -> None:
    for raw in whole(data + b"\nERROR x\n"):
        assert raw


def test_a_line_longer_than_any_buffer_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"INFO a\n" + b"x" * 20_000 + b"\nERROR b\n"
    assert in_blocks(data, 1024, monkeypatch)[-1] == b"ERROR b"


def test_no_bytes_no_events() -> None:
    assert whole(b"") == []
    assert whole(b"\n\n\n") == []
