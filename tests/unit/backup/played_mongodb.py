# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MongoDB server that is played in memory: as much of pymongo's client as dumps and restores use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import bson
from pymongo.errors import OperationFailure

ID = {"v": 2, "key": {"_id": 1}, "name": "_id_"}


@dataclass
class Stored:
    """A collection, view or time series."""

    documents: list[bytes] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    indexes: list[dict[str, Any]] = field(default_factory=lambda: [dict(ID)])
    kind: str = "collection"


def stored(*documents: dict[str, Any], **more: Any) -> Stored:
    return Stored([bson.encode(one) for one in documents], **more)


@dataclass
class Server:
    """What a server has, and how it behaves.

    :ivar names: of a replica set; early: collections whose cursors end after so many documents, once each;
        rename_in: the databases that a rename is taken from; mixes_up: whether the old name means the new collection
        after it; moment: of its snapshots; at: called before a command, by its name.
    """

    databases: dict[str, dict[str, Stored]] = field(default_factory=dict)
    names: str | None = None
    early: dict[str, list[int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rename_in: tuple[str, ...] = ("admin",)
    at: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    mixes_up: bool = False
    alias: dict[str, str] = field(default_factory=dict)
    moment: bson.Timestamp | None = field(default_factory=lambda: bson.Timestamp(1795959589, 3))
    sessions: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    # -- MongoClient

    def get_database(self, name: str) -> Database:
        return Database(self, name)

    def close(self) -> None:
        """Nothing is open."""

    def start_session(self, snapshot: bool) -> Session:
        assert snapshot
        return Session(self.moment)


@dataclass
class Session:
    """Of a snapshot."""

    snapshot_time: bson.Timestamp | None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""


@dataclass
class Database:
    server: Server
    name: str

    @property
    def has(self) -> dict[str, Stored]:
        return self.server.databases.get(self.name, {})

    def command(self, command: str | dict[str, Any], **more: Any) -> dict[str, Any]:
        given = {command: 1, **more} if isinstance(command, str) else dict(command)
        word = next(iter(given))
        self.server.asked.append(f"{self.name}.{word}")
        self.server.at.get(word, lambda _given: None)(given)
        answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "ping": lambda _given: {"ok": 1},
            "buildInfo": lambda _given: {"version": "7.0.42"},
            "hello": self._hello,
            "listDatabases": lambda _given: {"databases": [{"name": one} for one in self.server.databases]},
            "dbStats": lambda _given: {
                "dataSize": float(sum(len(d) for one in self.has.values() for d in one.documents))
            },
            "create": self._create,
            "createIndexes": self._create_indexes,
            "renameCollection": self._rename,
        }
        return answers[word](given)

    def _hello(self, _given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"isWritablePrimary": True}
        if self.server.names:
            found |= {"setName": self.server.names, "lastWrite": {"opTime": {"ts": bson.Timestamp(1795959580, 1)}}}
        return found

    def _create(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given.pop("create")
        if name in self.has:
            raise OperationFailure(f"Collection {self.name}.{name} already exists.", 48)
        kind = "view" if "viewOn" in given else "timeseries" if "timeseries" in given else "collection"
        self.server.databases.setdefault(self.name, {})[name] = Stored(options=given, kind=kind)
        if kind == "timeseries":
            self.server.databases[self.name]["system.buckets." + name] = Stored()
        return {"ok": 1}

    def _create_indexes(self, given: dict[str, Any]) -> dict[str, Any]:
        self.has[given["createIndexes"]].indexes += given["indexes"]
        return {"ok": 1}

    def _rename(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.name not in self.server.rename_in:
            raise OperationFailure("renameCollection may only be run against the admin database.", 13)
        (source, old), (target, new) = given["renameCollection"].split(".", 1), given["to"].split(".", 1)
        assert source == target
        has = self.server.databases[source]
        if new in has:
            raise OperationFailure("target namespace exists", 48)
        has[new] = has.pop(old)
        if self.server.mixes_up:
            self.server.alias[old] = new
        return {"ok": 1}

    def list_collections(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "type": one.kind, "options": one.options, "info": {"uuid": bson.Binary(b"\1" * 16, 4)}}
            for name, one in self.has.items()
        ]

    def list_collection_names(self) -> list[str]:
        return list(self.has)

    def drop_collection(self, name: str) -> None:
        self.server.asked.append(f"{self.name}.drop {name}")
        self.has.pop(name, None)

    def get_collection(self, name: str, codec_options: Any = None) -> Collection:  # noqa: ARG002
        return Collection(self.server, self.name, name)


@dataclass
class Collection:
    server: Server
    database: str
    name: str

    @property
    def one(self) -> Stored:
        return self.server.databases.get(self.database, {}).get(self.server.alias.get(self.name, self.name), Stored())

    @property
    def full(self) -> str:
        return f"{self.database}.{self.name}"

    def list_indexes(self) -> list[dict[str, Any]]:
        return [{**one, "ns": self.full} for one in self.one.indexes]

    def estimated_document_count(self) -> int:
        return self.server.counts.get(self.full, len(self.one.documents))

    def count_documents(self, query: dict[str, Any], session: Any = None) -> int:  # noqa: ARG002
        assert not query
        return len(self.one.documents)

    def find_raw_batches(self, query: dict[str, Any], batch_size: int, session: Any) -> Iterator[bytes]:
        assert not query
        assert batch_size > 1
        self.server.sessions.append((self.full, session is not None))
        self.server.at.get("find", lambda _given: None)({"find": self.full, "session": session})
        ends = self.server.early.get(self.full)
        documents = self.one.documents[: ends.pop()] if ends else self.one.documents
        for place in range(0, len(documents), 2):
            yield b"".join(documents[place : place + 2])

    def insert_one(self, document: dict[str, Any]) -> None:
        name = self.server.alias.get(self.name, self.name)
        self.server.databases[self.database].setdefault(name, Stored()).documents.append(bson.encode(document))

    def insert_many(self, documents: list[Any], ordered: bool, bypass_document_validation: bool) -> None:
        assert ordered
        assert bypass_document_validation
        self.server.at.get("insert", lambda _given: None)({"insert": self.full})
        self.one.documents.extend(one.raw for one in documents)
