# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about a project: healthy, ill in every way, half seen, and not seen."""

from __future__ import annotations

from typing import Any

import pytest
from compose_projects import BY_ID, Project


def test_the_healthy_lab_is_silent() -> None:
    result = Project().judge()
    assert result["findings"] == []
    assert all(row["seen"] for row in result["coverage"])
    assert {row["check"] for row in result["coverage"]} == set(BY_ID)
    assert result["facts"] == {
        "project": "nexus-cos",
        "engine_version": "20.10.24+dfsg1",
        "services": 5,
        "containers": 6,
        "replicas_running": 6,
        "replicas_wanted": 6,
    }


def test_the_ill_lab_says_each_thing_once() -> None:
    assert Project("ill").says() == [
        ("config_drift", "cache", "warning"),
        ("exited", "importer", "critical"),
        ("health", "streaming-service-v2", "critical"),
        ("image_drift", "auth-service", "warning"),
        ("log_limit", "chatty", "warning"),
        ("log_size", "auth-service", "warning"),
        ("oom_killed", "encoder", "critical"),
        ("orphans", "nexus-cos-legacy-api-1", "warning"),
        ("restarts", "mailer", "critical"),
        ("service", "backend-api", "critical"),
        ("volumes", "nexus-cos-media", "critical"),
        ("volumes", "nexus-cos_old-data", "warning"),
    ]


def test_an_exit_shows_its_code_and_the_last_lines() -> None:
    (found,) = [one for one in Project("ill").judge()["findings"] if one["check"] == "compose.exited"]
    assert "exit code 4" in found["title"]
    assert found["evidence"]["exit_code"] == 4
    assert "nexus:[redacted]@db1" in found["evidence"]["last_lines"][0]
    assert found["remedy"] == "docker compose -p nexus-cos logs --tail=100 importer"


# --- state ------------------------------------------------------------------------------------------------------------


def test_a_replica_that_is_missing_is_a_warning() -> None:
    project = Project()
    project.observation["containers"]["found"].remove(project.of("backend-api")[0])
    assert project.says() == [("service", "backend-api", "warning")]
    assert project.title("service") == "backend-api runs 1 of 2 replicas: 1 without a container"
    assert project.judge()["facts"]["replicas_running"] == 5


def test_a_service_without_a_container_does_not_run() -> None:
    project = Project()
    project.remove("streaming-service-v2")
    assert project.says() == [("service", "streaming-service-v2", "critical")]
    assert project.title("service") == "streaming-service-v2 does not run: it has no container"
    # without the file nobody could know
    assert project.without_file().says() == []


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"status": "paused"}, "paused"),
        ({"status": "created"}, "made and never started"),
        ({"status": "exited", "exit_code": 137}, "stopped"),
        ({"status": "dead", "exit_code": 1}, "stopped"),
        ({"status": "removing"}, "removing"),
        ({"status": ""}, "no known state"),
    ],
)
def test_states_that_do_not_run(state: dict[str, Any], words: str) -> None:
    project = Project()
    project.of("cache")[0].update(state)
    assert project.says() == [("service", "cache", "critical")]
    assert words in project.title("service")
    assert project.without_file().says() == [("service", "cache", "critical")]


def test_a_job_may_end_and_must_end_well() -> None:
    project = Project()
    assert project.of("migrate")[0]["status"] == "exited"
    assert project.says() == []
    project.of("migrate")[0]["exit_code"] = 3
    assert project.says() == [("exited", "migrate", "critical")]
    # what the labels say is enough
    assert project.without_file().says() == [("exited", "migrate", "critical")]


def test_what_is_not_known_for_a_job_must_run() -> None:
    project = Project()
    project.of("cache")[0].update(status="exited", exit_code=0, policy="no")
    (found,) = project.judge()["findings"]
    assert (found["check"], found["status"]) == ("compose.service", "critical")
    assert "jobs" in found["remedy"]
    assert project.says(jobs=("cache",)) == []


def test_a_profile_that_is_not_used_is_not_missed() -> None:
    project = Project()
    project.observation["file"]["services"]["nightly"] = {"profiles": ["nightly"], "replicas": 1}
    project.observation["file"]["services"]["off"] = {"profiles": [], "replicas": 0}
    assert project.says() == []


