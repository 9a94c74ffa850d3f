# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of a Compose project, pure data.

A service that is not there is told by the check that says most about why: killed for memory, ended, restarting, and
only then missing or stopped.
"""

from __future__ import annotations

from .._core.check import Check

_SERVICES = ("morning.services",)
_USAGE = ("morning.utilization",)
_HEALTH = "daily:system-health-verification"
_RESTART = "daily:restarting-services"
_RESOURCES = "daily:resource-monitoring"

ENGINE = "compose.engine"
FILE = "compose.file"
VOLUMES = "compose.volumes"
OOM_KILLED = "compose.oom_killed"
EXITED = "compose.exited"
RESTARTS = "compose.restarts"
SERVICE = "compose.service"
HEALTH = "compose.health"
IMAGE_DRIFT = "compose.image_drift"
CONFIG_DRIFT = "compose.config_drift"
ORPHANS = "compose.orphans"
VOLUME_SIZE = "compose.volume_size"
LOG_SIZE = "compose.log_size"
LOG_LIMIT = "compose.log_limit"

CHECKS: tuple[Check, ...] = (
    Check(
        id=ENGINE,
        question="Does the container engine answer?",
        runbook=_HEALTH,
        items=("morning.services", "morning.dashboard"),
        source="GET /version of the Engine API",
        remedy="on the engine's host: systemctl status docker; journalctl -u docker --since -1h",
        rank=1,
    ),
    Check(
        id=FILE,
        question="Can Compose read the project's file?",
        runbook=_HEALTH,
        items=_SERVICES,
        source="docker compose config",
        remedy="docker compose config -q names the line, in the folder of the project",
        severity="warning",
        rank=30,
    ),
    Check(
        id=VOLUMES,
        question="Is every volume of the project there, and none left that nothing uses?",
        runbook=_HEALTH,
        items=_SERVICES,
        source="GET /volumes against the file's volumes and the containers' mounts",
        remedy="docker volume inspect {name}",
        severity="warning",
        rank=7,
    ),
    Check(
        id=OOM_KILLED,
        question="Was a container killed because it wanted more memory than its limit?",
        runbook="operations:high-memory-usage",
        items=_SERVICES,
        source="State.OOMKilled of the container",
        remedy="docker compose stats {name}; raise mem_limit of the service, or find what grows",
        rank=8,
    ),
    Check(
        id=EXITED,
        question="Has a container ended with an error, or could it not be started?",
        runbook="operations:service-down",
        items=_SERVICES,
        source="State.ExitCode and State.Error of the container, last lines of its log",
        remedy="docker compose logs --tail=100 {name}",
        rank=9,
    ),
    Check(
        id=RESTARTS,
        question="Does the engine start a container again and again?",
        runbook=_RESTART,
        items=_SERVICES,
        source="RestartCount of a container that restarts now or has run for less than ten minutes",
        remedy="docker compose logs --tail=100 {name}",
        unit="restarts",
        target=0,
        alert=3,
        rank=10,
    ),
    Check(
        id=SERVICE,
        question="Does every service of the project run with all its replicas?",
        runbook=_HEALTH,
        items=_SERVICES,
        source="the file's services and replicas against the containers that run",
        remedy="docker compose up -d {name}",
        unit="replicas",
        rank=12,
    ),
    Check(
        id=HEALTH,
        question="Do the health checks of the running containers succeed?",
        runbook=_HEALTH,
        items=_SERVICES,
        source="State.Health of the container, output of its last probe",
        remedy="docker compose logs --tail=100 {name}; then what its health check asks for",
        rank=20,
    ),
    Check(
        id=IMAGE_DRIFT,
        question="Do the containers run the image that the file and its tag say now?",
        runbook=_RESTART,
        items=_SERVICES,
        source="image name and id of the container against the file, and against the image that the tag names",
        remedy="docker compose up -d {name} makes the container of the present image",
        severity="warning",
        rank=60,
    ),
    Check(
        id=CONFIG_DRIFT,
        question="Were the containers made of the file as it is now?",
        runbook=_RESTART,
        items=_SERVICES,
        source="label com.docker.compose.config-hash against docker compose config --hash",
        remedy="docker compose up -d {name} makes the container of the present file",
        severity="warning",
        rank=61,
    ),
    Check(
        id=ORPHANS,
        question="Is every container of the project one that its file knows?",
        runbook=_HEALTH,
        items=_SERVICES,
        source="label com.docker.compose.service against the file's services; ended containers of docker compose run",
        remedy="docker rm -f {name}, when nobody needs it",
        severity="warning",
        rank=62,
    ),
    Check(
        id=VOLUME_SIZE,
        question="Do the project's volumes keep within their size?",
        runbook=_RESOURCES,
        items=_USAGE,
        source="GET /system/df, where volume_sizes asks for it",
        remedy="docker system df -v; then what the service keeps there",
        unit="GiB",
        target=10,
        alert=50,
        rank=45,
    ),
    Check(
        id=LOG_SIZE,
        question="Do the log files of the containers keep within their size?",
        runbook=_RESOURCES,
        items=_USAGE,
        source="size of the engine's json-file log and of its rotated files, on the engine's host",
        remedy="set logging options max-size and max-file for {name}, and make its container anew",
        unit="MiB",
        target=200,
        alert=1024,
        rank=46,
    ),
    Check(
        id=LOG_LIMIT,
        question="Has every container's log a limit?",
        runbook=_RESOURCES,
        items=_USAGE,
        source="LogConfig of the container: json-file without max-size keeps every line for ever",
        remedy="logging: {driver: json-file, options: {max-size: 10m, max-file: '3'}}; docker compose up -d {name}",
        severity="warning",
        rank=63,
    ),
)
