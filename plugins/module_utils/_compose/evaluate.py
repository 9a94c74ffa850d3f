# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the observation of a Compose project. Pure: plain values in, findings out."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from .._core.finding import CRITICAL, OK, UNKNOWN, WARNING
from .._core.judge import Judge
from .._postgres import words
from . import checks
from .moments import RECENT, seconds_between

_LATE = 3.0
"""Probes that may be missing before what the last one said is no news any more."""
_MIB, _GIB = 1024.0**2, 1024.0**3
_KEEPS_RUNNING = ("always", "unless-stopped")
_CODES = {
    125: "the engine could not start it",
    126: "its command cannot be executed",
    127: "its command is not in the image",
    134: "it aborted",
    137: "killed",
    139: "segmentation fault",
    143: "it was asked to end",
}

Container = Mapping[str, Any]


def evaluate(observation: Mapping[str, Any], judge: Judge, jobs: Sequence[str] = ()) -> None:
    """Judge a project.

    :param jobs: services that are meant to end, beside those that others wait for to have ended.
    """
    project = _Project(observation, judge, jobs)
    if not project.engine():
        return
    project.file()
    if not project.containers_seen():
        return
    project.services()
    project.drift()
    project.orphans()
    project.volumes()
    project.logs()
    judge.unseen_rest("nothing of the project was seen")
    judge.facts = project.facts()


