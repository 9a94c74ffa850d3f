#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the primary of a replica set over MongoDB's wire protocol: no package of a real MongoDB can be had here.

usage: replica_set.py HOST PORT FAULTS

It answers the commands that look at a server, with documents in the shape of MongoDB's manual (hello, serverStatus,
replSetGetStatus, replSetGetConfig, currentOp, listDatabases, dbStats, the ends of the oplog). It keeps no data. Files
in the folder FAULTS change what it answers, from the next command on (see `documents`): that is how faults are played.
"""

from __future__ import annotations

import contextlib
import datetime
import socketserver
import struct
import sys
from pathlib import Path
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.int64 import Int64
from bson.timestamp import Timestamp

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "module_utils"))

from nexuslab.played import with_faults

SET = "rs0"
GIB = 1 << 30
_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_STARTED = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=20)


def documents(host: str, port: int, faults: Path) -> dict[str, Any]:
    """The healthy answers, changed by the faults that are in force (see `with_faults`).

    A value {"ago": seconds} is a date that long ago, {"ts_ago": seconds} a timestamp; {"error": [code, name, text]} at
    an empty path is a refused command.
    """
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    return with_faults(_healthy(host, port, now), faults, lambda value: _value(value, now))


def _value(value: Any, now: datetime.datetime) -> Any:
    if isinstance(value, dict) and set(value) == {"ago"}:
        return now - datetime.timedelta(seconds=value["ago"])
    if isinstance(value, dict) and set(value) == {"ts_ago"}:
        return Timestamp(int(now.timestamp()) - value["ts_ago"], 1)
    return value


def _healthy(host: str, port: int, now: datetime.datetime) -> dict[str, Any]:
    names = [f"{host}:{port}", "mongo-rs-b:27018", "mongo-rs-c:27018"]
    second = int(now.timestamp())
    elected = now - datetime.timedelta(days=3)
    optime = {"ts": Timestamp(second - 1, 1), "t": Int64(7)}
    members = []
    for number, name in enumerate(names):
        member: dict[str, Any] = {
            "_id": number,
            "name": name,
            "health": 1.0,
            "state": 2 if number else 1,
            "stateStr": "SECONDARY" if number else "PRIMARY",
            "uptime": 1728000,
            "optime": optime,
            "optimeDate": now - datetime.timedelta(seconds=1),
            "lastAppliedWallTime": now - datetime.timedelta(seconds=1),
            "lastDurableWallTime": now - datetime.timedelta(seconds=1),
            "syncSourceHost": names[0] if number else "",
            "syncSourceId": 0 if number else -1,
            "infoMessage": "",
            "configVersion": 3,
            "configTerm": 7,
        }
        if number:
            member.update(
                lastHeartbeat=now, lastHeartbeatRecv=now, pingMs=Int64(0), lastHeartbeatMessage="", optimeDurable=optime
            )
        else:
            member.update(
                electionTime=Timestamp(int(elected.timestamp()), 1),
                electionDate=elected,
                self=True,
                lastHeartbeatMessage="",
            )
        members.append(member)
    return {
        "hello": {
            "topologyVersion": {"processId": bson.ObjectId(b"nexuscos-lab"), "counter": Int64(6)},
            "hosts": names,
            "setName": SET,
            "setVersion": 3,
            "isWritablePrimary": True,
            "ismaster": True,
            "secondary": False,
            "primary": names[0],
            "me": names[0],
            "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000,
            "maxWriteBatchSize": 100000,
            "localTime": now,
            "logicalSessionTimeoutMinutes": 30,
            "connectionId": 1,
            "minWireVersion": 0,
            "maxWireVersion": 21,
            "readOnly": False,
        },
        "ping": {},
        "serverStatus": {
            "host": names[0],
            "version": "7.0.14",
            "process": "mongod",
            "pid": Int64(4711),
            "uptime": (now - _STARTED).total_seconds(),
            "localTime": now,
            "connections": {
                "current": 41,
                "available": 51159,
                "totalCreated": 90210,
                "rejected": 0,
                "active": 6,
                "threaded": 41,
                "exhaustIsMaster": Int64(2),
                "exhaustHello": Int64(2),
                "awaitingTopologyChanges": Int64(4),
            },
            "globalLock": {
                "totalTime": Int64(1728000000000),
                "currentQueue": {"total": 0, "readers": 0, "writers": 0},
                "activeClients": {"total": 0, "readers": 0, "writers": 0},
            },
            "storageEngine": {"name": "wiredTiger", "supportsCommittedReads": True, "persistent": True},
            "wiredTiger": {
                "cache": {
                    "bytes currently in the cache": Int64(3 * GIB),
                    "maximum bytes configured": Int64(4 * GIB),
                    "tracked dirty bytes in the cache": Int64(GIB // 20),
                }
            },
        },
        "replSetGetStatus": {
            "set": SET,
            "date": now,
            "myState": 1,
            "term": Int64(7),
            "syncSourceHost": "",
            "syncSourceId": -1,
            "heartbeatIntervalMillis": Int64(2000),
            "majorityVoteCount": 2,
            "writeMajorityCount": 2,
            "votingMembersCount": 3,
            "writableVotingMembersCount": 3,
            "electionCandidateMetrics": {
                "lastElectionReason": "electionTimeout",
                "lastElectionDate": elected,
                "electionTerm": Int64(7),
                "numVotesNeeded": 2,
            },
            "members": members,
        },
        "replSetGetConfig": {
            "config": {
                "_id": SET,
                "version": 3,
                "term": 7,
                "members": [
                    {"_id": number, "host": name, "arbiterOnly": False, "hidden": False, "priority": 1,
                     "secondaryDelaySecs": Int64(0), "votes": 1}
                    for number, name in enumerate(names)
                ],
            }
        },
        "currentOp": {
            "inprog": [
                {"type": "op", "host": names[0], "desc": "conn12", "connectionId": 12, "client": "198.51.100.7:40122",
                 "appName": "driver", "active": True, "opid": 70001, "secs_running": Int64(3600), "op": "command",
                 "ns": "admin.$cmd", "command": {"hello": 1, "maxAwaitTimeMS": Int64(10000)},
                 "waitingForLock": False},
                {"type": "op", "host": names[0], "desc": "conn14", "connectionId": 14, "client": "198.51.100.8:40124",
                 "appName": "OplogFetcher", "active": True, "opid": 70002, "secs_running": Int64(90000),
                 "op": "getmore", "ns": "local.oplog.rs",
                 "command": {"getMore": Int64(5), "collection": "oplog.rs"}, "waitingForLock": False},
            ]
        },
        "listDatabases": {"databases": [{"name": "admin"}, {"name": "nexus"}]},
        "dbStats": {
            "collections": Int64(3),
            "views": Int64(0),
            "objects": Int64(2543),
            "avgObjSize": 236.0,
            "dataSize": 600000.0,
            "storageSize": float(GIB),
            "indexes": Int64(6),
            "indexSize": float(GIB // 4),
            "totalSize": float(GIB + GIB // 4),
            "scaleFactor": Int64(1),
            "fsUsedSize": float(40 * GIB),
            "fsTotalSize": float(100 * GIB),
        },
        "oplog": {"first": Timestamp(second - 72 * 3600, 1), "last": Timestamp(second - 1, 1)},
        "collStats": {"ns": "local.oplog.rs", "size": 10 * GIB, "maxSize": Int64(10 * GIB), "capped": True},
    }  # fmt: skip


class Refused(Exception):
    """A command that is not answered: code, its name, text."""


def answer(command: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The answer to one command."""
    name = next(iter(command))
    if name.lower() in ("ismaster", "hello"):
        name = "hello"
    if name == "find":
        if (command.get("$db"), command["find"]) != ("local", "oplog.rs"):
            raise Refused(26, "NamespaceNotFound", "only the oplog can be read here")
        which = "last" if (command.get("sort") or {}).get("$natural") == -1 else "first"
        batch = [{"ts": found["oplog"][which]}]
        return {"cursor": {"firstBatch": batch, "id": Int64(0), "ns": "local.oplog.rs"}}
    if name == "endSessions":
        return {}
    if name not in found or name == "oplog":
        raise Refused(59, "CommandNotFound", f"no such command: '{name}'")
    document: dict[str, Any] = dict(found[name])
    if "error" in document:
        raise Refused(*document["error"])
    if name == "dbStats":
        document["db"] = command.get("$db")
    if name == "currentOp":
        least = (command.get("secs_running") or {}).get("$gte", 0)
        document["inprog"] = [one for one in document["inprog"] if one["secs_running"] >= least]
    return document


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    server: Server

    def handle(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                size, request, _reply, kind = struct.unpack("<iiii", self._read(16))
                body = self._read(size - 16)
                if kind == _OP_MSG:
                    # flag bits, then a section of kind 0: what looks at a server sends no other
                    command = bson.decode(body[5:], CodecOptions())
                    raw = struct.pack("<iB", 0, 0) + self._answer(command)
                elif kind == _OP_QUERY:
                    # how drivers say hello for the first time
                    start = body.index(b"\0", 4) + 1 + 8
                    length = struct.unpack_from("<i", body, start)[0]
                    command = bson.decode(body[start : start + length], CodecOptions())
                    raw = struct.pack("<iqii", 8, 0, 0, 1) + self._answer(command)
                else:
                    return
                reply = _OP_MSG if kind == _OP_MSG else _OP_REPLY
                self.request.sendall(struct.pack("<iiii", len(raw) + 16, 0, request, reply) + raw)

    def _answer(self, command: dict[str, Any]) -> bytes:
        try:
            found = documents(*self.server.server_address[:2], self.server.faults)
            return bson.encode({**answer(command, found), "ok": 1.0})
        except Refused as error:
            code, name, text = error.args
            return bson.encode({"ok": 0.0, "errmsg": text, "code": code, "codeName": name})

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.request.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data


class Server(socketserver.ThreadingTCPServer):
    """Listens, with a thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int], faults: Path) -> None:
        super().__init__(address, Handler)
        self.faults = faults


def main() -> None:
    """Serve until the end."""
    host, port, faults = sys.argv[1:]
    with Server((host, int(port)), Path(faults)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
