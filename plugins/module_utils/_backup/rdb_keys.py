# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot of Redis holds: keys by database and type, counted by walking over every value to the last byte."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from .._core.errors import OpsError
from .rdb import Damaged

_ASK_CLOCK_EVERY = 4096
_AUX_MOST = 1024
_SKIP = 1 << 20
WORDS = {"keys": "keys", "expires": "keys that expire"}


class Unknown(OpsError):
    """A later version of the format than is known here; the text says what was met."""


@dataclass
class Database:
    """One database: its keys, those of them that expire, and their number by type."""

    keys: int = 0
    expires: int = 0
    types: dict[str, int] = field(default_factory=dict)


@dataclass
class Held:
    """What a snapshot holds.

    :ivar version: of the format; about: what its header tells (``redis-ver``, ``ctime``, ``repl-id``, ``repl-offset``).
    :ivar databases: by number; functions: libraries of functions; modules: whether values of modules are in it.
    """

    version: int
    about: dict[str, str] = field(default_factory=dict)
    databases: dict[int, Database] = field(default_factory=dict)
    functions: int = 0
    modules: bool = False

    @property
    def keys(self) -> int:
        """Of all databases."""
        return sum(one.keys for one in self.databases.values())

    @property
    def made(self) -> str | None:
        """The ISO time at which it was begun, where it tells that."""
        seconds = self.about.get("ctime", "")
        if not seconds.isdigit() or len(seconds) > 11:
            return None
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(seconds)))

    def invariants(self) -> dict[str, Any]:
        """What a restore must show again, as it stands in a manifest."""
        return {
            "databases": {
                str(number): {"keys": one.keys, "expires": one.expires, "types": dict(sorted(one.types.items()))}
                for number, one in sorted(self.databases.items())
            },
            "functions": self.functions,
        }


def count(stream: BinaryIO, deadline: float | None = None) -> Held:
    """Walk over a snapshot.

    :param deadline: on the clock of time.monotonic().
    :raises Damaged: it breaks off, or a length in it leads out of the file.
    :raises Unknown: it is of a later version than is known here.
    :raises OpsError: the deadline came first.
    """
    return _Walk(stream, deadline).run()


def differs(held: Held, wanted: Mapping[str, Any]) -> str | None:
    """How what a snapshot holds differs from what was counted when it was made; None if in nothing.

    :param wanted: databases by number, as :meth:`Held.invariants` has them.
    """
    there = held.invariants()["databases"]
    for number in sorted({*wanted, *there}):
        told, found = wanted.get(number) or {}, there.get(number, {})
        for what in ("keys", "expires"):
            if told.get(what, 0) != found.get(what, 0):
                return (
                    f"database {number} has {found.get(what, 0)} {WORDS[what]} in it, and {told.get(what, 0)} were "
                    "saved: it is another snapshot"
                )
    return None