def test_a_container_that_could_not_be_started() -> None:
    project = Project()
    project.of("cache")[0].update(status="created", exit_code=128, error="port is already allocated")
    assert project.says() == [("exited", "cache", "critical")]
    assert project.title("exited") == "cache could not be started: port is already allocated"


@pytest.mark.parametrize(
    ("code", "words"),
    [(137, "killed"), (139, "segmentation fault"), (127, "not in the image"), (9, "with exit code 9")],
)
def test_exit_codes_are_explained(code: int, words: str) -> None:
    project = Project()
    project.of("cache")[0].update(status="exited", exit_code=code, policy="on-failure")
    assert words in project.title("exited")


def test_one_of_two_that_ended_is_a_warning() -> None:
    project = Project()
    project.of("backend-api")[0].update(status="exited", exit_code=1, policy="no")
    assert project.says() == [("exited", "backend-api", "warning")]


def test_killed_for_memory_and_running_again_is_a_warning() -> None:
    project = Project()
    project.of("cache")[0].update(oom_killed=True, memory=64 * 1024**2)
    assert project.says() == [("oom_killed", "cache", "warning")]
    assert project.title("oom_killed") == "cache was killed for its memory (limit 64 MiB), and runs again"


@pytest.mark.parametrize(("restarts", "status"), [(0, None), (1, "warning"), (3, "warning"), (4, "critical")])
def test_restarts_count_while_they_are_fresh(restarts: int, status: str | None) -> None:
    project = Project()
    one, now = project.of("cache")[0], project.observation["engine"]["now"]
    one.update(restarts=restarts, started=now)
    assert project.says() == ([("restarts", "cache", status)] if status else [])
    one["started"] = "2026-11-01T00:00:00.000000001Z"
    assert project.says() == []


def test_what_restarts_right_now_is_told_by_its_restarts_alone() -> None:
    project = Project()
    project.of("cache")[0].update(restarts=9, restarting=True, status="restarting", exit_code=2)
    assert project.says() == [("restarts", "cache", "critical")]
    assert project.title("restarts") == "cache is restarting (exit 2, 9 restarts)"
    # ... unless the inventory does not mind restarts: then it still does not run
    calm = {"compose.restarts": {"enabled": False}}
    assert project.says(thresholds=calm) == [("service", "cache", "critical")]


def test_health_of_some_or_all_replicas() -> None:
    project = Project()
    one, two = project.of("backend-api")
    one["health"].update(status="unhealthy", failures=4, output="HTTP 500\nlast words")
    assert project.says() == [("health", "backend-api", "warning")]
    assert project.title("health") == (
        "backend-api is unhealthy in 1 of 2 containers: 4 failed probes in a row (last words)"
    )
    two["health"]["status"] = "unhealthy"
    assert project.says() == [("health", "backend-api", "critical")]


def test_health_that_nobody_probes_any_more_is_not_known() -> None:
    project = Project()
    project.of("cache")[0]["health"]["probed"] = "2026-11-29T00:00:00Z"
    assert project.says() == [("health", "cache", "unknown")]
    assert "its last probe was" in project.title("health")
    # the first probe may wait for the start period
    one = project.of("cache")[0]
    one["health"].update(probed=None, status="starting", start_period_s=86400.0 * 365)
    assert project.says() == []
    one["health"]["start_period_s"] = 0.0
    one["started"] = "2026-11-01T00:00:00Z"
    assert project.says() == [("health", "cache", "unknown")]


# --- drift, orphans, volumes, logs ------------------------------------------------------------------------------------


def test_an_image_that_the_file_does_not_name_any_more() -> None:
    project = Project()
    service = project.observation["file"]["services"]["cache"]
    service.update(image="nexus-cos/redis:8.0", hash="other")
    # the image is a part of the hash: it is told once
    assert project.says() == [("image_drift", "cache", "warning")]
    assert "the file says nexus-cos/redis:8.0" in project.title("image_drift")


def test_a_tag_that_is_gone_is_no_drift() -> None:
    project = Project()
    project.observation["images"]["found"] = dict.fromkeys(project.observation["images"]["found"], "")
    assert project.says() == []


def test_hashes_of_another_compose_are_not_compared() -> None:
    project = Project()
    for one in project.observation["containers"]["found"]:
        one.update(compose="2.29.0", hash="other")
    assert project.says() == []
    assert project.unseen() == {"config_drift"}


