# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of MongoDB, whole or not at all; and restores that replace nothing before everything is there."""

from __future__ import annotations

import datetime
import gzip
import json
import stat
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import json_util
from hypothesis import given
from hypothesis import strategies as st
from played_mongodb import ID, Server, Stored, stored
from pymongo.errors import AutoReconnect, ConfigurationError, OperationFailure

from ansible_collections.nexuscos.ops.plugins.module_utils._backup import (
    layout,
    manifest,
    mongodb_dump,
    mongodb_load,
    verify,
    verify_mongodb,
)
from ansible_collections.nexuscos.ops.plugins.module_utils._core.errors import OpsError, OptionError
from ansible_collections.nexuscos.ops.plugins.modules import mongodb_backup, mongodb_restore

RUN = "2026-11-29T060000Z"
WHEN = datetime.datetime(2026, 11, 29, 6, tzinfo=datetime.timezone.utc)
UNIQUE = {"v": 2, "key": {"handle": 1, "at": -1}, "name": "by_handle", "unique": True}


def filled(**more: Any) -> Server:
    profiles = [
        {"_id": bson.ObjectId(), "handle": f"user{n}", "at": WHEN, "n": bson.Int64(n), "d": bson.Decimal128("1.5")}
        for n in range(25)
    ]
    return Server(
        {
            "admin": {"system.version": stored({"_id": "x"}), "system.profile": stored({"a": 1})},
            "local": {"oplog.rs": stored({"a": 1})},
            "config": {"settings": stored({"a": 1})},
            "nexus": {
                "profiles": stored(*profiles, indexes=[dict(ID), dict(UNIQUE)]),
                "log": stored({"a": 1}, options={"capped": True, "size": 4096}),
                "empty": stored(),
                "fs.files": stored({"_id": 1, "name": "x"}),
                "odd/name %": stored({"_id": 1}),
                "faces": Stored(options={"viewOn": "profiles", "pipeline": [{"$match": {}}]}, kind="view"),
                "loads": Stored(options={"timeseries": {"timeField": "at"}}, kind="timeseries"),
                "system.buckets.loads": stored({"_id": 1, "data": {}}, {"_id": 2, "data": {}}),
                "nexuscos_restoring_x": stored({"a": 1}),
            },
        },
        **more,
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "place"


def backup(server: Server, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    options = {name: option.get("default") for name, option in mongodb_backup.spec().options.items()}
    options |= {"system": "mongodb", "path": str(place), "stamp": RUN, "login_host": "mongo1", "deadline": 60.0, **more}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mongodb_dump, "client", lambda *_given: server)
        return mongodb_backup.run(options, check_mode)


def restore(server: Server, place: Path, check_mode: bool = False, **more: Any) -> dict[str, Any]:
    options = {name: option.get("default") for name, option in mongodb_restore.spec().options.items()}
    options |= {"system": "mongodb", "path": str(place), "login_host": "mongo1", "deadline": 60.0, **more}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mongodb_dump, "client", lambda *_given: server)
        return mongodb_restore.run(options, check_mode)


def known(place: Path) -> manifest.Manifest:
    return manifest.read(str(place / RUN / "mongodb"))


def nothing_is_left(place: Path) -> bool:
    return not [path for path in place.rglob("*") if not path.name.startswith(".lock")]


def contents(server: Server, database: str) -> dict[str, Any]:
    return {
        name: (one.documents, one.indexes, one.options, one.kind)
        for name, one in server.databases.get(database, {}).items()
    }


# -- names


def test_names_of_files_are_those_of_mongodump() -> None:
    assert mongodb_dump.escaped("odd/name %") == "odd%2Fname%20%25"
    assert mongodb_dump.escaped("fs.files") == "fs.files"
    assert mongodb_dump.escaped("a$b:c@d&e=f+g") == "a$b:c@d&e=f+g"
    long = mongodb_dump.escaped("x" * 250)
    assert len(long) == 238
    assert long.startswith("x" * 208 + "%24")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60))
def test_a_name_is_the_same_after_its_file(name: str) -> None:
    if name.startswith("system.buckets.") or len(mongodb_dump.escaped(name)) == 238:
        return
    for ending in (".bson", ".bson.gz", ".metadata.json", ".metadata.json.gz"):
        assert mongodb_dump.name_of("dump/nexus/" + mongodb_dump.escaped(name) + ending) == name
    assert "/" not in mongodb_dump.escaped(name)


