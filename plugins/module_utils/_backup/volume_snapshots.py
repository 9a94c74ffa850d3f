# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make snapshots of volume claims, wait until each is ready to use, and leave nothing that is not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._core.argspec import ArgSpec
from .._core.errors import OpsError, OptionError
from .._k8s.read import text
from . import layout, retention, volume_claims, volume_thin, volume_told
from .k8s_api import Api, ApiError
from .scratch_postgres import ends_cleanly
from .volume_claims import SNAPSHOT, Claim, refused
from .volume_snapshot import SYSTEM, Snapshot, check_system, content_of, name_of, waits_for, wanted
from .volume_thin import delete
from .volume_told import Job

DEADLINE = 600.0
# A controller notes an error and tries again; two writers that met are an error of a moment.
ERROR_LASTS_S = 8.0
CLEAN_S = 30.0
_ASK_EVERY, _ASK_AT_LEAST_EVERY = 0.5, 3.0


class NotAll(OpsError):
    """Some snapshots are not there.

    :ivar result: what the module returns beside the message: what is there all the same.
    """

    def __init__(self, words: str, result: dict[str, Any]) -> None:
        super().__init__(words)
        self.result = result


def spec() -> ArgSpec:
    """The options of the module but those of the connection."""
    return ArgSpec(
        {
            "state": {"type": "str", "default": "present", "choices": ["present", "restored"]},
            "system": {"type": "str", "required": True},
            "claims": {"type": "list", "elements": "str", "default": []},
            "label_selector": {"type": "str", "default": ""},
            "snapshot_class": {"type": "str", "default": ""},
            "skip_unable": {"type": "bool", "default": False},
            "stamp": {"type": "str", "default": ""},
            "labels": {"type": "dict", "default": {}},
            "annotations": {"type": "dict", "default": {}},
            "keep": {"type": "dict", "default": {}},
            "suffix": {"type": "str", "default": "-restored"},
            "deadline": {"type": "float", "default": DEADLINE},
        }
    )