class _Walk:
    def __init__(self, stream: BinaryIO, deadline: float | None) -> None:
        self._read, self._stream, self._deadline = stream.read, stream, deadline
        self._seen = 0

    def run(self) -> Held:
        head = self.take(9)
        if head[:5] != b"REDIS" or not head[5:].isdigit():
            raise Damaged("it is no snapshot of Redis")
        held = Held(int(head[5:]))
        database, expires = held.databases.setdefault(0, Database()), False
        number = 0
        while True:
            code = self.take(1)[0]
            special = _SPECIAL.get(code)
            if special is None:
                kind = self._value(code)
                held.modules = held.modules or kind == "module"
                database.keys += 1
                database.expires += expires
                database.types[kind] = database.types.get(kind, 0) + 1
                expires = False
                self._clock()
            elif special == "end":
                break
            elif special == "database":
                number = self.length()
                database = held.databases.setdefault(number, Database())
            elif special == "aux":
                name, value = self.text(), self.text()
                held.about[name] = value
            elif special == "function":
                self.string()
                held.functions += 1
            elif special == "module":
                held.modules = True
                self.length()
                self.length()
                self.length()
                self._module()
            elif isinstance(special, int):
                self.skip(special)
                expires = expires or code in (0xFC, 0xFD)
            else:
                for _one in range(_LENGTHS[special]):
                    self.length()
        if held.version >= 5:
            self.take(8)
        if self._read(1):
            raise Damaged("bytes follow its end")
        held.databases = {key: one for key, one in held.databases.items() if one.keys}
        return held

    # -- the parts that everything is made of

    def take(self, count: int) -> bytes:
        piece = self._read(count)
        if len(piece) < count:
            raise Damaged(f"it breaks off at byte {self._stream.tell()}")
        return piece

    def skip(self, count: int) -> None:
        # By reading, not by seeking: whether a byte is there is known of what was read only.
        while count > _SKIP:
            self.take(_SKIP)
            count -= _SKIP
        self.take(count)

    def length(self) -> int:
        size, special = self._length()
        if special:
            raise Damaged(f"no length stands at byte {self._stream.tell()}")
        return size

    def _length(self) -> tuple[int, bool]:
        first = self.take(1)[0]
        kind = first >> 6
        if kind == 0:
            return first, False
        if kind == 1:
            return (first & 63) << 8 | self.take(1)[0], False
        if kind == 3:
            return first & 63, True
        if first == 0x80:
            return int.from_bytes(self.take(4), "big"), False
        if first == 0x81:
            return int.from_bytes(self.take(8), "big"), False
        raise Damaged(f"no length stands at byte {self._stream.tell()}")

    def string(self) -> None:
        size, special = self._length()
        if not special:
            self.skip(size)
        elif size < 3:
            self.skip(1 << size)
        elif size == 3:
            packed = self.length()
            self.length()
            self.skip(packed)
        else:
            raise Damaged(f"no string stands at byte {self._stream.tell()}")

    def text(self) -> str:
        size, special = self._length()
        if special and size < 3:
            return str(int.from_bytes(self.take(1 << size), "little", signed=True))
        if special and size == 3:
            packed = self.length()
            self.length()
            self.skip(packed)
            return ""
        if special:
            raise Damaged(f"no string stands at byte {self._stream.tell()}")
        if size > _AUX_MOST:
            self.skip(size)
            return ""
        return self.take(size).decode("utf-8", "replace")

    # -- values

    def _value(self, code: int) -> str:
        known = _TYPES.get(code)
        if known is None:
            raise Unknown(f"type {code} of a value is not known here: it is of a later Redis, or bytes were changed")
        name, walk = known
        self.string()
        walk(self)
        return name

    def strings(self) -> None:
        for _one in range(self.length()):
            self.string()
            self._clock()

    def pairs(self) -> None:
        for _one in range(self.length()):
            self.string()
            self.string()
            self._clock()

    def scores(self) -> None:
        for _one in range(self.length()):
            self.string()
            size = self.take(1)[0]
            if size < 253:
                self.skip(size)
            self._clock()

    def doubles(self) -> None:
        for _one in range(self.length()):
            self.string()
            self.skip(8)
            self._clock()

    def nodes(self) -> None:
        for _one in range(self.length()):
            self.length()
            self.string()
            self._clock()

    def fields_with_time(self) -> None:
        self.skip(8)
        for _one in range(self.length()):
            self.length()
            self.string()
            self.string()
            self._clock()

    def packed_with_time(self) -> None:
        self.skip(8)
        self.string()

    def stream(self, version: int) -> None:
        for _one in range(self.length()):
            self.string()
            self.string()
            self._clock()
        for _one in range(3 + (5 if version >= 2 else 0)):
            self.length()
        for _group in range(self.length()):
            self.string()
            for _one in range(2 + (1 if version >= 2 else 0)):
                self.length()
            for _entry in range(self.length()):
                self.skip(16 + 8)
                self.length()
                self._clock()
            for _consumer in range(self.length()):
                self.string()
                self.skip(16 if version >= 3 else 8)
                for _entry in range(self.length()):
                    self.skip(16)

    def module(self) -> None:
        self.length()
        self._module()

    def _module(self) -> None:
        """A value that says of each of its parts what it is."""
        while code := self.length():
            if code in (1, 2):
                self.length()
            elif code == 3:
                self.skip(4)
            elif code == 4:
                self.skip(8)
            elif code == 5:
                self.string()
            else:
                raise Damaged(f"no part of a module's value stands at byte {self._stream.tell()}")

    def _clock(self) -> None:
        self._seen += 1
        if self._deadline is not None and not self._seen % _ASK_CLOCK_EVERY and time.monotonic() > self._deadline:
            raise OpsError(f"the snapshot was not walked through in time: {self._seen} values were")


# What stands between values: bytes to skip, or what it means, or a number of lengths.
_SPECIAL: dict[int, str | int] = {
    0xFF: "end",
    0xFE: "database",
    0xFD: 4,
    0xFC: 8,
    0xFB: "sizes",
    0xFA: "aux",
    0xF9: 1,
    0xF8: "idle",
    0xF7: "module",
    0xF5: "function",
    0xF4: "slot",
}
_LENGTHS = {"sizes": 2, "idle": 1, "slot": 3}
_TYPES: dict[int, tuple[str, Callable[[_Walk], None]]] = {
    0: ("string", _Walk.string),
    1: ("list", _Walk.strings),
    2: ("set", _Walk.strings),
    3: ("zset", _Walk.scores),
    4: ("hash", _Walk.pairs),
    5: ("zset", _Walk.doubles),
    7: ("module", _Walk.module),
    9: ("hash", _Walk.string),
    10: ("list", _Walk.string),
    11: ("set", _Walk.string),
    12: ("zset", _Walk.string),
    13: ("hash", _Walk.string),
    14: ("list", _Walk.strings),
    15: ("stream", lambda walk: walk.stream(1)),
    16: ("hash", _Walk.string),
    17: ("zset", _Walk.string),
    18: ("list", _Walk.nodes),
    19: ("stream", lambda walk: walk.stream(2)),
    20: ("set", _Walk.string),
    21: ("stream", lambda walk: walk.stream(3)),
    24: ("hash", _Walk.fields_with_time),
    25: ("hash", _Walk.packed_with_time),
}