class _Project:
    """One project while it is judged."""

    def __init__(self, observation: Mapping[str, Any], judge: Judge, jobs: Sequence[str]) -> None:
        self.judge = judge
        self.target = judge.target
        self.name = _text(observation.get("project")) or judge.target
        self.told_engine = _mapping(observation.get("engine"))
        self.told_file = _mapping(observation.get("file"))
        self.told_containers = _mapping(observation.get("containers"))
        self.told_images = _mapping(observation.get("images"))
        self.told_volumes = _mapping(observation.get("volumes"))
        self.now = self.told_engine.get("now")
        self.file_services = {
            str(name): _mapping(one) for name, one in _mapping(self.told_file.get("services")).items()
        }
        self.file_known = self.told_file.get("asked") is True and not _mapping(self.told_file.get("error"))
        every = [one for one in _list(self.told_containers.get("found")) if isinstance(one, Mapping)]
        self.oneoffs = [one for one in every if one.get("oneoff") is True]
        self.all = [one for one in every if one.get("oneoff") is not True]
        self.strangers = [one for one in self.all if self.file_known and _service(one) not in self.file_services]
        self.by_service: dict[str, list[Container]] = {}
        for one in self.all:
            if not self.file_known or _service(one) in self.file_services:
                self.by_service.setdefault(_service(one), []).append(one)
        self.names = sorted(set(self.by_service) | (set(self.file_services) if self.file_known else set()))
        after = [name for one in self.file_services.values() for name in _list(one.get("after"))]
        after += [name for one in self.all for name in _list(one.get("after"))]
        self.jobs = {str(name) for name in [*after, *jobs]}
        self.running = self.wanted = 0

    def engine(self) -> bool:
        """Whether the engine answered."""
        error = _mapping(self.told_engine.get("error"))
        address = _text(self.told_engine.get("address")) or "the engine"
        if not error:
            self._report(checks.ENGINE, self.target, f"the engine at {address} answers", OK)
            return True
        kind, text = _text(error.get("kind")), _text(error.get("text"))
        evidence = {"address": address, "error": text, "reason": kind}
        if kind == "refused":
            how = "it breaks off connections" if "breaks off" in text else "nothing listens there"
            title = f"the container engine at {address} does not serve: {how}"
            self._report(checks.ENGINE, self.target, title, CRITICAL, evidence=evidence)
        else:
            said = {
                "timeout": f"the container engine at {address} does not answer",
                "denied": f"the container engine at {address} may not be asked by this account",
                "garbage": f"what answers at {address} is no container engine",
            }.get(kind, f"the container engine at {address} cannot be asked")
            remedy = (
                "let the account that looks read the socket (group docker), or set become" if kind == "denied" else None
            )
            self.judge.unknown(checks.ENGINE, self.target, said, evidence, remedy)
        self.judge.unseen_rest(f"no look at the engine: {text}")
        return False

    def file(self) -> None:
        """Whether the file could be read; what hangs on it is not seen else."""
        error = _mapping(self.told_file.get("error"))
        if self.told_file.get("asked") is not True:
            # Without project_src nobody asks what the file says.
            for check in (checks.FILE, checks.CONFIG_DRIFT, checks.ORPHANS):
                self.judge.looked(check, 0)
            return
        if not error:
            self._report(checks.FILE, self.target, f"the file of {self.name} is sound", OK)
            return
        kind, text = _text(error.get("kind")), _text(error.get("text"))
        if kind == "invalid":
            self._report(
                checks.FILE, self.target, f"Compose cannot read the file of {self.name}", evidence={"error": text}
            )
        else:
            self.judge.unseen(checks.FILE, text)
        for check in (checks.CONFIG_DRIFT, checks.ORPHANS):
            self.judge.unseen(check, f"the project's file was not read: {text}")

    def containers_seen(self) -> bool:
        """Whether there is something to judge service by service."""
        error = _mapping(self.told_containers.get("error"))
        if error and not self.all:
            self.judge.unseen_rest("the containers were not seen: {}".format(_text(error.get("text"))))
            return False
        if error:
            for check in (checks.SERVICE, checks.HEALTH, checks.EXITED, checks.OOM_KILLED, checks.RESTARTS):
                self.judge.unseen(check, "not all containers were seen: {}".format(_text(error.get("text"))))
        wanted = [name for name in self.names if self._wanted(name)]
        if self.all or (self.file_known and not wanted):
            return True
        title = f"project {self.name} has no container: it was never started, or is gone"
        self._report(
            checks.SERVICE,
            self.target,
            title,
            CRITICAL,
            value=0,
            evidence={"project": self.name, "services": wanted[:50]},
            remedy="docker compose up -d; is the name of the project right?",
        )
        self.judge.unseen_rest("the project has no container")
        self.judge.facts = self.facts()
        return False

    def services(self) -> None:
        """State, exits, restarts and health, service by service."""
        for name in self.names:
            found = self.by_service.get(name, [])
            told = [
                self._oom_killed(name, found),
                self._exited(name, found),
                self._restarts(name, found),
            ]
            self._health(name, found)
            self._service(name, found, {one for group in told for one in group})
        for check in (checks.OOM_KILLED, checks.EXITED, checks.RESTARTS, checks.HEALTH, checks.SERVICE):
            self.judge.looked(check, 0)

    def _report(
        self,
        check: str,
        obj: str,
        title: str,
        status: str | None = None,
        value: float | None = None,
        evidence: Mapping[str, Any] | None = None,
        remedy: str | None = None,
    ) -> None:
        self.judge.report(check, obj, title, status, value, evidence, self._remedy(check, remedy))

    def _value(self, check: str, obj: str, value: float, title: str, evidence: Mapping[str, Any]) -> str:
        return self.judge.value(check, obj, value, title, evidence, self._remedy(check))

    def _remedy(self, check: str, remedy: str | None = None) -> str:
        """With the name of the project, so that it works in any folder."""
        name = shlex.quote(self.name)
        return (remedy or self.judge.checks[check].remedy).replace("docker compose ", f"docker compose -p {name} ")

    def _object(self, name: str) -> str:
        return f"{self.target}/{name}"

    def _wanted(self, name: str) -> int:
        """Replicas that must run. Without the file: those that are there, running or not."""
        if not self.file_known:
            return len(self.by_service.get(name, ()))
        one = self.file_services.get(name, {})
        if _list(one.get("profiles")) and name not in self.by_service:
            return 0
        return _count(one.get("replicas"), 1)

    def _oom_killed(self, name: str, found: Sequence[Container]) -> list[str]:
        killed = [one for one in found if one.get("oom_killed") is True]
        if not killed:
            self.judge.looked(checks.OOM_KILLED, 1 if found else 0)
            return []
        gone = [one for one in killed if not _runs(one)]
        one = (gone or killed)[0]
        limit = _number(one.get("memory"))
        title = f"{name} was killed{self._ago(one) if gone else ''} for its memory"
        if limit:
            title += f" (limit {words.size(limit)})"
        title += "" if gone else ", and runs again"
        evidence = {**self._evidence(one), **({"memory_limit_bytes": int(limit)} if limit else {})}
        self._report(checks.OOM_KILLED, self._object(name), title, CRITICAL if gone else WARNING, evidence=evidence)
        return [_text(one.get("name")) for one in gone]

    def _exited(self, name: str, found: Sequence[Container]) -> list[str]:
        failed = [one for one in found if _failed(one) and one.get("oom_killed") is not True]
        if not failed:
            self.judge.looked(checks.EXITED, 1 if found else 0)
            return []
        one = failed[0]
        code, error = _count(one.get("exit_code"), 0), _text(one.get("error"))
        if error:
            title = f"{name} could not be started: {error[:160]}"
        else:
            meaning = f", {_CODES[code]}" if code in _CODES else ""
            title = f"{name} ended{self._ago(one)} with exit code {code}{meaning}"
        if len(failed) > 1:
            title += f" ({len(failed)} containers)"
        others = any(_runs(each) for each in found)
        self._report(
            checks.EXITED, self._object(name), title, WARNING if others else CRITICAL, evidence=self._evidence(one)
        )
        return [_text(each.get("name")) for each in failed]

    def _restarts(self, name: str, found: Sequence[Container]) -> list[str]:
        worst: Container | None = None
        looping = []
        for one in found:
            if one.get("restarting") is not True and not (self._fresh(one) and _number(one.get("restarts")) > 0):
                continue
            if worst is None or _number(one.get("restarts")) > _number(worst.get("restarts")):
                worst = one
            if one.get("restarting") is True and one.get("oom_killed") is not True:
                looping.append(_text(one.get("name")))
        if worst is None:
            self.judge.looked(checks.RESTARTS, 1 if found else 0)
            return []
        count = int(_number(worst.get("restarts")))
        code = _count(worst.get("exit_code"), 0)
        title = f"{name} was started again {words.count(count, 'time', 'times')}"
        if worst.get("restarting") is True:
            title = f"{name} is restarting (exit {code}, {words.count(count, 'restart', 'restarts')})"
        status = self._value(checks.RESTARTS, self._object(name), count, title, self._evidence(worst))
        return looping if status != OK else []

    def _health(self, name: str, found: Sequence[Container]) -> None:
        probed = [one for one in found if _runs(one) and _mapping(one.get("health"))]
        silent = [one for one in probed if self._not_probed(one) is not None]
        if silent:
            self._report(
                checks.HEALTH,
                self._object(name),
                "the health of {} is not known: its last probe was {} ago, one every {} is wanted".format(
                    name,
                    words.age(self._not_probed(silent[0]) or 0.0),
                    words.age(_number(_mapping(silent[0].get("health")).get("interval_s"))),
                ),
                UNKNOWN,
                evidence={
                    **self._evidence(silent[0]),
                    "last_status": _text(_mapping(silent[0].get("health")).get("status")),
                    "last_probe": _text(_mapping(silent[0].get("health")).get("probed")) or None,
                },
                # An engine that was restarted with live-restore keeps the containers and their last known health.
                remedy="docker compose restart {name}: an engine that was restarted itself may not go on probing",
            )
            return
        ill = [one for one in probed if _mapping(one.get("health")).get("status") == "unhealthy"]
        if not ill:
            self.judge.looked(checks.HEALTH, 1 if probed else 0)
            return
        one, health = ill[0], _mapping(ill[0].get("health"))
        title = f"{name} is unhealthy"
        if len(found) > 1:
            title += f" in {len(ill)} of {words.count(len(found), 'container')}"
        failures = int(_number(health.get("failures")))
        if failures:
            title += f": {words.count(failures, 'failed probe')} in a row"
        said = _text(health.get("output")).strip().splitlines()
        if said:
            title += f" ({said[-1][:120]})"
        evidence = {
            **self._evidence(one),
            "probe_exit_code": health.get("exit_code"),
            "probe_output": _text(health.get("output")),
        }
        status = CRITICAL if len(ill) == sum(1 for each in found if _runs(each)) else WARNING
        self._report(checks.HEALTH, self._object(name), title, status, value=len(ill), evidence=evidence)

    def _not_probed(self, one: Container) -> float | None:
        """Seconds since the last probe, where it should have been followed by others long ago."""
        health = _mapping(one.get("health"))
        since = seconds_between(health.get("probed") or one.get("started"), self.now)
        late = _LATE * (_number(health.get("interval_s")) + _number(health.get("timeout_s")))
        if not health.get("probed"):
            late += _number(health.get("start_period_s"))
        return since if since is not None and late > 0 and since > late else None

    def _service(self, name: str, found: Sequence[Container], told: set[str]) -> None:
        """Replicas that are missing, without those that another check tells of."""
        wanted = self._wanted(name)
        running = sum(1 for one in found if _runs(one))
        done = [one for one in found if name in self.jobs and _ended(one) and not _failed(one)]
        self.running += min(running + len(done), wanted)
        self.wanted += wanted
        missing = wanted - running - len(done) - len(told)
        if missing <= 0:
            self.judge.looked(checks.SERVICE, 1 if wanted else 0)
            return
        away = [one for one in found if not _runs(one) and _text(one.get("name")) not in told and one not in done]
        reasons = sorted({self._why(one) for one in away})
        lost = missing - len(away)
        if lost > 0:
            reasons.append(f"{lost} without a container" if found else "it has no container")
        title = f"{name} does not run" if wanted == 1 else f"{name} runs {running} of {wanted} replicas"
        evidence: dict[str, Any] = {"project": self.name, "wanted": wanted, "running": running}
        remedy = None
        if away:
            evidence.update(self._evidence(away[0]))
            if _text(away[0].get("status")) == "paused":
                remedy = "docker compose unpause {name}"
            elif _ended(away[0]) and _text(away[0].get("policy")) not in _KEEPS_RUNNING:
                remedy = "docker compose up -d {name}; a service that is meant to end is named in jobs"
        self._report(
            checks.SERVICE,
            self._object(name),
            f"{title}: {', '.join(reasons)}",
            CRITICAL if running == 0 else WARNING,
            value=running,
            evidence=evidence,
            remedy=remedy,
        )

    def _why(self, one: Container) -> str:
        status = _text(one.get("status"))
        if _ended(one):
            how = "stopped" if _text(one.get("policy")) in _KEEPS_RUNNING else "ended"
            return f"{how}{self._ago(one)} (exit {_count(one.get('exit_code'), 0)})"
        return {"created": "made and never started", "paused": "paused"}.get(status, status or "in no known state")

    def drift(self) -> None:
        """Image and configuration that run against those that the file and the tags say now."""
        unseen_images = _mapping(self.told_images.get("error"))
        ids = _mapping(self.told_images.get("found"))
        comparable = others = 0
        for name in self.names:
            found = self.by_service.get(name, [])
            if not found:
                continue
            drifted = self._image_drift(name, found, ids)
            version = _text(self.told_file.get("version"))
            wanted = _text(self.file_services.get(name, {}).get("hash"))
            if not self.file_known or not wanted:
                continue
            same = [one for one in found if _text(one.get("compose")) == version]
            others += len(found) - len(same)
            comparable += len(same)
            old = [one for one in same if _text(one.get("hash")) != wanted]
            if not old or drifted:
                self.judge.looked(checks.CONFIG_DRIFT, 1 if same else 0)
                continue
            title = f"{name} was made of another state of the file than the present one"
            evidence = {**self._evidence(old[0], log=False), "hash": _text(old[0].get("hash")), "file_hash": wanted}
            self._report(checks.CONFIG_DRIFT, self._object(name), title, evidence=evidence)
        if self.file_known:
            if others and not comparable:
                self.judge.unseen(
                    checks.CONFIG_DRIFT,
                    "the containers were made by another version of Compose than {}, which hashes the file its own "
                    "way".format(_text(self.told_file.get("version")) or "?"),
                )
            self.judge.looked(checks.CONFIG_DRIFT, 0)
        if unseen_images:
            self.judge.unseen(
                checks.IMAGE_DRIFT, "the images were not seen: {}".format(_text(unseen_images.get("text")))
            )
        self.judge.looked(checks.IMAGE_DRIFT, 0)

    def _image_drift(self, name: str, found: Sequence[Container], ids: Mapping[str, Any]) -> bool:
        wanted = _text(self.file_services.get(name, {}).get("image")) if self.file_known else ""
        for one in found:
            image = _mapping(one.get("image"))
            runs, runs_id = _text(image.get("name")), _text(image.get("id"))
            now = _text(ids.get(runs))
            evidence = {**self._evidence(one, log=False), "image": runs, "image_id": runs_id}
            if wanted and runs and wanted != runs:
                title = f"{name} runs the image {runs}, the file says {wanted}"
                evidence["file_image"] = wanted
            elif now and runs_id and now != runs_id:
                title = f"{name} runs an older image: the tag {runs} names another one now"
                evidence["tag_image_id"] = now
            else:
                continue
            self._report(checks.IMAGE_DRIFT, self._object(name), title, evidence=evidence)
            return True
        self.judge.looked(checks.IMAGE_DRIFT)
        return False

    def orphans(self) -> None:
        """Containers that the file does not know, and what `docker compose run` left behind."""
        if not self.file_known:
            return
        self.judge.looked(checks.ORPHANS, len(self.all) - len(self.strangers))
        for one in self.strangers:
            title = "{} is of no service that the file knows ({}, {})".format(
                _text(one.get("name")), _service(one) or "no service", _text(one.get("status"))
            )
            self._orphan(one, title)
        for one in self.oneoffs:
            if _ended(one):
                title = "{} was left behind by docker compose run{}".format(_text(one.get("name")), self._ago(one))
                self._orphan(one, title)
            else:
                self.judge.looked(checks.ORPHANS)

    def _orphan(self, one: Container, title: str) -> None:
        obj = self._object(_text(one.get("name")) or _text(one.get("id")) or "?")
        self._report(checks.ORPHANS, obj, title, evidence=self._evidence(one, log=False))

    def volumes(self) -> None:
        """Volumes that are missing, that nothing uses, that are too large."""
        error = _mapping(self.told_volumes.get("error"))
        if error:
            for check in (checks.VOLUMES, checks.VOLUME_SIZE):
                self.judge.unseen(check, "the volumes were not seen: {}".format(_text(error.get("text"))))
            return
        found = {
            _text(one.get("name")): one for one in _list(self.told_volumes.get("found")) if isinstance(one, Mapping)
        }
        mounted = {str(name) for one in [*self.all, *self.oneoffs] for name in _list(one.get("volumes"))}
        declared = {}
        if self.file_known:
            for key, one in _mapping(self.told_file.get("volumes")).items():
                declared[_text(_mapping(one).get("name")) or str(key)] = _mapping(one)
        for name in sorted(set(declared) - set(found)):
            external = ", which is made outside of the project," if declared[name].get("external") is True else ""
            self._report(
                checks.VOLUMES,
                self._object(name),
                f"volume {name}{external} is not there",
                # Compose makes its own anew, and empty; without one that is made outside nothing starts.
                CRITICAL if external else WARNING,
                evidence={"project": self.name, "external": declared[name].get("external") is True},
                remedy="docker volume ls; restore its data before docker compose up makes an empty one",
            )
        for name, one in found.items():
            if name in mounted or name in declared or not name:
                self.judge.looked(checks.VOLUMES, 1 if name else 0)
            else:
                created = _text(one.get("created"))
                self._report(
                    checks.VOLUMES,
                    self._object(name),
                    f"volume {name} of the project is used by no container",
                    evidence={"created": created, "driver": _text(one.get("driver")), "bytes": one.get("bytes")},
                    remedy="docker volume rm {name}, when its data are needed no more",
                )
            size = one.get("bytes")
            if name and isinstance(size, (int, float)) and not isinstance(size, bool):
                self._value(
                    checks.VOLUME_SIZE,
                    self._object(name),
                    round(_number(size) / _GIB, 3),
                    f"volume {name} holds {words.size(_number(size))}",
                    {"bytes": _number(size)},
                )
        trouble = _mapping(self.told_volumes.get("size_error"))
        if trouble:
            self.judge.unseen(
                checks.VOLUME_SIZE, "the sizes of volumes were not seen: {}".format(_text(trouble.get("text")))
            )
        # Also where nobody asked for the sizes: without volume_sizes the engine is not made to add them up.
        self.judge.looked(checks.VOLUME_SIZE, 0)
        self.judge.looked(checks.VOLUMES, 0)

    def logs(self) -> None:
        """Sizes of the log files, and whether they have a limit."""
        unsized = ""
        sized = False
        for name in sorted(self.by_service):
            most: tuple[float, Container] | None = None
            unlimited = None
            for one in self.by_service[name]:
                log = _mapping(one.get("log"))
                size = log.get("bytes")
                if isinstance(size, (int, float)) and not isinstance(size, bool):
                    if most is None or _number(size) > most[0]:
                        most = (_number(size), one)
                elif log.get("error"):
                    unsized = _text(log.get("error"))
                if _text(log.get("driver")) == "json-file" and _text(log.get("max_size")) in ("", "-1"):
                    unlimited = unlimited or one
            if unlimited is not None:
                title = f"the log of {name} has no limit: json-file without max-size"
                self._report(checks.LOG_LIMIT, self._object(name), title, evidence=self._evidence(unlimited, log=False))
            else:
                self.judge.looked(checks.LOG_LIMIT)
            if most is not None:
                sized = True
                self._value(
                    checks.LOG_SIZE,
                    self._object(name),
                    round(most[0] / _MIB, 1),
                    f"the log of {name} takes {words.size(most[0])}",
                    {**self._evidence(most[1], log=False), "bytes": most[0]},
                )
        if unsized and not sized:
            self.judge.unseen(checks.LOG_SIZE, unsized)
        self.judge.looked(checks.LOG_SIZE, 0)
        self.judge.looked(checks.LOG_LIMIT, 0)

    def facts(self) -> dict[str, Any]:
        """Headline numbers."""
        return {
            "project": self.name,
            "engine_version": _text(self.told_engine.get("version")),
            "services": len(self.names),
            "containers": len(self.all),
            "replicas_running": self.running,
            "replicas_wanted": self.wanted,
        }

    def _fresh(self, one: Container) -> bool:
        """Whether it was started so lately that its restarts are of now."""
        age = seconds_between(one.get("started"), self.now)
        return _runs(one) and age is not None and age < RECENT

    def _ago(self, one: Container) -> str:
        seconds = seconds_between(one.get("finished"), self.now)
        return f" {words.age(seconds)} ago" if seconds is not None and seconds >= 1 else ""

    def _evidence(self, one: Container, log: bool = True) -> dict[str, Any]:
        found = {
            "project": self.name,
            "service": _service(one),
            "container": _text(one.get("name")),
            "state": _text(one.get("status")),
            "exit_code": one.get("exit_code") if not _runs(one) else None,
            "error": _text(one.get("error")) or None,
            "restarts": one.get("restarts") or None,
            "restart_policy": _text(one.get("policy")),
            "image": _text(_mapping(one.get("image")).get("name")),
            "started": one.get("started"),
            "finished": one.get("finished") if not _runs(one) else None,
        }
        if log:
            found["last_lines"] = [_text(line) for line in _list(one.get("last_lines"))][-20:] or None
        return {key: _plain(value) for key, value in found.items() if value is not None}


def _runs(one: Container) -> bool:
    return _text(one.get("status")) == "running" and one.get("restarting") is not True


def _ended(one: Container) -> bool:
    return _text(one.get("status")) in ("exited", "dead")


def _failed(one: Container) -> bool:
    """Ended with an error of its own, or not started for one.

    The engine starts again what its policy keeps running, so that such a container that has ended was stopped by
    somebody, whatever its exit code is.
    """
    if _text(one.get("error")) and not _runs(one) and one.get("restarting") is not True:
        return True
    return _ended(one) and _count(one.get("exit_code"), 0) != 0 and _text(one.get("policy")) not in _KEEPS_RUNNING


def _service(one: Container) -> str:
    return _text(one.get("service"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    """A number that can be reckoned with; 0 for all else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0.0
    try:
        number = float(value)
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _count(value: Any, default: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 10**9:
        return default
    return value


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
