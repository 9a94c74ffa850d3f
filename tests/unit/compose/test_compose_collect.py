# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look: what is kept, what is not, and what becomes of an engine or a Compose that does not answer."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from compose_projects import SECRET, answers, compose, inspected
from fake_engine import Answer, FakeEngine, http, serving

from ansible_collections.nexuscos.ops.plugins.module_utils._compose import client, collect, file


def source(command: list[str] | None = None, folder: str = "") -> file.Source:
    return file.Source(tuple(command or ["docker", "compose"]), folder, ("compose.yml",), ("prod.env",), "shop")


def look(fake: FakeEngine, where: file.Source | None = None, timeout: float = 20.0, **more: Any) -> dict[str, Any]:
    options = collect.Options("shop", where or source(), **more)
    with closing(client.Engine(client.address(fake.url), time.monotonic() + 30.0, timeout)) as engine:
        return collect.collect(engine, options)


def test_what_is_kept_of_a_container(tmp_path: Path) -> None:
    with serving(answers()) as fake:
        seen = look(fake, source(compose(tmp_path), str(tmp_path)), volume_sizes=True)
    assert seen["engine"]["error"] is None
    assert seen["engine"]["now"] == "2026-11-29T08:00:00Z"
    (one,) = seen["containers"]["found"]
    assert (one["name"], one["service"], one["number"], one["oneoff"]) == ("shop-api-1", "api", 1, False)
    assert (one["status"], one["exit_code"], one["restarts"], one["policy"]) == ("exited", 4, 2, "on-failure")
    assert one["after"] == ["migrate"]
    assert one["volumes"] == ["shop_data"]
    assert one["health"] == {
        "status": "unhealthy",
        "failures": 3,
        "probed": "2026-11-29T07:59:29Z",
        "interval_s": 10.0,
        "timeout_s": 3.0,
        "start_period_s": 0.0,
        "exit_code": 1,
        "output": "password=[redacted]",
    }
    assert one["last_lines"] == ["cannot log in: password=[redacted]"]
    assert seen["images"]["found"] == {"shop/api:1": "sha256:2", "shop/api:2": ""}
    assert [(volume["name"], volume["bytes"]) for volume in seen["volumes"]["found"]] == [("shop_data", 4096)]
    assert json.loads(json.dumps(seen)) == seen
    assert SECRET not in json.dumps(seen)


def test_what_is_kept_of_the_file(tmp_path: Path) -> None:
    command = compose(tmp_path)
    told = file.read(source(command, str(tmp_path)), time.monotonic() + 30.0)
    assert told["error"] is None
    assert told["version"] == "5.6.1"
    assert told["services"]["api"] == {
        "image": "shop/api:2",
        "replicas": 3,
        "profiles": [],
        "volumes": ["data"],
        "after": ["migrate"],
        "hash": "abc",
    }
    assert (told["services"]["nightly"]["replicas"], told["services"]["nightly"]["profiles"]) == (2, ["nightly"])
    assert told["volumes"] == {
        "data": {"name": "shop_data", "external": False},
        "media": {"name": "media", "external": True},
    }
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text("utf-8").splitlines()]
    assert asked[0] == ["version", "--short"]
    assert asked[1] == [
        "--project-directory", str(tmp_path), "--project-name", "shop", "--file", "compose.yml",
        "--env-file", "prod.env", "--profile", "*", "config", "--format", "json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"version": "1.29.2"}, "cli", "1.29.2; 2.3 or newer"),
        ({"version": "what"}, "cli", "2.3 or newer"),
        ({"config": "not JSON"}, "cli", "does not write JSON"),
        ({"status": 1, "words": "time=x level=warning msg=y\nservices.api: bad\n"}, "invalid", "services.api: bad"),
        ({"status": 1}, "invalid", "status 1"),
    ],
)
def test_a_file_that_is_not_read(tmp_path: Path, given: dict[str, Any], kind: str, words: str) -> None:
    told = file.read(source(compose(tmp_path, **given), str(tmp_path)), time.monotonic() + 30.0)
    assert told["error"]["kind"] == kind
    assert words in told["error"]["text"]
    assert "level=warning" not in told["error"]["text"]
    assert told["services"] == {}


def test_compose_that_is_not_there_or_does_not_end(tmp_path: Path) -> None:
    told = file.read(source([str(tmp_path / "none")], "/"), time.monotonic() + 30.0)
    assert told["error"]["kind"] == "cli"
    assert file.read(source(compose(tmp_path), "/"), time.monotonic())["error"]["kind"] == "timeout"
    sleeper = ["sh", "-c", "exec sleep 30"]
    assert file.read(source(sleeper, "/"), time.monotonic() + 0.1)["error"]["kind"] == "timeout"


