# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove sets of Redis: a scratch server loads the snapshot, and counts what it holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.errors import OpsError
from . import rdb, rdb_keys, redis_dump, scratch_redis
from .verify import Job, Refuted, check_made

_LEAST_DATABASES = 16
# Counts the types of a part of the keys. It is asked again with the cursor that it answers, until that is 0.
_TYPES = """
local page = redis.call('SCAN', ARGV[1], 'COUNT', 5000)
local found = {}
for _, key in ipairs(page[2]) do
  local kind = redis.call('TYPE', key)['ok']
  found[kind] = (found[kind] or 0) + 1
end
local answer = {page[1]}
for kind, number in pairs(found) do
  answer[#answer + 1] = kind
  answer[#answer + 1] = tostring(number)
end
return answer
"""


class Engine:
    """Sets of one snapshot."""

    most = 4

    def read(self, job: Job) -> dict[str, Any]:
        """By its sum, and a walk over every value; and it has to be of the time that the manifest says."""
        name = _file(job)
        try:
            how, held = redis_dump.read(job.path(name), job.until)
        except redis_dump.Damaged as error:
            raise Refuted(str(error)) from None
        if held and (made := held.made):
            check_made(job.known, made)
        wanted = job.known.invariants.get("databases")
        if held and isinstance(wanted, Mapping) and (other := rdb_keys.differs(held, wanted)):
            raise Refuted(f"{name}: {other}")
        return {"read": {name: how}}

    @contextlib.contextmanager
    def restored(self, job: Job) -> Iterator[Restored]:
        """Let a scratch server load it."""
        databases, modules = _needs(job)
        memory = job.known.source.get("memory_bytes")
        try:
            with scratch_redis.loaded(
                job.path(_file(job)),
                max(databases, _LEAST_DATABASES),
                job.until,
                job.scratch_dir,
                job.bin_dir,
                memory if isinstance(memory, int) else 0,
            ) as server:
                yield Restored(server)
        except scratch_redis.NotLoaded as error:
            if modules:
                raise OpsError(f"it holds values of modules, which the scratch server has not got: {error}") from None
            raise Refuted(f"it cannot be loaded: {error}") from None


class Restored:
    """A scratch server that has loaded a snapshot. See :class:`verify.Restored`."""

    def __init__(self, server: scratch_redis.Server) -> None:
        self._server = server
        self.seconds, self.details = server.seconds, {"server": server.version}

    def invariants(self, job: Job) -> dict[str, Any]:
        """Keys, and those that expire, by database; types of all keys; libraries of functions."""
        wanted = job.known.invariants.get("databases")
        if not isinstance(wanted, Mapping):
            raise OpsError(
                "the manifest tells no numbers of keys to compare with: {}".format(
                    job.known.options.get("not_counted", "it was not made by redis_backup")
                )
            )
        there = {}
        for name, value in self._server.info("keyspace").items():
            if name.startswith("db"):
                parts = dict(part.partition("=")[::2] for part in value.split(","))
                there[name[2:]] = {"keys": int(parts.get("keys", 0)), "expires": int(parts.get("expires", 0))}
        over = 0
        for number in sorted({*wanted, *there}, key=int):
            told, found = wanted.get(number, {}), there.get(number, {"keys": 0, "expires": 0})
            for what, one in found.items():
                if told.get(what, 0) != one:
                    raise Refuted(
                        f"database {number}: {one} {rdb_keys.WORDS[what]} were loaded, and {told.get(what, 0)} saved"
                    )
            if told.get("types"):
                over += self._compare_types(number, told, job)
        functions = job.known.invariants.get("functions")
        if functions:
            found_functions = self._server.ask("FUNCTION", "LIST").splitlines().count("library_name")
            if found_functions != functions:
                raise Refuted(f"{found_functions} libraries of functions were loaded, and {functions} saved")
        keys = sum(one["keys"] for one in there.values())
        return {
            "keys": keys,
            "databases": len(there),
            "time_is_over": over,
            "summary": f"{keys} keys of {len(there)} databases are there",
        }

    def _compare_types(self, number: str, told: Mapping[str, Any], job: Job) -> int:
        """Types of keys. The server no longer shows those whose time is over, which may be as many as expire.

        :returns: their number.
        """
        saved: dict[str, int] = dict(told["types"])
        found = self._types(number, job)
        hidden = {kind: saved.get(kind, 0) - found.get(kind, 0) for kind in sorted({*saved, *found})}
        over = sum(hidden.values())
        if min(hidden.values()) < 0 or over > told.get("expires", 0):
            raise Refuted(f"database {number}: types of keys are {found}, and were {saved}")
        return over

    def smoke(self, job: Job) -> dict[str, Any]:
        """There is none: queries of an application are SQL."""
        raise OpsError(f"sets of {job.known.engine} are proven to level {Engine.most}")

    def _types(self, number: str, job: Job) -> dict[str, int]:
        found: dict[str, int] = {}
        cursor = "0"
        while True:
            words = self._server.ask("-n", number, "EVAL", _TYPES, "0", cursor, seconds=job.left()).splitlines()
            job.in_time()
            if not words or not words[0].isdigit():
                raise OpsError("the scratch server does not count types: {}".format(" ".join(words)[:200]))
            for kind, count in zip(words[1::2], words[2::2]):
                name = _MODULE if kind not in _KNOWN else kind
                found[name] = found.get(name, 0) + int(count)
            cursor = words[0]
            if cursor == "0":
                return found


_KNOWN = ("string", "list", "set", "zset", "hash", "stream")
_MODULE = "module"
ENGINES = {"rdb": Engine()}


def _file(job: Job) -> str:
    names = [one.path for one in job.known.files if one.path.endswith(".rdb")]
    if len(names) != 1:
        raise Refuted(f"a set of Redis has one snapshot, this one has {len(names)}")
    return names[0]


def _needs(job: Job) -> tuple[int, bool]:
    """Databases that a server has to have to load it, and whether it wants modules."""
    told = job.known.invariants.get("databases")
    if isinstance(told, Mapping) and all(isinstance(one, Mapping) for one in told.values()):
        kinds = {kind for one in told.values() for kind in one.get("types", {})}
        return max([0, *(int(number) + 1 for number in told if number.isdigit())]), _MODULE in kinds
    try:
        with open(job.path(_file(job)), "rb", buffering=1 << 20) as opened:
            held = rdb_keys.count(opened, job.until)
    except rdb_keys.Unknown:
        return 0, False
    except rdb.Damaged as error:
        raise Refuted(str(error)) from None
    except OSError as error:
        raise OpsError(f"{job.path(_file(job))}: {error.strerror}") from error
    return max([0, *(number + 1 for number in held.databases)]), held.modules