@pytest.mark.parametrize(
    ("patterns", "full", "meant"),
    [
        (["nexus"], "nexus.a", True),
        (["nexus"], "nexus2.a", False),
        (["nexus.a"], "nexus.a", True),
        (["nexus.a"], "nexus.a.b", False),
        (["nexus.a*"], "nexus.a.b", True),
        (["*"], "nexus.a", True),
        (["n*s"], "nexus.a", True),
        ([], "nexus.a", False),
    ],
)
def test_patterns(patterns: list[str], full: str, meant: bool) -> None:
    assert mongodb_dump.matches(full, patterns) is meant


# -- dumps


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_dump_has_everything_in_the_layout_of_mongodump(place: Path, gzipped: bool) -> None:
    server = filled()
    result = backup(server, place, gzip=gzipped)
    assert result["level"] == 2
    top = place / RUN / "mongodb" / "dump"
    end = ".gz" if gzipped else ""
    found = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
    names = ("profiles", "log", "empty", "fs.files", "odd%2Fname%20%25")
    wanted = {f"nexus/{name}{kind}{end}" for name in names for kind in (".bson", ".metadata.json")}
    wanted |= {
        f"nexus/faces.metadata.json{end}",
        f"nexus/loads.metadata.json{end}",
        f"nexus/system.buckets.loads.bson{end}",
    }
    assert found == wanted | {f"admin/system.version{kind}{end}" for kind in (".bson", ".metadata.json")}
    data = (top / f"nexus/profiles.bson{end}").read_bytes()
    assert (gzip.decompress(data) if gzipped else data) == b"".join(server.databases["nexus"]["profiles"].documents)
    text = (top / f"nexus/profiles.metadata.json{end}").read_bytes()
    told = json_util.loads((gzip.decompress(text) if gzipped else text).decode())
    assert told["indexes"] == [ID, UNIQUE]
    assert (told["uuid"], told["collectionName"], told["type"]) == ("01" * 16, "profiles", "collection")
    assert known(place).invariants == {
        "collections": {
            "admin.system.version": 1, "nexus.empty": 0, "nexus.fs.files": 1, "nexus.loads": 2, "nexus.log": 1,
            "nexus.odd/name %": 1, "nexus.profiles": 25,
        },
        "views": ["nexus.faces"],
    }  # fmt: skip
    assert known(place).options == {"tool": "pymongo", "gzip": gzipped, "consistency": "collection"}
    for file in known(place).files:
        assert stat.S_IMODE((place / RUN / "mongodb" / file.path).stat().st_mode) & 0o007 == 0


def test_all_of_a_replica_set_is_of_one_moment(place: Path) -> None:
    server = filled(names="rs0")
    backup(server, place)
    made = known(place)
    assert made.options["consistency"] == "snapshot"
    assert made.options["outside_of_snapshot"] == ["nexus.log"]
    assert made.position == {
        "oplog_before": {"t": 1795959580, "i": 1}, "oplog_after": {"t": 1795959580, "i": 1},
        "snapshot": {"t": 1795959589, "i": 3},
    }  # fmt: skip
    assert dict(server.sessions)["nexus.profiles"] is True
    assert dict(server.sessions)["nexus.log"] is False


def test_a_server_that_only_says_that_it_has_snapshots_is_not_believed(place: Path) -> None:
    backup(filled(names="rs0", moment=None), place)
    assert known(place).options["consistency"] == "collection"
    assert "tells no moment" in known(place).options["no_snapshot"]
    with pytest.raises(OpsError, match="tells no moment"):
        backup(filled(names="rs0", moment=None), place, stamp=None, consistency="snapshot")


def too_old(given: dict[str, Any]) -> None:
    if given["session"] is not None and given["find"] == "nexus.profiles":
        raise OperationFailure("Read timestamp is older than the oldest available timestamp", 239)


def test_a_moment_that_the_server_no_longer_has_is_given_up(place: Path) -> None:
    server = filled(names="rs0", at={"find": too_old})
    backup(server, place)
    made = known(place)
    assert made.options["consistency"] == "collection"
    assert "older than the oldest" in made.options["no_snapshot"]
    assert made.invariants["collections"]["nexus.profiles"] == 25


def test_and_it_fails_where_nothing_else_will_do(place: Path) -> None:
    server = filled(names="rs0", at={"find": too_old})
    with pytest.raises(OpsError, match="minSnapshotHistoryWindowInSeconds"):
        backup(server, place, consistency="snapshot")
    assert nothing_is_left(place)
    with pytest.raises(OptionError, match="replica set"):
        backup(filled(), place, consistency="snapshot")


