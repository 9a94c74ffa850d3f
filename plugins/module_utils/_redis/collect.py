# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look itself: one connection, questions together, then a sample of the keys; the Sentinels beside it."""

from __future__ import annotations

import copy
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import link as links
from .case import Place
from .keys import Sample
from .link import Address, Failed, Link, Refused
from .parse import parse_clients, parse_info

# Listing clients takes the server about 2 microseconds for each of them.
MANY_CLIENTS = 500
SLOW_ENTRIES = 64
PINGS = 7
_SLACK = 0.3

KEY_CHECKS = ("big_keys", "ttl_leak", "no_ttl")
SENTINEL_CHECKS = ("sentinel", "sentinel_quorum", "sentinel_primary")

COMMANDS: tuple[str, ...] = (
    "ping", "info", "config|get", "slowlog|get", "latency|latest", "client|list", "client|setname", "cluster|info",
    "select", "scan", "memory|usage", "ttl",
)  # fmt: skip
"""Everything that a server is asked, as an ACL names it (AUTH is for everybody)."""

SENTINEL_COMMANDS: tuple[str, ...] = ("client|setname", "sentinel|master", "sentinel|ckquorum")


@dataclass(frozen=True)
class Options:
    """How to reach a server, and what is asked of it.

    :ivar wanted: ids of checks without ``redis.``; questions that feed none of them are not asked.
    :ivar replicas: expected replicas, whose names are resolved so that they can be told by what the primary calls them.
    :ivar sentinels: with the account for each; master_name: what they call this primary and its replicas.
    :ivar key_budget: how many keys may be looked at; key_seconds: for how long.
    """

    address: Address
    wanted: tuple[str, ...]
    replicas: tuple[Place, ...] = ()
    sentinels: tuple[tuple[str, Address], ...] = ()
    master_name: str = "mymaster"
    key_budget: int = 5000
    key_seconds: float = 5.0
    deadline: float = 15.0
    connect_timeout: float = 3.0


def collect(redis: Any, options: Options) -> dict[str, Any]:
    """Look at a server, and at its Sentinels whether it answers or not.

    Everything that may wait runs in threads, since name resolution knows no deadline. What had been seen when the
    deadline came is kept.

    :param redis: the library, version 5 or newer.
    :returns: plain JSON values: ``error`` (None, or why there was no look), ``server``, ``info``, and by question
        ``config``, ``pings``, ``slowlog``, ``latency``, ``clients``, ``cluster``, ``keys``, each with its own
        ``error``; ``sentinels``; ``resolved``.
    """
    look = _Look(redis, options)
    threads = [threading.Thread(target=look.guard, args=(look.server,), name="redis-look", daemon=True)]
    threads += [
        threading.Thread(target=look.guard, args=(look.sentinel, place), name="redis-sentinel", daemon=True)
        for place in range(len(options.sentinels))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(look.remaining(), 0.0))
    if any(thread.is_alive() for thread in threads):
        look.give_up()
        for thread in threads:
            thread.join(_SLACK)
    return look.result()