def run(
    params: Mapping[str, Any], check_mode: bool, connect: Callable[[Mapping[str, Any], float], Api] = Api,
    now: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Make them, or say what would be made and what would go.

    :raises OpsError: nothing was made; NotAll: not all are ready. What is ready stays, what is not has been removed.
    """
    system, rule = _check(params)
    now = time.time() if now is None else now
    stamp = str(params["stamp"]) or layout.stamp()
    api = connect(params, time.monotonic() + float(params["deadline"]))
    volume_claims.served(api)
    claims, skipped = volume_claims.choose(api, params)
    before = ours(api, system, volume_claims.spread(claims))
    work = Work(api, params, system, stamp, now, claims, before)
    if check_mode:
        work.plan()
    else:
        with ends_cleanly("the snapshots that were not ready are removed, those that were ready stay"):
            work.make()
    pruned, trouble = work.prune(rule, check_mode) if rule else ([], "")
    result = work.told(skipped, pruned, check_mode)
    if trouble:
        result["msg"] += f"; old ones were not thinned out: {trouble}"
    if trouble or any(job.why for job in work.jobs):
        raise NotAll(result["msg"], result)
    return result


def ours(api: Api, system: str, namespaces: Iterable[str]) -> list[Snapshot]:
    """The snapshots of a system, in some namespaces; one of none is of the whole cluster."""
    found = []
    for namespace in namespaces:
        try:
            listed = [doc for doc, _about in api.pages(SNAPSHOT, namespace, f"{SYSTEM}={system}") if doc]
        except ApiError as error:
            where = f"in {namespace}" if namespace else "in the cluster"
            raise refused(error, f"list volumesnapshots {where}") from None
        found += [Snapshot(doc) for doc in listed]
    return [one for one in found if one.system == system]


class Work:
    """The snapshots of one run.

    :param now: seconds since 1970; before: the snapshots of the system that were there.
    """

    def __init__(
        self, api: Api, params: Mapping[str, Any], system: str, stamp: str, now: float, claims: Sequence[Claim],
        before: Sequence[Snapshot],
    ) -> None:  # fmt: skip
        self._api, self._params, self._system, self._stamp, self._now = api, params, system, stamp, now
        self._before = list(before)
        self._until = now + float(params["deadline"]) + CLEAN_S
        self._clock = time.monotonic()
        self.jobs = [Job(one, name_of(one.name, system, stamp), self._clock) for one in claims]
        self._trouble = ""
        self._find()
        mine = {(job.claim.namespace, job.name) for job in self.jobs}
        chosen = {(one.namespace, one.name) for one in claims}
        left = [
            one
            for one in before
            if one.left(now) and (one.namespace, one.name) not in mine and (one.namespace, one.claim) in chosen
        ]
        self.leftovers = [one for one in left if not one.going]
        self.stuck = [one.title for one in left if one.going]

    def plan(self) -> None:
        """Let the API server say of each that is missing whether it would be made."""
        for job in self.jobs:
            if job.seen is None and not job.why:
                self._post(job, dry_run=True)

    def make(self) -> None:
        """Make what is missing, wait, and remove what did not get ready.

        An end by force comes through here as well: what is not ready goes with it.
        """
        try:
            for job in self.jobs:
                job.mine = job.seen is not None and not job.done
                if job.seen is None and not job.why:
                    self._post(job)
            self._wait()
            self._contents()
        except BaseException:
            self._clean([job for job in self.jobs if job.mine and not (job.seen and job.seen.ready)])
            raise
        self._clean([job for job in self.jobs if job.mine and job.why])
        self._remove_leftovers()

    def _find(self) -> None:
        """What is there under the names that are wanted. Of an earlier run with the same stamp it is taken over."""
        there = {(one.namespace, one.name): one for one in self._before}
        for job in self.jobs:
            one = there.get((job.claim.namespace, job.name))
            if one is not None:
                job.why = self._another(job, one)
                job.seen = one

    def _another(self, job: Job, one: Snapshot) -> str:
        """Why a snapshot of the wanted name is not the wanted one; empty where it is."""
        if one.system != self._system or one.stamp != self._stamp or one.claim != job.claim.name:
            return f"a snapshot {one.title} is there already, and is not of {self._system} at {self._stamp}"
        if one.claim_uid != job.claim.uid:
            return f"{one.title} is of an earlier claim of that name, which has been made anew: choose another stamp"
        if one.going:
            return f"{one.title} is being deleted: choose another stamp"
        return ""

    def _post(self, job: Job, dry_run: bool = False) -> None:
        doc = wanted(job.claim, self._system, self._stamp, self._until, dict(self._params))
        path = SNAPSHOT.url(job.claim.namespace) + "?fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        job.began = time.monotonic()
        # Whatever comes of the request, it may have been heard.
        job.mine = not dry_run
        try:
            answer = self._api.ask("POST", path, doc)
        except ApiError as error:
            job.mine = False
            if error.status == 409:
                self._there_already(job)
            else:
                job.why = str(refused(error, f"create volumesnapshots in {job.claim.namespace}"))
            return
        if not dry_run:
            job.seen, job.made = Snapshot(answer), True

    def _there_already(self, job: Job) -> None:
        """Somebody was quicker, or the first answer was lost."""
        found = self._api.one(SNAPSHOT, job.claim.namespace, job.name)
        if found is None:
            job.why = f"the API server calls {job.name} there already, and has none of that name"
            return
        one = Snapshot(found)
        job.why = self._another(job, one)
        if not job.why:
            job.seen, job.mine = one, True

    def _wait(self) -> None:
        pause = _ASK_EVERY
        while True:
            open_jobs = [job for job in self.jobs if not job.done]
            if not open_jobs:
                return
            left = self._api.left()
            if left <= 0:
                break
            time.sleep(min(pause, left))
            pause = min(pause * 1.3, _ASK_AT_LEAST_EVERY)
            self._look(open_jobs)
        # What stands against it is asked after the deadline, too.
        self._api.extend(CLEAN_S)
        for job in [job for job in self.jobs if not job.done]:
            said = job.seen.error if job.seen else ""
            because = f"its status says: {said}" if said else waits_for(self._api, job.seen) if job.seen else ""
            asked = f" (the API server: {self._trouble})" if self._trouble else ""
            job.why = f"not ready within {self._params['deadline']:g} s: {because}{asked}"

    def _look(self, jobs: Sequence[Job]) -> None:
        """One list for each namespace in which something is waited for."""
        try:
            there = {
                (one.namespace, one.name): one
                for one in ours(self._api, self._system, sorted({job.claim.namespace for job in jobs}))
            }
        except OpsError as error:
            # An API server that starts again is waited for, as long as there is time.
            self._trouble = str(error)
            return
        self._trouble = ""
        now = time.monotonic()
        for job in jobs:
            one = there.get((job.claim.namespace, job.name))
            if one is None or (job.seen is not None and one.uid != job.seen.uid):
                job.why = "somebody has deleted it while it was made"
                job.mine = False
                continue
            job.seen = one
            if one.ready:
                job.seconds = round(now - job.began, 3)
            elif one.going:
                job.why = "somebody deletes it while it is made"
            elif one.error:
                job.erred = job.erred or now
                if now - job.erred >= ERROR_LASTS_S:
                    job.why = f"its driver or its controller refuses: {one.error}"
            else:
                job.erred = None

    def _contents(self) -> None:
        """That a snapshot is ready is believed when its content says so, too."""
        for job in self.jobs:
            if job.why or job.seen is None:
                continue
            try:
                told, wrong = content_of(self._api, job.seen)
            except OpsError:
                continue  # the snapshot itself says that it is ready
            job.handle, job.driver, job.why = told["handle"], told["driver"], wrong

    def _clean(self, jobs: Sequence[Job]) -> None:
        """Remove what did not get ready, and see that it is gone."""
        targets = [(job, job.seen.uid if job.seen else "") for job in jobs]
        if not targets:
            return
        self._api.extend(CLEAN_S)
        for job, uid in targets:
            try:
                if not uid:
                    # The answer to its making was lost: only what has our marks is ours to take.
                    found = self._api.one(SNAPSHOT, job.claim.namespace, job.name)
                    if found is None or self._another(job, Snapshot(found)):
                        continue
                    uid = text(found, "metadata", "uid")
                delete(self._api, job.claim.namespace, job.name, uid)
            except OpsError as error:
                job.kept = f"it could not be removed ({error}): kubectl -n {job.claim.namespace} delete vs {job.name}"
        until = time.monotonic() + CLEAN_S
        for job in [job for job, _uid in targets if not job.kept]:
            if not self._gone(job, until):
                job.kept = "it is being deleted, and stays until its driver has answered"
                self.stuck.append(f"{job.claim.namespace}/{job.name}")

    def _gone(self, job: Job, until: float) -> bool:
        self._api.extend(CLEAN_S)
        while True:
            with contextlib.suppress(OpsError):
                if self._api.one(SNAPSHOT, job.claim.namespace, job.name) is None:
                    return True
            if time.monotonic() >= until:
                return False
            time.sleep(_ASK_EVERY)

    def _remove_leftovers(self) -> None:
        """What a run that was killed has left, and what nobody waits for any more."""
        self._api.extend(CLEAN_S)
        for one in self.leftovers:
            delete(self._api, one.namespace, one.name, one.uid)

    def prune(self, rule: retention.Rules, check_mode: bool) -> tuple[list[dict[str, Any]], str]:
        """Thin out the snapshots of each claim that has a new one; what was done, and what it broke off at."""
        self._api.extend(CLEAN_S)
        left = {one.title for one in self.leftovers}
        known = [one for one in self._before if one.title not in left]
        thinning = volume_thin.Thinning(self._api, known, rule, self._now, check_mode)
        try:
            for job in self.jobs:
                if not job.why:
                    thinning.of(job, self._system, self._stamp)
        except OpsError as error:
            return thinning.rows, str(error)
        return thinning.rows, ""

    def told(
        self, skipped: Sequence[Mapping[str, str]], pruned: Sequence[Mapping[str, Any]], check_mode: bool
    ) -> dict[str, Any]:
        """What the module returns."""
        gone = ["%(namespace)s/%(name)s" % one for one in pruned if not one["stays"]]
        rows = [volume_told.row(job) for job in self.jobs]
        made = [job for job in self.jobs if (job.made or (check_mode and job.seen is None)) and not job.why]
        leftovers = [one.title for one in self.leftovers]
        before = sorted(one.title for one in self._before)
        after = sorted({*before, *(f"{job.claim.namespace}/{job.name}" for job in made)} - {*gone, *leftovers})
        return {
            "changed": bool(made or gone or leftovers),
            "stamp": self._stamp,
            "snapshots": rows,
            "skipped": list(skipped),
            "leftovers": leftovers,
            "stuck": self.stuck,
            "retention": list(pruned),
            "removed": gone,
            "lines": volume_told.lines(rows, skipped, pruned, check_mode),
            "msg": volume_told.message(self._system, self.jobs, len(made), len(gone), leftovers, check_mode),
            "diff": {
                "before": "".join(one + "\n" for one in before),
                "after": "".join(one + "\n" for one in after),
                "before_header": f"snapshots of {self._system}",
                "after_header": f"snapshots of {self._system}",
            },
        }


def _check(params: Mapping[str, Any]) -> tuple[str, retention.Rules | None]:
    system = check_system(str(params["system"]))
    if params["deadline"] < 0.001:
        raise OptionError(f"deadline: want more seconds, got {params['deadline']:g}")
    if params["stamp"] and not layout.is_stamp(params["stamp"]):
        raise OptionError(f"stamp: want a time in UTC such as 2026-11-29T060000Z, got {params['stamp']!r}")
    if params["claims"] and params["label_selector"]:
        raise OptionError("claims: name claims, or choose them with label_selector, not both")
    if not params["claims"] and not params["namespaces"] and not params["label_selector"]:
        raise OptionError("claims: say which, by claims, namespaces or label_selector")
    for key in ("labels", "annotations"):
        for name, value in params[key].items():
            if not isinstance(value, str):
                raise OptionError(f"{key}: {name} is a text, got {value!r}: put it in quotes")
            if name.startswith("nexuscos-ops/"):
                raise OptionError(f"{key}: {name} is set by the module")
    return system, retention.rules(params["keep"]) if params["keep"] else None
