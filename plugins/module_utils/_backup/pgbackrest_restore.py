# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a server back to a moment: beside the live one, in a scratch server or in a data folder that stays.

The live server, its archive and its tablespaces are not touched: the copy archives nothing, and its tablespaces lie
beside it. What becomes of a data folder lies under another name until it has been recovered, proven and shut down.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from typing import Any

from .._core.errors import OpsError, OptionError
from . import layout, lock, manifest, pgbackrest_plan, psql, scratch_postgres, stream, verify, verify_postgres
from .manifest import Proof
from .pgbackrest_plan import TIME, Way
from .postgres_tools import left
from .run_backup import human
from .scratch_postgres import Scratch
from .verify import Refuted
from .verify_pgbackrest import AUTO, SETTINGS, lay_out, recovery, started

_PORT = 5499
_EARLY = "requested recovery stop point is before consistent recovery point"
_ENDED = "recovery ended before configured recovery target was reached"
_OF_RECOVERY = re.compile(r"\s*(?:restore_command|recovery_\w+|archive_mode|primary_\w+)\s*=|\s*# Recovery settings")
_STOPPED = """
SELECT json_build_object(
 'recovering', pg_is_in_recovery(), 'lsn', pg_last_wal_replay_lsn(),
 'timeline', ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
 'last_transaction_at', to_char(pg_last_xact_replay_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
 'seconds', extract(epoch FROM pg_last_xact_replay_timestamp())::float8)"""