def test_a_server_that_is_too_old_for_snapshots_is_dumped_without(place: Path) -> None:
    def refuse(given: dict[str, Any]) -> None:
        if given["session"] is not None:
            raise ConfigurationError("Snapshot reads require MongoDB 5.0 or later")

    backup(filled(names="rs0", at={"find": refuse}), place)
    assert known(place).options["consistency"] == "collection"


def test_a_cursor_that_ended_early_is_tried_once_more(place: Path) -> None:
    backup(filled(early={"nexus.profiles": [7]}), place)
    assert known(place).invariants["collections"]["nexus.profiles"] == 25


def test_and_then_it_is_an_error(place: Path) -> None:
    with pytest.raises(OpsError, match=r"nexus.profiles: 7 documents came, and the server counts 25"):
        backup(filled(early={"nexus.profiles": [7, 7]}), place)
    assert nothing_is_left(place)


def test_a_quick_count_that_is_wrong_is_counted_anew(place: Path) -> None:
    backup(filled(counts={"nexus.profiles": 99}), place)
    assert known(place).invariants["collections"]["nexus.profiles"] == 25


@pytest.mark.parametrize("error", [AutoReconnect("connection closed"), OperationFailure("not authorized", 13)])
def test_a_server_that_goes_away_leaves_nothing(place: Path, error: Exception) -> None:
    def fail(given: dict[str, Any]) -> None:
        if given["find"] == "nexus.profiles":
            raise error

    with pytest.raises(OpsError, match=r"MongoDB at mongo1:27017: (connection closed|not authorized: the user wants)"):
        backup(filled(at={"find": fail}), place)
    assert nothing_is_left(place)


def test_what_is_no_bson_is_no_dump(place: Path) -> None:
    server = filled()
    server.databases["nexus"]["profiles"].documents[3] = b"\x10\0\0\0 broken"
    with pytest.raises(OpsError, match=r"nexus.profiles: the server sent no documents"):
        backup(server, place)
    assert nothing_is_left(place)


def test_patterns_choose(place: Path) -> None:
    backup(filled(), place, include=["nexus"], exclude=["nexus.fs*", "nexus.l*", "nexus.odd*"])
    assert set(known(place).invariants["collections"]) == {"nexus.profiles", "nexus.empty"}
    with pytest.raises(OptionError, match=r"nexsu.*means no collection"):
        backup(filled(), place, stamp=None, include=["nexsu"])


def test_check_mode_writes_nothing(place: Path) -> None:
    server = filled()
    result = backup(server, place, check_mode=True)
    assert result["plan"]["server"] == "7.0.42"
    assert result["plan"]["source"]["collections"] == 8
    assert not place.exists()
    assert server.sessions == []


