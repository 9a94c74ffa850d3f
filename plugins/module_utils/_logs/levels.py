# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read one event: how bad it is, when it was, and the sentence in it that tells what happened."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from .times import Clock

FATAL = "fatal"
ERROR = "error"

_WORDS = {
    "trace": "", "debug": "", "dbg": "", "info": "", "information": "", "inf": "", "notice": "", "log": "",
    "verbose": "",
    "warn": "", "warning": "", "wrn": "", "statement": "", "detail": "", "hint": "",
    "error": ERROR, "err": ERROR, "eror": ERROR, "severe": ERROR, "failure": ERROR,
    "fatal": FATAL, "critical": FATAL, "crit": FATAL, "panic": FATAL, "dpanic": FATAL, "emerg": FATAL,
    "emergency": FATAL, "alert": FATAL,
}  # fmt: skip
_LETTERS = {"I": "", "D": "", "V": "", "T": "", "W": "", "E": ERROR, "F": FATAL, "C": FATAL}
_LEVEL_KEYS = ("level", "severity", "lvl", "levelname", "log.level", "loglevel", "log_level", "severity_text", "@level")
_TIME_KEYS = ("time", "ts", "timestamp", "@timestamp", "asctime", "datetime", "date", "t")
_MESSAGE_KEYS = ("msg", "message", "event", "text", "@message", "log", "short_message", "body")
_ERROR_KEYS = ("error", "err", "exception", "error.message", "exc", "cause", "reason", "err_msg", "failure")
_TRACE_KEYS = (
    "stack",
    "stacktrace",
    "stack_trace",
    "traceback",
    "exc_info",
    "error.stack_trace",
    "exception.stacktrace",
)

# The first word that says a level, near the beginning: `ERROR`, `[error]`, `level=error`, `<Error>`, `E/`.
_LEVEL = re.compile(
    r"(?<![\w.\-/])(?:level=|severity=|lvl=|loglevel=)?[\"'\[<(|]?"
    r"(TRACE|DEBUG|INFO|INFORMATION|NOTICE|WARN|WARNING|ERROR|ERR|SEVERE|FATAL|CRITICAL|CRIT|PANIC|EMERG|EMERGENCY|ALERT"
    r"|LOG|STATEMENT|DETAIL|HINT|[Tt]race|[Dd]ebug|[Ii]nfo|[Nn]otice|[Ww]arn(?:ing)?|[Ee]rror|err|[Ff]atal|[Cc]ritical|crit"
    r"|panic|emerg|alert)(?![\w\-/.(=])"
)
_WORD = re.compile(
    r"\b(?:\w*(?:[Ee]rror|ERROR|Exception)\b|Traceback \(most recent call last\)|[Ff]atal\b|FATAL\b|PANIC\b"
    r"|panic(?:ked)?\b"
    r"|[Cc]ritical\b|CRITICAL\b|SEVERE\b|[Ss]egfault|[Ss]egmentation fault|[Oo]ut of memory|oom-kill|core dumped)"
)
_DEADLY = re.compile(
    r"(?:^|[\s:;])panic(?:ked at|: )|goroutine \d+ \[running|fatal error: "
    r"|[Oo]ut of memory|OutOfMemoryError|oom-kill|\bOOM\b(?! command)|[Ss]egfault"
    r"|[Ss]egmentation fault|SIGSEGV|[Ss]tack overflow|StackOverflowError|core dumped|Maximum call stack size"
)
_CRI = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP] ")
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6}\s+\d+ ")
_SYSLOG_HOST = re.compile(r"\s+[\w.\-]+ ([\w./\-]+)(?:\[\d+\])?: ")
_LOGFMT = re.compile(r'(?:^|\s)([A-Za-z_.@]+)=("(?:[^"\\]|\\.)*"|\S*)')
_FRAME = re.compile(r"\s|goroutine \d|Caused by|\.{3} \d+ more|Traceback \(|During handling|The above exception")
_LAST = re.compile(r"[A-Za-z_][\w.$]*(?:: |$)")
_JAVA = re.compile(r"(?:Exception in thread .*|[a-z]\w*(?:\.[\w$]+)+(?:Exception|Error)\b.*)$")
_ACCESS = re.compile(r'" (\d{3}) (?:\d+|-)')
_TRIM = " \t\r\n:-|>]})\"'"
HEAD = 600


