# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects to judge: two recordings of the lab, healthy and with faults, and the engine's documents to collect from."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

from fake_engine import Answer, frame, http

from ansible_collections.nexuscos.ops.plugins.module_utils._compose.checks import CHECKS
from ansible_collections.nexuscos.ops.plugins.module_utils._compose.evaluate import evaluate
from ansible_collections.nexuscos.ops.plugins.module_utils._core.check import index
from ansible_collections.nexuscos.ops.plugins.module_utils._core.judge import Judge
from ansible_collections.nexuscos.ops.plugins.module_utils._core.threshold import Thresholds

RECORDINGS = Path(__file__).parent / "recordings"
BY_ID = index(CHECKS)
SECRET = "s3cr3t-of-the-database"
LABEL = "com.docker.compose."


def recorded(name: str) -> dict[str, Any]:
    """The observation of a recording."""
    data: dict[str, Any] = json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))
    return dict(data["observation"])


class Project:
    """An observation that can be bent, and what the module says about it."""

    def __init__(self, name: str = "healthy") -> None:
        self.observation = recorded(name)

    def of(self, service: str) -> list[dict[str, Any]]:
        """The containers of a service."""
        found: list[dict[str, Any]] = self.observation["containers"]["found"]
        return [one for one in found if one["service"] == service]

    def remove(self, service: str) -> None:
        """Take the containers of a service away."""
        found = self.observation["containers"]["found"]
        self.observation["containers"]["found"] = [one for one in found if one["service"] != service]

    def without_file(self) -> Project:
        """Nobody asked what the file says."""
        self.observation["file"] = {"asked": False, "error": None, "version": "", "services": {}, "volumes": {}}
        return self

    def judge(self, jobs: tuple[str, ...] = (), thresholds: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's return values."""
        judge = Judge(BY_ID, Thresholds.parse(thresholds, BY_ID), "docker1")
        evaluate(copy.deepcopy(self.observation), judge, jobs)
        return judge.result(False)

    def says(self, **more: Any) -> list[tuple[str, str, str]]:
        """Check, object without the system's name, and status of each finding."""
        return sorted(
            (one["check"].split(".", 1)[1], one["object"].partition("/")[2], one["status"])
            for one in self.judge(**more)["findings"]
        )

    def title(self, check: str, **more: Any) -> str:
        """The title of the one finding of a check."""
        (found,) = [one for one in self.judge(**more)["findings"] if one["check"] == f"compose.{check}"]
        return str(found["title"])

    def unseen(self, **more: Any) -> set[str]:
        """The checks that were not seen."""
        return {row["check"].split(".", 1)[1] for row in self.judge(**more)["coverage"] if not row["seen"]}


def inspected(name: str, service: str, **state: Any) -> dict[str, Any]:
    """A container as the engine describes it, with secrets where people put them."""
    labels = {
        LABEL + "project": "shop",
        LABEL + "service": service,
        LABEL + "container-number": "1",
        LABEL + "oneoff": "False",
        LABEL + "config-hash": "abc",
        LABEL + "version": "5.6.1",
        LABEL + "depends_on": "migrate:service_completed_successfully:false,db:service_healthy:true",
        "org.example.password": SECRET,
    }
    return {
        "Id": name.ljust(64, "0"),
        "Name": f"/{name}",
        "RestartCount": 2,
        "Image": "sha256:1",
        "LogPath": "",
        "State": {
            "Status": "exited",
            "ExitCode": 4,
            "OOMKilled": False,
            "Error": "",
            "StartedAt": "2026-11-29T07:59:00.123456789Z",
            "FinishedAt": "2026-11-29T07:59:30Z",
            "Health": {
                "Status": "unhealthy",
                "FailingStreak": 3,
                "Log": [{"End": "2026-11-29T07:59:29Z", "ExitCode": 1, "Output": f"password={SECRET}\n"}],
            },
            **state,
        },
        "Config": {
            "Image": "shop/api:1",
            "Env": [f"PASSWORD={SECRET}"],
            "Cmd": ["--password", SECRET],
            "Labels": labels,
            "Tty": False,
            "Healthcheck": {"Interval": 10_000_000_000, "Timeout": 3_000_000_000, "Retries": 2},
        },
        "HostConfig": {
            "Memory": 1024,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
            "LogConfig": {"Type": "json-file", "Config": {}},
        },
        "Mounts": [{"Type": "volume", "Name": "shop_data"}, {"Type": "bind", "Source": "/x"}],
    }


def answers(**more: Answer) -> dict[str, Answer]:
    """An engine with one ill container."""
    one = inspected("shop-api-1", "api")
    ident = one["Id"]
    return {
        "/containers/json": http([{"Id": ident}, {"Id": "gone"}]),
        f"/containers/{ident}/json": http(one),
        f"/containers/{ident[:12]}/logs": http(
            frame(2, f"2026-11-29T07:59:30Z cannot log in: password={SECRET}\n".encode())
        ),
        "/images/shop/api:1/json": http({"Id": "sha256:2"}),
        "/volumes": http({"Volumes": [{"Name": "shop_data", "Driver": "local", "Labels": {LABEL + "volume": "data"}}]}),
        "/system/df": http({"Volumes": [{"Name": "shop_data", "UsageData": {"Size": 4096}}, {"Name": "other"}]}),
        **more,
    }


CONFIG = {
    "services": {
        "api": {
            "image": "shop/api:2",
            "environment": {"PASSWORD": SECRET},
            "command": ["--password", SECRET],
            "deploy": {"replicas": 3},
            "depends_on": {"migrate": {"condition": "service_completed_successfully"}, "db": {"condition": "x"}},
            "volumes": [{"type": "volume", "source": "data", "target": "/data"}, {"type": "bind", "source": "/x"}],
        },
        "nightly": {"image": "shop/api:2", "profiles": ["nightly"], "scale": 2},
    },
    "volumes": {"data": {"name": "shop_data"}, "media": {"name": "media", "external": True}},
}


def compose(folder: Path, config: Any = CONFIG, version: str = "5.6.1", status: int = 0, words: str = "") -> list[str]:
    """A program that answers as Compose does."""
    program = folder / "compose.py"
    program.write_text(
        f"""import json, sys
arguments = sys.argv[1:]
open({str(folder / "asked")!r}, 'a').write(json.dumps(arguments) + chr(10))
if 'version' in arguments:
    print({version!r})
elif {status}:
    sys.stderr.write({words!r})
    sys.exit({status})
elif '--hash' in arguments:
    print('api abc' + chr(10) + 'nightly def')
else:
    sys.stdout.write({json.dumps(config) if not isinstance(config, str) else config!r})
""",
        encoding="utf-8",
    )
    return [sys.executable, str(program)]