# What a data folder lacks whose server has its configuration elsewhere, as on Debian.
_FILES = {
    "postgresql.conf": "# The original has its configuration elsewhere: take over from there what is needed.\n",
    "pg_hba.conf": "local all all peer\n",
    "pg_ident.conf": "",
}


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Recover a copy of a server to a moment; in check mode, say what that would do.

    :raises OpsError: it was not done, and nothing of it stays.
    """
    _check(params)
    until = time.monotonic() + params["deadline"]
    way = pgbackrest_plan.find(params, until)
    data = params["data_dir"]
    free = pgbackrest_plan.check_room(data or params["scratch_dir"] or scratch_postgres.FOLDER, way.needed)
    plan = {**way.told(), "data_dir": data or None, "free_bytes": free}
    if check_mode:
        return {
            "changed": True, "plan": plan, "msg": pgbackrest_plan.would(params, plan), "warnings": plan["warnings"],
        }  # fmt: skip
    system, wait = params["system"], min(params["lock_wait"], params["deadline"])
    done = "what was restored so far has been removed"
    with scratch_postgres.ends_cleanly(done), lock.held(params["path"], system, "restore of a moment", wait):
        return _recover(params, way, plan, until)


def _check(params: Mapping[str, Any]) -> None:
    for name in ("confirm", "file", "tables", "from_database"):
        if params[name]:
            raise OptionError(
                f"{name}: a moment is restored beside the live server, as a whole. Dump from there what is to go over "
                "live data, and restore that dump"
            )
    if params["state"] != "restored":
        raise OptionError("state: what was restored to a moment lies beside the live server, nothing is to take back")
    if not params["system"]:
        raise OptionError("system: say of which system a set of pgBackRest is restored")
    if params["deadline"] <= 0 or params["lock_wait"] < 0 or params["jobs"] < 1:
        raise OptionError("deadline: want more than 0 seconds; lock_wait: 0 or more; jobs: 1 or more")
    data = params["data_dir"]
    if data and (not os.path.isabs(data) or (os.path.lexists(data) and not os.path.isdir(data))):
        raise OptionError(f"data_dir: want the absolute path of a folder that is empty or not there, got {data}")
    if data:
        # Of a run that was killed, tablespaces are left, beside data that have no name yet.
        for folder in (data,) if os.path.isdir(_aside(data)) else (data, _spaces(data)):
            if os.path.isdir(folder) and os.listdir(folder):
                raise OptionError(f"data_dir: {folder} is not empty, and nothing is written over: name another folder")


def _recover(params: Mapping[str, Any], way: Way, plan: dict[str, Any], until: float) -> dict[str, Any]:
    began, odd = time.monotonic(), list(plan["warnings"])
    major = psql.major(way.info.version)
    with scratch_postgres.workspace(
        params["bin_dir"] or "", major, exact=True, parent=params["scratch_dir"]
    ) as scratch, _place(params["data_dir"], scratch) as spaces:  # fmt: skip
        lay_out(way.where, scratch, way.backup.label, params["jobs"], until, spaces)
        server = _server(scratch, way, bool(params["data_dir"]), until)
        with server as running:
            seconds = time.monotonic() - began
            stopped = _stopped(running, scratch, way, until)
            databases = _databases(running, params, until, odd)
            answers = _ask(running, params, until, odd)
            if params["data_dir"]:
                scratch.shut_down(left(until))
        if params["data_dir"]:
            _settle(params["data_dir"], scratch)
    odd += _file(way, seconds, time.monotonic() - began, stopped)
    recovered = {
        **stopped,
        "data_dir": params["data_dir"] or None,
        "start": _start(scratch, params["data_dir"]) if params["data_dir"] else None,
        "databases": databases,
        "answers": answers,
    }
    return {
        "changed": True,
        "source": plan["source"],
        "recovered": recovered,
        "restore_seconds": round(seconds, 3),
        "seconds": round(time.monotonic() - began, 3),
        "warnings": odd,
        "msg": _told(params, way, recovered, seconds),
    }


def _server(scratch: Scratch, way: Way, stays: bool, until: float) -> contextlib.AbstractContextManager[psql.Server]:
    settings = {**SETTINGS, **recovery(way.where, scratch.data), **way.target.settings()}
    if stays:
        settings.update(fsync="on", full_page_writes="on", wal_level="replica")

    @contextlib.contextmanager
    def running() -> Iterator[psql.Server]:
        try:
            with started(scratch, settings, until) as server:
                yield server
        except scratch_postgres.NotStarted as error:
            raise OpsError(_why_not(way, str(error), scratch.log(200))) from None

    return running()


def _why_not(way: Way, error: str, said: str) -> str:
    if _EARLY in said:
        return f"{way.target.text} was before {way.backup.label} had ended, when it is whole: name an older set"
    if _ENDED not in said:
        return f"the copy does not start: {error}"
    last = re.findall(r"last completed transaction was at log time ([^;]+)", said)
    until = f", the last transaction in it is of {last[-1]}" if last else ""
    if way.target.kind == pgbackrest_plan.NAME:
        return (
            f"there is no restore point {way.target.text} in the WAL from {way.backup.label} on{until}: is the name "
            "right? If it is older than that backup, name an older set"
        )
    return (
        f"{way.target.text} was not reached: the archive ends before it{until}. What was committed later, if anything "
        "was, is not in the archive: SELECT pg_switch_wal() on the live server sends it there; point_in_time: latest "
        "takes all that is there"
    )


def _stopped(server: psql.Server, scratch: Scratch, way: Way, until: float) -> dict[str, Any]:
    """Where recovery came to an end, by the server's own word.

    :raises OpsError: behind the moment that was asked for.
    """
    told = json.loads(server.answer(_STOPPED, seconds=left(until)))
    log = scratch.log(400)
    said = re.findall(r"recovery stopping [^;]+", log)
    last = re.findall(r"last completed transaction was at log time ([^;]+)", log)
    seconds = told.pop("seconds")
    if last and not told["last_transaction_at"]:
        told["last_transaction_at"] = last[-1]
    if told.pop("recovering"):
        raise OpsError("the copy is still recovering: it takes connections, and the moment is not reached")
    if way.target.kind == TIME and seconds is not None and seconds > way.target.at:
        raise OpsError(f"the last transaction is of {told['last_transaction_at']}, later than {way.target.text}")
    return {"target": way.target.text, **told, "said": said[-1] if said else None}


def _databases(server: psql.Server, params: Mapping[str, Any], until: float, odd: list[str]) -> dict[str, Any]:
    """Tables and rows of each database, or of the one that is asked for."""
    there = [row[0] for row in server.ask(verify_postgres.DATABASES, seconds=left(until))]
    wanted = [params["database"]] if params["database"] else there
    found: dict[str, Any] = {}
    for name in wanted:
        if name not in there:
            raise OpsError(f"at {params['point_in_time']} there was no database {name}; there were {', '.join(there)}")
        try:
            one = verify_postgres.invariants(server, name, {}, until, params["accept"], odd)
            found[name] = {"tables": one["tables"], "rows": one["rows"]}
        except Refuted as error:
            # As it was at that moment: for whoever looks at the copy to know, not against the restore.
            odd.append(f"{name}: {error}")
            found[name] = {"tables": None, "rows": None}
    return found


def _ask(server: psql.Server, params: Mapping[str, Any], until: float, odd: list[str]) -> dict[str, str | None]:
    """What was asked for. That a table was not there yet is an answer, too."""
    found: dict[str, str | None] = {}
    for one in params["queries"]:
        found[one["name"]] = None
        try:
            found[one["name"]] = server.answer(one["query"], one["database"] or "postgres", left(until))
        except stream.EngineError as error:
            odd.append(f"query {one['name']}: {error}")
    return found


@contextlib.contextmanager
def _place(data: str, scratch: Scratch) -> Iterator[str]:
    """Let data lie beside their place for now, and take them away where they do not come there; for tablespaces."""
    if not data:
        yield os.path.join(scratch.folder, "t")
        return
    aside, spaces = _aside(data), _spaces(data)
    try:
        os.makedirs(os.path.dirname(aside), exist_ok=True)
        for folder in (aside, spaces):
            if os.path.isdir(folder):  # of a run that was killed: the lock of the system is ours
                shutil.rmtree(folder)
        scratch.data = aside
        yield spaces
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        shutil.rmtree(spaces, ignore_errors=True)
        if isinstance(error, OSError):
            raise OpsError(f"{error.filename or data}: {error.strerror or error}") from error
        raise


def _settle(data: str, scratch: Scratch) -> None:
    """Give the data folder its name. It is a server of its own: shut down, out of recovery, and archives nothing."""
    kept = os.path.join(scratch.folder, AUTO)
    with open(kept, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line for line in file if not _OF_RECOVERY.match(line)]
    texts = {AUTO: "".join(lines) + "archive_mode = 'off'\n"}
    texts.update((name, text) for name, text in _FILES.items() if not os.path.exists(os.path.join(scratch.data, name)))
    for name, text in texts.items():
        path = os.path.join(scratch.data, name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(path, 0o600)
        scratch.give_one(path)
    if os.path.isdir(data):
        os.rmdir(data)
    os.rename(scratch.data, data)
    layout.flush_folder(os.path.dirname(data.rstrip("/")) or "/")
    with contextlib.suppress(OSError):
        os.rmdir(_spaces(data))  # there were no tablespaces


def _aside(data: str) -> str:
    parent, name = os.path.split(data.rstrip("/"))
    return os.path.join(parent, layout.WRITING + name)


def _spaces(data: str) -> str:
    return data.rstrip("/") + ".tablespaces"


def _start(scratch: Scratch, data: str) -> str:
    """The command that starts what was restored, where nobody else listens."""
    words = [os.path.join(scratch.bin_dir, "pg_ctl"), "-D", data, "-o", f"-p {_PORT} -c listen_addresses=", "start"]
    owner = f"sudo -u {scratch.owner} " if scratch.owner else ""
    return owner + shlex.join(words)


def _file(way: Way, seconds: float, took: float, stopped: Mapping[str, Any]) -> list[str]:
    """The backup was restored and its server has started: that is a proof of the set, where there is one."""
    if way.own is None:
        return []
    proof = Proof(
        level=3, wanted=3, at=verify.now(), seconds=round(took, 3), good=True, restore_seconds=round(seconds, 3),
        details={"recovered": dict(stopped)},
    )  # fmt: skip
    try:
        manifest.add_proof(way.own.one.path, proof)
    except (OSError, manifest.ManifestError) as error:
        return [f"the proof could not be filed with the set: {error}"]
    return []


def _told(params: Mapping[str, Any], way: Way, recovered: Mapping[str, Any], seconds: float) -> str:
    rows = sum(one["rows"] or 0 for one in recovered["databases"].values())
    last = recovered["last_transaction_at"] or "before the backup ended"
    into = f"in {params['data_dir']}; {recovered['start']}" if params["data_dir"] else "in a scratch server, now gone"
    return (
        f"{params['system']}: recovered to {way.target.text} from {way.backup.label} ({human(way.backup.size)}) in "
        f"{seconds:.1f} s; the last transaction is of {last}, at {recovered['lsn']}; {rows:,} rows, {into}"
    )
