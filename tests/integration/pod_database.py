# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database in a pod of a test's own: the lab's, with its image and start, in a namespace that is gone afterwards.

What breaks here leaves nothing in the logs of the lab's own. It shares no code with the plugins.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "backup"))

import running

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
RIGHTS = ROOT / "playbooks/files/nexuscos-ops-pod-backup.yml"
CLUSTER, HOME, POD = "us-east-1", "nexus-databases", "postgres-0"
# Much more than what lies between the two ends at any time, so that pg_dump is at work when the stream is held.
LARGE = "CREATE TABLE heavy AS SELECT n, md5(n::text) || md5((n + 1)::text) AS pad FROM generate_series(1, 300000) n"


def facts() -> dict[str, Any]:
    """What runs in the lab."""
    found: dict[str, Any] = json.loads((LAB / "lab.json").read_text(encoding="utf-8"))
    assert found["clusters"][CLUSTER]["ready"], "the lab's clusters are not up: make lab"
    return found


def kubectl(*arguments: str, data: str | None = None, check: bool = True) -> str:
    """What kubectl says to the cluster's administrator."""
    command = [facts()["kubectl"], "--kubeconfig", str(LAB / "kubeconfig"), "--context", CLUSTER, *arguments]
    done = subprocess.run(command, input=data, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0 or not check, f"kubectl {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def got(kind: str, name: str, namespace: str) -> dict[str, Any]:
    """An object of the cluster."""
    found: dict[str, Any] = json.loads(kubectl("-n", namespace, "get", kind, name, "-o", "json"))
    return found


class Database:
    """A PostgreSQL in a pod.

    :ivar namespace: where it is; it is called as the lab's own.
    """

    def __init__(self, namespace: str = HOME) -> None:
        self.namespace = namespace
        kept = got("secret", "postgres-passwords", namespace)["data"]
        self._passwords = {name: base64.b64decode(text).decode() for name, text in kept.items()}

    def options(self, **more: Any) -> dict[str, Any]:
        """The options of postgres_backup, for the account that may do no more than that."""
        pod = {
            "namespace": self.namespace, "name": POD, "container": "postgres", "kubectl": facts()["kubectl"],
            "kubeconfig": str(LAB / "kubeconfig"), "context": f"{CLUSTER}-backup",
        }  # fmt: skip
        return {
            "system": "nexus_db", "login_host": "/var/run/postgresql", "login_user": "nexus_backup",
            "login_password": self._passwords["BACKUP_PASSWORD"], "login_db": "nexus_db", **more,
            "pod": {**pod, **more.get("pod", {})},
        }  # fmt: skip

    @property
    def address(self) -> str:
        return str(got("pod", POD, self.namespace)["status"]["podIP"])

    @property
    def login(self) -> dict[str, Any]:
        """The options of a module that goes there over the network."""
        secret = self._passwords["POSTGRES_PASSWORD"]
        return {"login_host": self.address, "login_user": "postgres", "login_password": secret}

    def psql(self, sql: str, database: str = "nexus_db", check: bool = True) -> str:
        """What it answers over the network."""
        environment = {**os.environ, "PGPASSWORD": self._passwords["POSTGRES_PASSWORD"], "PGCONNECT_TIMEOUT": "30"}
        environment.pop("PGSSLMODE", None)
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.address, "-U", "postgres", "-d", database]
        done = subprocess.run([*command, "-c", sql], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def counts(self, database: str = "nexus_db") -> dict[str, int]:
        """Rows of its tables."""
        tables = self.psql("SELECT relid::regclass FROM pg_stat_user_tables ORDER BY 1", database).splitlines()
        return {name: int(self.psql(f"SELECT count(*) FROM {name}", database)) for name in tables}

    def at_work(self) -> str:
        """Sessions of a backup, and commands of one that are still in the container."""
        sessions = self.psql("SELECT query FROM pg_stat_activity WHERE application_name = 'pg_dump'", "postgres")
        return sessions + self.shell("ps | grep -E '(^| )(pg_dump|psql|sh -c exec 3)' | grep -v grep || true")

    def shell(self, script: str) -> str:
        """What a shell in its container prints."""
        return kubectl("-n", self.namespace, "exec", POD, "-c", "postgres", "--", "sh", "-c", script)

    def wait(self) -> None:
        """Until it is ready. What was broken a moment ago may still be told to be so."""
        kubectl("-n", self.namespace, "rollout", "status", "statefulset/postgres", "--timeout=240s")
        running.wait_for(lambda: self.psql("SELECT 'there'", check=False) == "there", "the database answers")


@contextlib.contextmanager
def database(namespace: str) -> Iterator[Database]:
    """One that is like the lab's own, with a container beside it that has neither shell nor PostgreSQL."""
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=true", "--timeout=240s")
    service = got("deployment", "backend-api", "nexus-platform")["spec"]["template"]["spec"]["containers"][0]
    items: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}]
    for kind, name in [("configmap", "postgres-init"), ("secret", "postgres-passwords"), ("statefulset", "postgres")]:
        one = got(kind, name, HOME)
        items.append({**one, "metadata": {"name": name, "namespace": namespace}})
    spec = items[-1]["spec"]["template"]["spec"]
    spec["volumes"] = [
        {"name": "data", "emptyDir": {}} if volume["name"] == "data" else volume for volume in spec["volumes"]
    ]
    spec["securityContext"]["fsGroup"] = spec["securityContext"]["runAsUser"]
    env = {"SERVICE_NAME": "bare", "SERVICE_PORT": "3900", "LAB_TOKEN": "a"}
    spec["containers"].append(
        {
            "name": "bare", "image": service["image"],
            "env": [{"name": name, "value": value} for name, value in env.items()],
            "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"cpu": "200m", "memory": "64Mi"}},
        }
    )  # fmt: skip
    try:
        kubectl("apply", "-f", "-", data=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        kubectl("apply", "-f", "-", data=RIGHTS.read_text(encoding="utf-8").replace(HOME, namespace))
        found = Database(namespace)
        found.wait()
        yield found
    finally:
        kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=true", "--timeout=240s")