def test_what_docker_compose_run_left_behind() -> None:
    project = Project()
    left = {
        **project.of("cache")[0],
        "name": "nexus-cos-cache-run-1",
        "oneoff": True,
        "status": "exited",
        "exit_code": 0,
    }
    project.observation["containers"]["found"].append(left)
    assert project.says() == [("orphans", "nexus-cos-cache-run-1", "warning")]
    left["status"] = "running"
    assert project.says() == []


def test_volumes() -> None:
    project = Project()
    project.observation["volumes"]["found"] = []
    assert project.says() == [("volumes", "nexus-cos_cache-data", "warning")]
    project.observation["file"]["volumes"]["cache-data"]["external"] = True
    assert project.says() == [("volumes", "nexus-cos_cache-data", "critical")]


def test_the_size_of_a_volume_has_lines() -> None:
    project = Project()
    project.observation["volumes"]["found"][0]["bytes"] = 20 * 1024**3
    assert project.says() == [("volume_size", "nexus-cos_cache-data", "warning")]
    assert project.title("volume_size") == "volume nexus-cos_cache-data holds 20 GiB"
    lines = {"compose.volume_size": {"target": 30}}
    assert project.says(thresholds=lines) == []


def test_sizes_that_were_not_told_are_not_seen() -> None:
    project = Project()
    project.observation["volumes"]["size_error"] = {"kind": "timeout", "text": "too slow"}
    assert project.unseen() == {"volume_size"}
    for one in project.observation["containers"]["found"]:
        one["log"].update(bytes=None, error="another machine")
    assert project.unseen() == {"volume_size", "log_size"}


def test_logs_of_other_drivers_have_no_file() -> None:
    project = Project()
    for one in project.observation["containers"]["found"]:
        one["log"] = {"driver": "journald", "max_size": "", "bytes": None, "error": None}
    assert project.says() == []
    assert project.unseen() == set()


# --- half seen and not seen -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("refused", "critical", "does not serve: nothing listens there"),
        ("timeout", "unknown", "does not answer"),
        ("denied", "unknown", "may not be asked by this account"),
        ("garbage", "unknown", "no container engine"),
        ("tls", "unknown", "cannot be asked"),
        ("", "unknown", "cannot be asked"),
    ],
)
def test_an_engine_that_does_not_answer_is_one_finding(kind: str, status: str, words: str) -> None:
    project = Project()
    project.observation["engine"]["error"] = {"kind": kind, "text": "why"}
    assert project.says() == [("engine", "", status)]
    assert words in project.title("engine")
    assert len(project.unseen()) == len(BY_ID) - 1
    assert project.judge()["coverage"][-1]["reason"] == "no look at the engine: why"


def test_a_file_that_compose_refuses() -> None:
    project = Project()
    project.observation["file"].update(error={"kind": "invalid", "text": "yaml: line 3"}, services={}, volumes={})
    assert project.says() == [("file", "", "warning")]
    assert project.unseen() == {"config_drift", "orphans"}


def test_no_compose_to_read_the_file_with() -> None:
    project = Project()
    project.observation["file"].update(error={"kind": "cli", "text": "no such program"}, services={}, volumes={})
    assert project.says() == []
    assert project.unseen() == {"file", "config_drift", "orphans"}


def test_without_a_folder_nobody_asks() -> None:
    project = Project().without_file()
    assert project.says() == []
    assert project.unseen() == set()


def test_a_project_without_any_container_is_one_finding() -> None:
    project = Project()
    project.observation["containers"]["found"] = []
    assert project.says() == [("service", "", "critical")]
    assert project.without_file().says() == [("service", "", "critical")]
    assert "docker compose -p nexus-cos up -d" in project.judge()["findings"][0]["remedy"]


def test_containers_that_were_not_seen() -> None:
    project = Project()
    project.observation["containers"].update(found=[], error={"kind": "timeout", "text": "slow"})
    assert project.says() == []
    assert len(project.unseen()) == len(BY_ID) - 2


def test_some_containers_that_were_not_seen() -> None:
    project = Project()
    project.observation["containers"]["error"] = {"kind": "timeout", "text": "slow"}
    assert project.unseen() == {"service", "health", "exited", "oom_killed", "restarts"}


def test_what_the_engine_stopped_to_tell() -> None:
    project = Project()
    for part in ("images", "volumes"):
        project.observation[part].update(found={} if part == "images" else [], error={"kind": "timeout", "text": "x"})
    assert project.unseen() == {"image_drift", "volumes", "volume_size"}