class Event(NamedTuple):
    """One event that is an error.

    :ivar level: ``error`` or ``fatal``.
    :ivar head: the sentence that tells what happened, without time and level.
    :ivar when: seconds since 1970, None where the event does not say.
    :ivar trace: the lines of a stack trace that came with it.
    :ivar service: what the document calls its service, empty where it does not.
    """

    level: str
    head: str
    when: float | None = None
    trace: tuple[str, ...] = ()
    service: str = ""


def read(text: str, clock: Clock, forced: bool = False, style: str = "auto") -> Event | None:
    """What an event says; None where it is no error.

    :param text: one line, or several that belong together.
    :param forced: whether something outside the text has already said that it is an error (a priority of the journal).
    :param style: ``json`` knows no errors but those of documents, ``plain`` looks into no document; ``auto`` does both.
    """
    first, _newline, rest = text.partition("\n")
    match = _CRI.match(first) if first[:2] == "20" and " std" in first[:48] else None
    if match:
        return _container_line(first[match.end() :], rest, clock.read(first)[0], clock, forced, style)
    if style != "plain" and first[:1] == "{" and first.rstrip()[-1:] == "}":
        found = _document(first, clock, forced)
        if found is not None:
            return _with_trace(found[0], rest) if found[0] is not None else None
    if style == "json" and not forced:
        return None
    return _plain(first, rest, clock, forced)


def _container_line(first: str, rest: str, when: float | None, clock: Clock, forced: bool, style: str) -> Event | None:
    """A line of /var/log/containers: the container runtime has put time and stream before what the program said."""
    rest = "\n".join(_CRI.sub("", line, count=1) for line in rest.split("\n")) if rest else rest
    event = read(f"{first}\n{rest}" if rest else first, clock, forced, style)
    if event is None or event.when is not None:
        return event
    return Event(event.level, event.head, when, event.trace, event.service)