class _Look:
    def __init__(self, redis: Any, options: Options) -> None:
        self.redis = redis
        self.options = options
        self.end = time.monotonic() + options.deadline
        self.lock = threading.Lock()
        self.links: list[Link] = []
        self.crash: BaseException | None = None
        self.over = False
        self.sample: Sample | None = None
        late = f"nothing was answered within {options.deadline:g} s"
        address = options.address
        self.seen: dict[str, Any] = {
            "error": {"reason": links.TIMEOUT, "text": late},
            "server": {"host": address.host, "port": address.port, "user": address.user, "tls": address.tls},
            "info": {},
            "sentinels": [
                {"name": name, "host": one.host, "port": one.port, "error": {"reason": links.TIMEOUT, "text": late}}
                for name, one in options.sentinels
            ],
            "resolved": {},
        }

    def guard(self, work: Any, *arguments: Any) -> None:
        """The body of each thread: a crash is carried over to the caller."""
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            self.crash = error

    def give_up(self) -> None:
        """Past the deadline: cut the connections, so that the threads end and no server is kept busy."""
        with self.lock:
            self.over = True
            open_links = list(self.links)
        for link in open_links:
            link.cut()

    def result(self) -> dict[str, Any]:
        """What was seen."""
        if self.crash is not None and not self.over:
            raise self.crash
        with self.lock:
            self.over = True
            seen = copy.deepcopy(self.seen)
        if self.sample is not None:
            seen["keys"] = self.sample.result()
        return seen

    def remaining(self) -> float:
        return self.end - time.monotonic()

    def server(self) -> None:
        """The server's thread."""
        began = time.monotonic()
        link = self._open(self.options.address)
        if isinstance(link, Failed):
            self._keep("error", link.entry())
            return
        with self.lock:
            self.seen["server"]["connect_ms"] = round((time.monotonic() - began) * 1000, 2)
        try:
            if self._first(link):
                self._further(link)
        except Failed as error:
            # What is there already stays; a server that went away before it said anything was not seen.
            if not self.seen["info"]:
                self._keep("error", error.entry())
        finally:
            link.close()
        with self.lock:
            self.seen["server"]["took_ms"] = round((time.monotonic() - began) * 1000, 1)

    def _first(self, link: Link) -> bool:
        """Does it serve, and may we ask?"""
        pong, info = link.ask(("PING",), ("INFO",))
        for answer in (pong, info):
            if isinstance(answer, Refused) and answer.reason in (*links.DEAD, *links.NOT_FOR_US):
                entry = {"reason": answer.reason, "text": answer.text}
                if not isinstance(info, Refused):
                    entry["percent"] = str(parse_info(_text(info)).get("loading_loaded_perc", ""))
                self._keep("error", entry)
                return False
        if isinstance(info, Refused) or not isinstance(info, bytes):
            said = info.text if isinstance(info, Refused) else "INFO is no text"
            self._keep("error", {"reason": links.GARBAGE, "text": said})
            return False
        parsed = parse_info(_text(info))
        if "redis_version" not in parsed:
            self._keep("error", {"reason": links.GARBAGE, "text": "INFO names no version"})
            return False
        with self.lock:
            if not self.over:
                self.seen["info"] = parsed
                self.seen["error"] = None
        return True

    def _further(self, link: Link) -> None:
        info, wanted = self.seen["info"], set(self.options.wanted)
        questions: list[tuple[str, tuple[Any, ...]]] = [
            ("save", ("CONFIG", "GET", "save")),
            ("maxclients", ("CONFIG", "GET", "maxclients")),
            ("slowlog", ("SLOWLOG", "GET", SLOW_ENTRIES)),
            ("latency", ("LATENCY", "LATEST")),
        ]
        if str(info.get("cluster_enabled")) == "1":
            questions.append(("cluster", ("CLUSTER", "INFO")))
        few = isinstance(info.get("connected_clients"), int) and info["connected_clients"] <= MANY_CLIENTS
        if few and "client_buffers" in wanted:
            questions.append(("clients", ("CLIENT", "LIST")))
        answers = dict(zip((one[0] for one in questions), link.ask(*(one[1] for one in questions))))
        self._keep("config", _config(answers["save"], answers["maxclients"]))
        self._keep("slowlog", _slowlog(answers["slowlog"]))
        self._keep("latency", _latency(answers["latency"]))
        if "clients" in answers:
            self._keep("clients", _clients(answers["clients"]))
        if "cluster" in answers:
            self._keep("cluster", _cluster(answers["cluster"]))
        self._resolve()
        if "latency" in wanted:
            self._pings(link)
        if info.get("role") == "master" and wanted & set(KEY_CHECKS) and self.options.key_budget > 0:
            databases = _databases(info)
            sample = Sample(databases, self.options.key_budget)
            self.sample = sample
            sample.take(link, time.monotonic() + min(self.options.key_seconds, self.remaining() - _SLACK))

    def _pings(self, link: Link) -> None:
        taken = []
        for _turn in range(PINGS):
            began = time.monotonic()
            link.ask(("PING",))
            taken.append(round((time.monotonic() - began) * 1000, 3))
        self._keep("pings", {"ms": taken, "error": None})

    def _resolve(self) -> None:
        """Addresses of the expected replicas: a primary calls them by those."""
        found = {}
        for place in self.options.replicas:
            try:
                entries = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
                found[place.host] = sorted({str(entry[4][0]) for entry in entries})
            except OSError:
                found[place.host] = []
        self._keep("resolved", found)

    def sentinel(self, place: int) -> None:
        """The thread of a Sentinel."""
        name, address = self.options.sentinels[place]
        entry: dict[str, Any] = {"name": name, "host": address.host, "port": address.port, "error": None}
        link = self._open(address)
        if isinstance(link, Failed):
            entry["error"] = link.entry()
        else:
            try:
                master, quorum = link.ask(
                    ("SENTINEL", "MASTER", self.options.master_name), ("SENTINEL", "CKQUORUM", self.options.master_name)
                )
                entry.update(_sentinel(master, quorum))
            except Failed as error:
                entry["error"] = error.entry()
            finally:
                link.close()
        with self.lock:
            if not self.over:
                self.seen["sentinels"][place] = entry

    def _open(self, address: Address) -> Link | Failed:
        timeout = max(0.2, min(self.options.connect_timeout, self.remaining() / 3))
        link = Link(self.redis, address, timeout)
        with self.lock:
            self.links.append(link)
        try:
            link.open()
        except Failed as error:
            link.close()
            return error
        return link

    def _keep(self, key: str, value: Any) -> None:
        with self.lock:
            if not self.over:
                self.seen[key] = value