@pytest.mark.parametrize("config", [[], {"services": []}, {"services": {"a": None}, "volumes": {"v": None}}, {}, 5])
def test_odd_files_break_nothing(tmp_path: Path, config: Any) -> None:
    told = file.read(source(compose(tmp_path, config), str(tmp_path)), time.monotonic() + 30.0)
    assert told["error"] is None


def test_nobody_asks_for_the_file_without_a_folder() -> None:
    assert file.read(source(["/does/not/exist"]), time.monotonic() + 30.0) == file.nothing(source())


def test_an_engine_that_does_not_answer_is_one_error(tmp_path: Path) -> None:
    with closing(client.Engine(client.address(f"unix://{tmp_path}/none"), time.monotonic() + 30.0)) as engine:
        seen = collect.collect(engine, collect.Options("shop", source()))
    assert seen["engine"]["error"]["kind"] == "refused"


def test_an_engine_that_stops_to_answer_tells_what_was_seen() -> None:
    with serving(answers()) as fake:
        fake.hang_after = 3  # version, list, the first container
        seen = look(fake, timeout=2.0)
    assert seen["engine"]["error"] is None
    assert [one["name"] for one in seen["containers"]["found"]] == ["shop-api-1"]
    assert seen["containers"]["error"]["kind"] == "timeout"
    assert seen["images"]["error"]["kind"] == "timeout"
    assert seen["volumes"]["error"]["kind"] == "timeout"
    assert "cannot be read" in seen["containers"]["found"][0]["last_lines"][0]


@pytest.mark.parametrize(
    "answer", [http({"a": 1}), http(None), http([None, 5, {"Id": None}]), http("x"), http(b"{"), http([{"Id": "../x"}])]
)
def test_odd_lists_break_nothing(answer: Answer) -> None:
    odd = dict.fromkeys(("/containers/json", "/volumes", "/system/df", "/images/shop/api:1/json"), answer)
    with serving({**answers(), **odd}) as fake:
        seen = look(fake, volume_sizes=True)
    assert seen["containers"]["found"] == []


@pytest.mark.parametrize("data", [None, [], {}, {"State": 5, "Config": {"Labels": []}, "Mounts": 5}, {"Id": 5}])
def test_odd_containers_break_nothing(data: Any) -> None:
    assert collect.container(data, True)["status"] == ""


def test_an_external_volume_is_asked_for_by_its_name(tmp_path: Path) -> None:
    there = {"/volumes/media": http({"Name": "media", "Driver": "nfs"})}
    with serving({**answers(), **there}) as fake:
        seen = look(fake, source(compose(tmp_path), str(tmp_path)))
    assert [volume["name"] for volume in seen["volumes"]["found"]] == ["media", "shop_data"]
    assert not any("/system/df" in line for line in fake.asked)


def test_sizes_that_are_not_told_cost_nothing_else() -> None:
    with serving({**answers(), "/system/df": http({"message": "no"}, "500 Internal Server Error")}) as fake:
        seen = look(fake, volume_sizes=True)
    assert seen["volumes"]["error"] is None
    assert seen["volumes"]["size_error"]["kind"] == "other"
    assert seen["volumes"]["found"][0]["bytes"] is None


def test_the_size_of_a_log_counts_its_rotated_files(tmp_path: Path) -> None:
    log = tmp_path / "x-json.log"
    log.write_bytes(b"x" * 100)
    (tmp_path / "x-json.log.1").write_bytes(b"x" * 1000)
    (tmp_path / "y-json.log.1").write_bytes(b"x" * 5000)
    data = {**inspected("a", "api"), "LogPath": str(log)}
    assert collect.container(data, True)["log"]["bytes"] == 1100
    elsewhere = collect.container(data, False)["log"]
    assert (elsewhere["bytes"], "another machine" in elsewhere["error"]) == (None, True)
    log.unlink()
    assert "No such file" in collect.container(data, True)["log"]["error"]
    assert collect.container({**data, "LogPath": ""}, True)["log"]["error"] is None


def test_only_what_is_in_trouble_is_read(tmp_path: Path) -> None:
    fine = inspected("shop-api-1", "api", Status="running", ExitCode=0, StartedAt="2026-11-01T00:00:00Z", Health=None)
    found = answers()
    for path in found:
        if path.endswith("/json") and "shop-api-1" in path:
            found[path] = http(fine)
    with serving(found) as fake:
        seen = look(fake)
    assert seen["containers"]["found"][0]["last_lines"] == []
    assert not any("/logs" in line for line in fake.asked)