def _document(line: str, clock: Clock, forced: bool) -> tuple[Event | None] | None:
    """The event in a JSON document in a tuple; None where the line is no JSON object."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    inner = data.get("log")
    if isinstance(inner, str) and "stream" in data:
        # Docker's json-file: the line of the program is in a document of the engine.
        event = read(inner.rstrip("\n"), clock, forced)
        if event is not None and event.when is None:
            event = Event(event.level, event.head, clock.field(data.get("time")), event.trace, event.service)
        return (event,)
    level = _level_of(data)
    problem = _first(data, _ERROR_KEYS)
    if level is None:
        level = ERROR if problem or forced else ""
    elif forced and not level:
        level = ERROR
    if not level:
        return (None,)
    head = _words(_first(data, _MESSAGE_KEYS))
    said = _words(problem)
    if said and said not in head:
        head = f"{head}: {said}" if head else said
    stack = _first(data, _TRACE_KEYS)
    trace = tuple(line[:500] for line in stack.split("\n") if line.strip()) if isinstance(stack, str) else ()
    if not head:
        head = trace[-1] if trace else line
    when = None
    for key in _TIME_KEYS:
        if key in data:
            when = clock.field(data[key])
            break
    service = data.get("service")
    if isinstance(service, dict):
        service = service.get("name")
    return (Event(level, _head(head), when, trace[:20], service[:100] if isinstance(service, str) else ""),)


def _level_of(data: dict[str, Any]) -> str | None:
    for key in _LEVEL_KEYS:
        value = data.get(key)
        if value is None and "." in key:
            outer, _dot, inside = key.partition(".")
            nested = data.get(outer)
            value = nested.get(inside) if isinstance(nested, dict) else None
        if isinstance(value, str):
            return _WORDS.get(value.strip().lower(), "")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            # pino and bunyan count upwards in tens, syslog downwards from 7.
            if value >= 10:
                return FATAL if value >= 60 else ERROR if value >= 50 else ""
            return FATAL if 0 <= value <= 2 else ERROR if value == 3 else ""
    return None


def _first(data: dict[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        value = data.get(key)
        if value is None and "." in key:
            outer, _dot, inside = key.partition(".")
            nested = data.get(outer)
            value = nested.get(inside) if isinstance(nested, dict) else None
        if value:
            return value
    return None


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in ("message", "msg", "reason", "detail", "type", "code"):
            if isinstance(value.get(key), str):
                return str(value[key])
    if value is None or isinstance(value, bool):
        return ""
    return str(value)[:HEAD]


def _plain(first: str, rest: str, clock: Clock, forced: bool) -> Event | None:
    when, end = clock.read(first)
    level: str | None = None
    body = first[end:]
    if end:
        klog = _KLOG.match(first)
        if klog:
            level, body = _LETTERS[klog.group(1)], first[klog.end() :]
        elif first[:1].isalpha() or first[:1] == "<":
            host = _SYSLOG_HOST.match(body)
            body = body[host.end() :] if host else body
    elif first[:1].isdigit() or '" ' in first[:200]:
        access = _ACCESS.search(first, 0, 2000)
        if access:
            # A line of an access log: the server's own failures are errors, and nothing else in it is.
            if access.group(1)[0] != "5" and not forced:
                return None
            return Event(ERROR, _head(first), clock.access(first))
    if level is None:
        match = _LEVEL.search(body, 0, 160)
        if match:
            level = _WORDS[match.group(1).lower()]
            if "=" in match.group(0):
                return _logfmt(body, rest, clock, when, level or (ERROR if forced else ""))
            if match.start() < 80:
                # What stands before the level (threads, loggers, hosts) says less than what comes after it.
                body = body[match.end() :] or body
    if level is None and (_WORD.search(body, 0, 2000) or (rest and "Traceback (" in rest[:300])):
        level = ERROR
    if not level:
        if not forced and not (rest and level is None and _WORD.search(rest, 0, 2000)):
            return None
        level = ERROR
    head = body.strip(_TRIM)
    return _with_trace(Event(level, _head(head or first), when), rest)


def _logfmt(body: str, rest: str, clock: Clock, when: float | None, level: str) -> Event | None:
    if not level:
        return None
    fields = {key: value.strip('"').replace('\\"', '"') for key, value in _LOGFMT.findall(body[:4000])}
    head = fields.get("msg") or fields.get("message") or body
    said = fields.get("err") or fields.get("error") or ""
    if said and said not in head:
        head = f"{head}: {said}"
    if when is None:
        when = next((clock.field(fields[key]) for key in _TIME_KEYS if key in fields), None)
    return _with_trace(Event(level, _head(head), when, service=fields.get("service", "")[:100]), rest)


def _with_trace(event: Event, rest: str) -> Event:
    """Put the lines of a trace to its event. The last line of a Python trace tells more than the first line of any."""
    if not rest.strip():
        return event
    lines = [line.rstrip()[:500] for line in rest.split("\n") if line.strip()]
    head = event.head
    if "Traceback (" in head or any("Traceback (" in line for line in lines[:3]):
        last = next((line for line in reversed(lines) if not _FRAME.match(line) and _LAST.match(line)), "")
        if last:
            # Alone, or after the sentence that logging.exception() was given.
            head = last if head.startswith("Traceback (") else f"{head}: {last}"
    else:
        # Java: what it was in the end that went wrong.
        cause = next((line[11:] for line in reversed(lines) if line.startswith("Caused by: ")), "")
        if not cause and _JAVA.match(lines[0]):
            cause = lines[0]
        if cause and cause not in head:
            head = f"{head}: {cause}"
    trace = lines if len(lines) <= 20 else [*lines[:10], "…", *lines[-9:]]
    return Event(event.level, _head(head), event.when, event.trace or tuple(trace), event.service)


def when_of(text: str, clock: Clock) -> float | None:
    """The time that a line says, whether it is an error or not; the line may be cut at its end."""
    found = clock.read(text)[0]
    if found is not None:
        return found
    if text[:1] != "{":
        return clock.access(text)
    for key in _TIME_KEYS:
        place = text.find(f'"{key}":')
        if place < 0:
            continue
        value = text[place + len(key) + 3 :].lstrip(' "')[:40]
        found = clock.read(value)[0]
        if found is None:
            digits = value.split(",", 1)[0].split("}", 1)[0].strip('" ')
            found = clock.field(digits) if digits.replace(".", "", 1).isdigit() else None
        if found is not None:
            return found
    return None


def deadly(sentence: str) -> bool:
    """Does a sentence tell that a process was lost: a panic, no memory, a fault of memory, an endless recursion?"""
    return _DEADLY.search(sentence) is not None


def _head(text: str) -> str:
    return " ".join(text[:HEAD].split())