def test_a_deadline_ends_it(place: Path) -> None:
    with pytest.raises(OpsError, match="not done in time"):
        backup(filled(), place, deadline=0.000001)
    assert nothing_is_left(place)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"login_host": None}, "login_host"),
        ({"login_port": 0}, "login_port"),
        ({"tool": "mongodump"}, "not installed"),
        ({"login_password": "x"}, "login_user"),
    ],
)
def test_options_that_can_only_be_mistakes_are_refused(place: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        backup(filled(), place, **given)


# -- mongodump

MONGODUMP = """#!/bin/sh
echo "$*" > {folder}/asked
for word in "$@"; do
  case "$word" in
    --out=*) out=${{word#--out=}} ;;
    --config=*) /bin/cat "${{word#--config=}}" > {folder}/config; /bin/ls -l "${{word#--config=}}" > {folder}/mode ;;
  esac
done
/bin/cp -r {folder}/made/. "$out"
echo "$(/bin/cat {folder}/said)" >&2
exit $(/bin/cat {folder}/status)
"""


@pytest.fixture
def mongodump(tmp_path: Path, place: Path) -> Path:
    """A mongodump that copies a dump which was made before."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")  # no other program of this machine
    program = tmp_path / "bin" / "mongodump"
    program.write_text(MONGODUMP.format(folder=tmp_path))
    program.chmod(0o755)
    backup(filled(), place, tool="pymongo")
    (place / RUN / "mongodb" / "dump").rename(tmp_path / "made")
    (tmp_path / "made" / "prelude.json").write_text("{}")
    (tmp_path / "said").write_text("done")
    (tmp_path / "status").write_text("0")
    return tmp_path


LATER = "2026-11-29T120000Z"


def test_mongodump_does_it_where_it_is(mongodump: Path, place: Path) -> None:
    backup(filled(), place, stamp=LATER, login_user="backup", login_password="ge'h\"eim", ca_cert="/ca")
    made = manifest.read(str(place / LATER / "mongodb"))
    assert made.options["tool"] == "mongodump"
    assert made.invariants == known(place).invariants
    assert {one.path for one in made.files} == {one.path for one in known(place).files}
    asked = (mongodump / "asked").read_text()
    assert "--username=backup --authenticationDatabase=admin --ssl --sslCAFile=/ca" in asked
    assert "heim" not in asked
    assert json.loads((mongodump / "config").read_text().split(": ", 1)[1]) == "ge'h\"eim"
    assert (mongodump / "mode").read_text().startswith("-rw-------")


def test_a_mongodump_that_fails_is_told(mongodump: Path, place: Path) -> None:
    (mongodump / "status").write_text("1")
    (mongodump / "said").write_text("Failed: error dumping metadata: unauthorized")
    with pytest.raises(OpsError, match="mongodump failed with status 1: Failed: error dumping"):
        backup(filled(), place, stamp=LATER)
    assert not (place / LATER).exists()


def test_a_mongodump_that_leaves_out_is_found(mongodump: Path, place: Path) -> None:
    for path in (mongodump / "made" / "nexus").glob("profiles.*"):
        path.unlink()
    with pytest.raises(OpsError, match=r"left out nexus\.profiles"):
        backup(filled(), place, stamp=LATER)
    assert not (place / LATER).exists()


def test_a_mongodump_that_breaks_off_is_found(mongodump: Path, place: Path) -> None:
    path = mongodump / "made" / "nexus" / "profiles.bson"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(OpsError, match="breaks off"):
        backup(filled(), place, stamp=LATER)
    assert not (place / LATER).exists()


def test_mongodump_is_not_asked_for_what_it_cannot(mongodump: Path, place: Path) -> None:
    backup(filled(names="rs0"), place, stamp=LATER)
    backup(filled(), place, stamp="2026-11-29T130000Z", include=["nexus.*"])
    assert not (mongodump / "asked").exists()
    for options in ({"exclude": ["x"]}, {"include": ["nexus.*"]}, {"consistency": "snapshot"}):
        with pytest.raises(OptionError, match="use pymongo"):
            backup(filled(names="rs0"), place, stamp=None, tool="mongodump", **options)


# -- level 2


def proven(place: Path) -> Any:
    one = layout.Set("mongodb", RUN, str(place / RUN / "mongodb"))
    job = verify.Job(one=one, known=known(place), wanted=2, until=float("inf"))
    return verify_mongodb.Engine().read(job)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("gzipped", [False, True])
def test_level_2_refutes_what_is_cut(place: Path, gzipped: bool, share: float) -> None:
    backup(filled(), place, gzip=gzipped)
    assert "31 documents of 7 collections" in proven(place)["read"]["dump"]
    path = next((place / RUN).rglob("profiles.bson*"))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(verify.Refuted, match="profiles"):
        proven(place)


def test_level_2_refutes_documents_that_are_missing_or_too_many(place: Path) -> None:
    backup(filled(), place)
    path = place / RUN / "mongodb" / "dump" / "nexus" / "profiles.bson"
    data = path.read_bytes()
    size = int.from_bytes(data[:4], "little")
    for bent in (data[size:], data + data[:size]):
        path.write_bytes(bent)
        with pytest.raises(verify.Refuted, match=r"2[46] documents are there, and 25 were written"):
            proven(place)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"indexes": 5}', b"\xff\xfe", b"\x1f\x8bxx"])
def test_level_2_refutes_metadata_that_are_garbage(place: Path, text: bytes) -> None:
    backup(filled(), place)
    (place / RUN / "mongodb" / "dump" / "nexus" / "profiles.metadata.json").write_bytes(text)
    with pytest.raises(verify.Refuted, match="profiles"):
        proven(place)


# -- restores


def test_a_restore_goes_beside_what_is_there(place: Path) -> None:
    server = filled()
    before = contents(server, "nexus")
    backup(server, place, gzip=True)
    result = restore(server, place)
    assert contents(server, "nexus") == before
    found = contents(server, "nexus_restored")
    before.pop("nexuscos_restoring_x")
    for row in found.values():
        row[1][:] = [{**one, "v": 2} for one in row[1]]
    assert found == before
    assert result["skipped"] == ["admin.system.version"]
    assert result["switched"] == "renamed"
    assert sum(row["documents"] or 0 for row in result["restored"]) == 30
    assert not [name for name in server.databases["nexus_restored"] if name.startswith("nexuscos_")]


def test_it_replaces_only_what_is_confirmed_and_keeps_it(place: Path) -> None:
    server = filled()
    backup(server, place, include=["nexus"], exclude=["nexus.loads", "nexus.faces"])
    server.databases["nexus"]["profiles"].documents.pop()
    server.databases["nexus"]["younger"] = stored({"a": 1})
    with pytest.raises(OptionError, match=r"nexus is there already, with 5 collections.*name it in confirm"):
        restore(server, place, database_suffix="")
    result = restore(server, place, database_suffix="", confirm=["nexus"])
    has = server.databases["nexus"]
    assert len(has["profiles"].documents) == 25
    kept = next(name for name in result["kept"] if name.endswith("_profiles")).split(".", 1)[1]
    assert len(has[kept].documents) == 24
    assert has["profiles"].indexes[1]["name"] == "by_handle"
    assert f'getCollection("{kept}").renameCollection("profiles", true)' in " ".join(result["undo"])
    assert "younger" in has
    assert len(result["kept"]) == 5


def test_without_keep_old_nothing_of_it_stays(place: Path) -> None:
    server = filled()
    backup(server, place, include=["nexus"])
    server.databases["nexus"]["profiles"].documents.clear()
    result = restore(server, place, map={"nexus": "nexus"}, confirm=["nexus"], keep_old=False)
    assert result["kept"] == []
    assert not [name for name in server.databases["nexus"] if name.startswith(("before_", "nexuscos_"))]
    assert len(server.databases["nexus"]["profiles"].documents) == 25
    assert len(server.databases["nexus"]["system.buckets.loads"].documents) == 2


def test_check_mode_plans_and_writes_nothing(place: Path) -> None:
    server = filled()
    backup(server, place, include=["nexus.profiles"])
    server.asked.clear()
    result = restore(server, place, check_mode=True, database_suffix="")
    assert result["plan"]["collections"] == [
        {
            "from": "nexus.profiles", "to": "nexus.profiles", "kind": "collection", "documents": 25,
            "bytes": result["plan"]["collections"][0]["bytes"], "replaces": 25,
        }
    ]  # fmt: skip
    assert result["plan"]["existing"] == ["nexus"]
    assert result["plan"]["unconfirmed"] == ["nexus"]
    assert "nexus.empty" in result["plan"]["stays"]
    assert "refused until confirm names nexus" in result["msg"]
    assert server.asked == []


def fail_at(number: int, word: str, error: Exception) -> dict[str, Any]:
    left = [number]

    def fail(_given: dict[str, Any]) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise error

    return {word: fail}


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("word", ["renameCollection", "insert", "createIndexes", "create"])
def test_when_anything_fails_all_is_as_it_was(place: Path, word: str, number: int) -> None:
    server = filled()
    del server.databases["nexus"]["nexuscos_restoring_x"]
    backup(server, place, include=["nexus"], exclude=["nexus.loads", "nexus.faces"])
    before = contents(server, "nexus")
    server.at = fail_at(number, word, AutoReconnect("connection closed"))
    try:
        restore(server, place, database_suffix="", confirm=["nexus"])
    except OpsError as error:
        assert "connection closed" in str(error)  # noqa: PT017
        server.at = {}
        assert contents(server, "nexus") == before
    else:
        assert set(server.databases["nexus"]) > set(before)
    assert not [name for name in server.databases["nexus"] if name.startswith("nexuscos_")]


def test_what_cannot_be_given_back_is_said(place: Path) -> None:
    server = filled()
    backup(server, place, include=["nexus.profiles"])

    def fail(given: dict[str, Any]) -> None:
        if "before_" in given["to"]:
            server.at["renameCollection"] = always

    def always(_given: dict[str, Any]) -> None:
        raise AutoReconnect("connection closed")

    server.at = {"renameCollection": fail}
    with pytest.raises(OpsError, match=r"could not be given back.*renameCollection\(.profiles., true\)"):
        restore(server, place, database_suffix="", confirm=["nexus"])


def test_what_a_killed_restore_has_left_is_removed(place: Path) -> None:
    server = filled()
    backup(server, place, include=["nexus.profiles"])
    server.databases["nexus_restored"] = {"nexuscos_restoring_profiles": stored({"_id": 1})}
    restore(server, place, confirm=["nexus_restored"])
    assert list(server.databases["nexus_restored"]) == ["profiles"]


@pytest.mark.parametrize("part", ["profiles.bson", "profiles.metadata.json"])
def test_a_damaged_set_replaces_nothing(place: Path, part: str) -> None:
    server = filled()
    backup(server, place, include=["nexus.profiles"])
    path = place / RUN / "mongodb" / "dump" / "nexus" / part
    data = bytearray(path.read_bytes())
    # In a text of a document: what only its sum tells.
    data[data.index(b"user7" if part.endswith("bson") else b"by_handle") + 2] ^= 1
    path.write_bytes(bytes(data))
    before = contents(server, "nexus")
    if part.endswith("bson"):
        with pytest.raises(OpsError, match="sum is not that of the manifest"):
            restore(server, place, database_suffix="", confirm=["nexus"], keep_old=False)
        assert contents(server, "nexus") == {name: one for name, one in before.items() if "restoring" not in name}
    path.write_bytes(bytes(data[:-30]))
    with pytest.raises(OpsError, match=r"breaks off|no JSON"):
        restore(server, place, database_suffix="", confirm=["nexus"], keep_old=False)


def test_a_server_that_wants_a_rename_said_to_the_database_itself(place: Path) -> None:
    server = filled(rename_in=("nexus_restored",))
    backup(server, place, include=["nexus.profiles"])
    assert restore(server, place)["switched"] == "renamed"


def test_a_server_that_mixes_names_up_after_a_rename(place: Path) -> None:
    server = filled(mixes_up=True)
    backup(server, place, include=["nexus.profiles"])
    assert restore(server, place)["switched"] == "written"


def test_a_server_that_cannot_rename(place: Path) -> None:
    server = filled(rename_in=())
    backup(server, place, include=["nexus.profiles"])
    assert restore(server, place)["switched"] == "written"
    assert list(server.databases["nexus_restored"]) == ["profiles"]
    with pytest.raises(OptionError, match="cannot rename"):
        restore(server, place, confirm=["nexus_restored"])
    assert len(server.databases["nexus_restored"]["profiles"].documents) == 25
    restore(server, place, confirm=["nexus_restored"], keep_old=False)
    assert len(server.databases["nexus_restored"]["profiles"].documents) == 25
    path = place / RUN / "mongodb" / "dump" / "nexus" / "profiles.bson"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(OpsError, match="Nothing was replaced"):
        restore(server, place, confirm=["nexus_restored"], keep_old=False)
    assert len(server.databases["nexus_restored"]["profiles"].documents) == 25


def test_a_time_series_cannot_be_kept(place: Path) -> None:
    server = filled()
    backup(server, place, include=["nexus.loads"])
    with pytest.raises(OptionError, match="time series"):
        restore(server, place, database_suffix="", confirm=["nexus"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"login_host": None}, "login_host"),
        ({"map": {"nexsu": "x"}}, "nexsu.*no database of this set"),
        ({"map": {"nexus": "a/b"}}, "no name of a database"),
        ({"map": {"nexus": "config"}}, "server's own"),
        ({"include": ["nexsu"]}, "means nothing"),
        ({"exclude": ["nexus"]}, "nothing of it is left"),
        ({"set": "yesterday"}, "2026-11-29T060000Z"),
        ({"set": "2020-01-01T000000Z"}, "no set"),
        ({"system": "other"}, "no set"),
        ({"deadline": 0}, "deadline"),
        ({"lock_wait": -1}, "lock_wait"),
    ],
)
def test_mistakes_of_a_restore_are_refused(place: Path, given: dict[str, Any], words: str) -> None:
    server = filled()
    backup(server, place, include=["nexus"])
    with pytest.raises(OpsError, match=words):
        restore(server, place, **given)


def test_two_databases_are_not_restored_into_one() -> None:
    rows = [mongodb_load.Part(name, "x", "collection", None, None, None) for name in ("a", "b")]
    with pytest.raises(OptionError, match="same one"):
        mongodb_load.targets(rows, {"a": "c", "b": "c"}, "")
