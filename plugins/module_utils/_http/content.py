# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a body says: decoding, JSON fields against assertions, and the health document of a service."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

_GOOD = frozenset(
    ("ok", "up", "pass", "passing", "healthy", "green", "true", "available", "alive", "running", "ready", "connected")
)
_CHECK_KEYS = ("checks", "components", "dependencies", "details", "services")
_MAX_CHECKS = 50


class Undecodable(Exception):
    """The body cannot be decoded; the text says why."""


def decompress(body: bytes, encoding: str, limit: int) -> tuple[bytes, bool]:
    """Undo a Content-Encoding (we ask for none, some servers compress nevertheless).

    :param limit: bytes to give back at most, so that a small answer cannot fill the memory.
    :returns: the decoded bytes and whether they were cut.
    :raises Undecodable: an encoding that the standard library does not know, or damaged data.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body[:limit], len(body) > limit
    if name not in ("gzip", "x-gzip", "deflate"):
        raise Undecodable(f"the body is encoded as {encoding} although no encoding was asked for")
    for window in (47, -15) if name == "deflate" else (47,):
        worker = zlib.decompressobj(window)
        try:
            plain = worker.decompress(body, limit)
        except zlib.error as error:
            if window == -15 or name != "deflate":
                raise Undecodable(f"the body says that it is {encoding}, and is not: {error}") from error
            continue
        if not worker.eof and not worker.unconsumed_tail:
            raise Undecodable(f"the {encoding} body ends too early")
        return plain, bool(worker.unconsumed_tail)
    return b"", False


def charset(content_type: str) -> str:
    """The charset of a Content-Type, ``utf-8`` where it names none or one that is not known."""
    match = re.search(r"charset\s*=\s*\"?([\w.:-]+)", content_type, re.IGNORECASE)
    try:
        "".encode(match[1]) if match else None
    except LookupError:
        return "utf-8"
    return match[1] if match else "utf-8"


def excerpt(text: str, size: int) -> str:
    """The beginning of a body on one line, without control characters."""
    short = re.sub(r"[\x00-\x1f\x7f\s]+", " ", text[: size * 2]).strip()
    return short if len(short) <= size else short[:size] + " …"


def parse_json(text: str) -> tuple[Any, str | None]:
    """A parsed document, or None and the reason why it is none."""
    try:
        return json.loads(text), None
    except ValueError as error:
        return None, f"the body is no JSON: {error}"
    except RecursionError:
        return None, "the body is JSON nested too deep"


def walk(document: Any, path: str) -> tuple[bool, Any]:
    """Follow a dotted path; a number is also an index of a list, a dot in a name is written ``\\.``.

    :returns: whether there is such a field, and its value.
    """
    here = document
    for step in re.split(r"(?<!\\)\.", path):
        step = step.replace("\\.", ".")
        if isinstance(here, dict) and step in here:
            here = here[step]
        elif isinstance(here, list) and re.fullmatch(r"-?\d{1,9}", step) and -len(here) <= int(step) < len(here):
            here = here[int(step)]
        else:
            return False, None
    return True, here


def check_field(document: Any, assertion: Mapping[str, Any]) -> tuple[bool, str]:
    """Judge one assertion.

    :returns: whether it holds, and what to tell people when it does not: ``status is 'down', want 'up'``.
    """
    path = str(assertion["path"])
    found, value = walk(document, path)
    wanted = assertion.get("exists")
    if wanted is False:
        return not found, f"{path} is there ({_show(value)}), want it absent"
    if not found:
        return False, f"{path} is missing"
    if "equals" in assertion and not same(value, assertion["equals"]):
        return False, "{} is {}, want {}".format(path, _show(value), _show(assertion["equals"]))
    if "in" in assertion and not any(same(value, one) for one in assertion["in"]):
        return False, "{} is {}, want one of {}".format(
            path, _show(value), ", ".join(_show(one) for one in assertion["in"])
        )
    if "min" in assertion or "max" in assertion:
        number = _as_number(value)
        if number is None:
            return False, f"{path} is {_show(value)}, want a number"
        if "min" in assertion and number < assertion["min"]:
            return False, "{} is {}, want at least {:g}".format(path, _show(value), assertion["min"])
        if "max" in assertion and number > assertion["max"]:
            return False, "{} is {}, want at most {:g}".format(path, _show(value), assertion["max"])
    return True, ""


def same(value: Any, wanted: Any) -> bool:
    """Equality of a JSON value and an inventory value: ``1`` is no ``true``, but ``"8"`` out of a template is ``8``."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return (
            str(value).lower() == str(wanted).lower()
            if isinstance(wanted, (bool, str)) and isinstance(value, (bool, str))
            else False
        )
    if value == wanted:
        return True
    if isinstance(value, (int, float)) and isinstance(wanted, str):
        return _as_number(wanted) == value
    return False


def health(document: Any) -> dict[str, Any] | None:
    """The usual health document (status, and checks per dependency) in one shape, None where it is none.

    Reads ``{"status": …, "checks": {name: {"status": …} or text or bool} or [{"name": …, "status": …}]}``, also with
    ``components``, ``dependencies``, ``details`` or ``services``.

    :returns: ``status``, ``checks`` (name to status) and ``failing`` (name to error or status).
    """
    if not isinstance(document, dict):
        return None
    found: dict[str, Any] = {"status": _status_of(document), "checks": {}, "failing": {}}
    for key in _CHECK_KEYS:
        for name, check in list(_pairs(document.get(key)))[:_MAX_CHECKS]:
            status = _status_of(check)
            if status is None:
                continue
            found["checks"][name] = status
            if status.lower() not in _GOOD:
                why = (
                    check.get("error") or check.get("message") or check.get("output")
                    if isinstance(check, dict)
                    else None
                )
                found["failing"][name] = excerpt(str(why), 200) if why else status
    return found if found["status"] is not None or found["checks"] else None


def _pairs(checks: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(checks, dict):
        for name, check in checks.items():
            yield str(name), check
    elif isinstance(checks, list):
        for check in checks:
            if isinstance(check, dict) and check.get("name"):
                yield str(check["name"]), check


def _status_of(check: Any) -> str | None:
    if isinstance(check, dict):
        check = next((check[key] for key in ("status", "state", "healthy", "ok") if key in check), None)
    if isinstance(check, bool):
        return "ok" if check else "failed"
    return excerpt(check, 100) if isinstance(check, str) else None


def _as_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _show(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 120 else shown[:120] + " …"


def judge(text: str, cut: bool, fields: Iterable[Mapping[str, Any]], words: Iterable[str]) -> list[str]:
    """All that is wrong with a body: assertions that do not hold, texts that are missing; nothing when all is well."""
    wrong: list[str] = []
    fields = tuple(fields)
    if fields:
        document, reason = parse_json(text)
        if reason:
            wrong.append(reason + (" (it was cut at the size limit)" if cut else ""))
        else:
            wrong.extend(said for held, said in (check_field(document, one) for one in fields) if not held)
    wrong.extend(
        "the text {} is missing{}".format(_show(word), " in what was read" if cut else "")
        for word in words
        if word not in text
    )
    return wrong