def _text(answer: Any) -> str:
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)


def _pairs(answer: Any) -> dict[str, str]:
    if not isinstance(answer, (list, tuple)):
        return {}
    words = [_text(one) for one in answer]
    return dict(zip(words[::2], words[1::2]))


def _config(*answers: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"error": None, "values": {}}
    for answer in answers:
        if isinstance(answer, Refused):
            found["error"] = answer.text
        else:
            found["values"].update(_pairs(answer))
    return found


def _slowlog(answer: Any) -> dict[str, Any]:
    """Command and client of each entry. Its arguments are values of the data, and stay where they are."""
    if isinstance(answer, Refused):
        return {"error": answer.text}
    entries = []
    for one in answer if isinstance(answer, (list, tuple)) else ():
        if not isinstance(one, (list, tuple)) or len(one) < 4 or not isinstance(one[3], (list, tuple)):
            continue
        words = [_text(word) for word in one[3]]
        entries.append(
            {
                "at": one[1] if isinstance(one[1], int) else None,
                "micros": one[2] if isinstance(one[2], int) else None,
                "command": words[0].upper()[:40] if words else "",
                "arguments": len(words) - 1,
                "client": _text(one[4]) if len(one) > 4 else "",
                "client_name": _text(one[5]) if len(one) > 5 else "",
            }
        )
    return {"error": None, "entries": entries}


def _latency(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Refused):
        return {"error": answer.text}
    events = [
        {"event": _text(one[0]), "at": one[1], "latest_ms": one[2], "longest_ms": one[3]}
        for one in (answer if isinstance(answer, (list, tuple)) else ())
        if isinstance(one, (list, tuple)) and len(one) >= 4
    ]
    return {"error": None, "events": events}


def _clients(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Refused):
        return {"error": answer.text}
    rows = parse_clients(_text(answer))
    rows.sort(key=lambda row: (-row["omem"], row["id"]))
    return {"error": None, "listed": len(rows), "rows": rows[:10]}


def _cluster(answer: Any) -> dict[str, Any]:
    return {"error": answer.text} if isinstance(answer, Refused) else {"error": None, **parse_info(_text(answer))}


def _databases(info: dict[str, Any]) -> list[tuple[int, int]]:
    found = []
    for key, value in info.items():
        if key.startswith("db") and key[2:].isdigit() and isinstance(value, str):
            first = value.split(",", 1)[0].partition("=")[2]
            if first.isdigit():
                found.append((int(key[2:]), int(first)))
    return sorted(found)


_OF_MASTER: Sequence[str] = ("name", "ip", "port", "runid", "flags", "num-slaves", "num-other-sentinels", "quorum")


def _sentinel(master: Any, quorum: Any) -> dict[str, Any]:
    if isinstance(master, Refused):
        return {"error": {"reason": master.reason, "text": master.text}}
    said = _pairs(master)
    return {
        "primary": {key.replace("-", "_"): said.get(key, "") for key in _OF_MASTER},
        "quorum": {
            "ok": not isinstance(quorum, Refused),
            "text": quorum.text if isinstance(quorum, Refused) else _text(quorum),
            "refused": isinstance(quorum, Refused) and quorum.reason != links.OTHER,
        },
    }
