# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab is what it says, asked with other people's tools: psql, redis-cli, openssl, curl, ssh, ip. Wants a lab that
is up."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("NEXUSCOS_LAB_DIR") or ROOT / ".lab")
DOMAIN = "nexuscos.example.com"
ALERTS = {
    "HighErrorRate", "HighLatency", "ServiceDown", "PodCrashLooping", "HighCPU", "HighMemory", "DiskSpaceLow",
    "DatabaseConnectionsHigh", "Watchdog",
}  # fmt: skip


def run(*command: str, env: dict[str, str] | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a tool; its words are in the assertion when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=env, check=False)
    if check:
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def lab() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LAB / "lab.json").read_text())
    return found


@pytest.fixture(scope="module")
def secrets() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LAB / "secrets.json").read_text())
    return found


@pytest.fixture(scope="module")
def env() -> dict[str, str]:
    """The environment that `make -s lab-env` gives to any tool, as a shell reads it."""
    printed = run("make", "-s", "-C", str(ROOT), "lab-env").stdout
    assert all(line.startswith("export ") for line in printed.splitlines()), (
        "lab-env prints export lines and nothing else"
    )
    shown = run("bash", "-euo", "pipefail", "-c", 'eval "$1"; env -0', "bash", printed).stdout
    return dict(entry.split("=", 1) for entry in shown.split("\0") if "=" in entry)


def address(lab: dict[str, Any], machine: str) -> str:
    return str(lab["machines"][machine]["address"])


def psql(env: dict[str, str], sql: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    return run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql, env=env | more, check=check)


def superuser(lab: dict[str, Any], server: str, sql: str) -> str:
    socket = f"/run/nexuscos-lab/{lab['prefix']}/run/{server}"
    return run("psql", "-X", "-At", "-h", socket, "-U", "postgres", "-d", "postgres", "-c", sql).stdout.strip()


def fetch(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        return json.load(answer)


# --- machines ---------------------------------------------------------------------------------------------------------


def test_every_machine_is_a_namespace_with_its_address(lab: dict[str, Any]) -> None:
    assert len(lab["machines"]) == 21
    for machine in lab["machines"].values():
        assert machine["netns"].startswith(lab["prefix"] + "-")
        shown = run("ip", "-n", machine["netns"], "-o", "-4", "address", "show", "eth0").stdout
        assert f" {machine['address']}/24 " in shown


def test_servers_listen_on_addresses_of_the_lab_alone(lab: dict[str, Any]) -> None:
    for name in ("db1", "redis1", "mon1", "edge1", "mongo1"):
        netns = lab["machines"][name]["netns"]
        rows = run("ip", "netns", "exec", netns, "ss", "-Hltn").stdout.splitlines()
        assert rows, f"nothing listens on {name}"
        assert {row.split()[3].rpartition(":")[0] for row in rows} == {address(lab, name)}


def test_passwords_are_for_root_alone() -> None:
    assert (LAB / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert (LAB / "pki" / "ca.key").stat().st_mode & 0o777 == 0o600


def test_status_finds_nothing_dead() -> None:
    shown = run("make", "-s", "-C", str(ROOT), "lab-status").stdout
    assert "DEAD" not in shown
    for word in ("db1", "ssh -F", "PostgreSQL 15"):
        assert word in shown


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_the_application_reaches_its_rows_over_verified_tls(env: dict[str, str]) -> None:
    assert env["PGSSLMODE"] == "verify-full"
    assert int(psql(env, "SELECT count(*) FROM billing.ledger_entries").stdout) >= 60000
    assert psql(env, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").stdout.strip() == "t"
    rows = "SELECT sum(n_live_tup) FROM pg_stat_user_tables"
    assert 250_000 < int(psql(env, rows).stdout) < 400_000


@pytest.mark.parametrize(
    ("user", "secret", "sql"),
    [
        ("nexus", "nexus", "CREATE TABLE auth.mine (id int)"),
        ("nexus", "nexus", "DROP TABLE auth.sessions"),
        ("nexus", "nexus", "SELECT pg_switch_wal()"),
        ("nexus_monitor", "monitor", "SELECT email FROM auth.users LIMIT 1"),
        ("nexus_backup", "backup", "DELETE FROM auth.users"),
    ],
)
def test_roles_have_least_rights(
    env: dict[str, str], secrets: dict[str, Any], user: str, secret: str, sql: str
) -> None:
    done = psql(env, sql, check=False, PGUSER=user, PGPASSWORD=secrets["postgres"][secret])
    assert done.returncode != 0
    assert "permission denied" in done.stderr or "must be owner" in done.stderr


def test_roles_can_do_their_work(env: dict[str, str], secrets: dict[str, Any]) -> None:
    psql(
        env,
        "SELECT count(*) FROM pg_stat_replication",
        PGUSER="nexus_monitor",
        PGPASSWORD=secrets["postgres"]["monitor"],
    )
    dump = env | {"PGUSER": "nexus_backup", "PGPASSWORD": secrets["postgres"]["backup"]}
    assert "COPY auth.users" in run("pg_dump", "-t", "auth.users", env=dump).stdout


def test_a_wrong_password_is_refused(env: dict[str, str]) -> None:
    assert "password authentication failed" in psql(env, "SELECT 1", check=False, PGPASSWORD="wrong").stderr


def test_two_standbys_stream_through_their_slots(lab: dict[str, Any], env: dict[str, str]) -> None:
    shown = superuser(
        lab,
        "db1",
        "SELECT slot_name, state, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) < 16777216"
        " FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid ORDER BY 1",
    )
    assert shown.splitlines() == ["db2|streaming|t", "db3|streaming|t"]
    mark = f"mark-{time.time_ns()}"
    psql(env, f"INSERT INTO platform.jobs (service, payload, run_at, done_at) VALUES ('{mark}', '{{}}', now(), now())")
    for name in ("db2", "db3"):
        for _attempt in range(600):
            seen = psql(
                env, f"SELECT count(*) FROM platform.jobs WHERE service = '{mark}'", PGHOST=address(lab, name)
            ).stdout.strip()
            if seen == "1":
                break
            time.sleep(0.1)
        assert seen == "1", f"{name} did not replay it"
        refused = psql(env, "DELETE FROM platform.jobs", check=False, PGHOST=address(lab, name))
        assert "read-only transaction" in refused.stderr
    psql(env, f"DELETE FROM platform.jobs WHERE service = '{mark}'")


def test_the_primary_is_set_up_as_one_that_matters(lab: dict[str, Any]) -> None:
    wanted = {
        "data_checksums": "on", "archive_mode": "on", "max_connections": "200", "password_encryption": "scram-sha-256",
        "ssl": "on", "fsync": "on", "full_page_writes": "on", "autovacuum": "on",
    }  # fmt: skip
    for name, value in wanted.items():
        assert superuser(lab, "db1", f"SHOW {name}") == value
    libraries = superuser(lab, "db1", "SHOW shared_preload_libraries")
    assert "pg_stat_statements" in libraries


def test_wal_is_really_archived(lab: dict[str, Any]) -> None:
    segment = superuser(lab, "db1", "SELECT pg_walfile_name(pg_current_wal_lsn())")
    superuser(lab, "db1", "SELECT pg_create_restore_point('test_lab')")
    superuser(lab, "db1", "SELECT pg_switch_wal()")
    kept = LAB / "data" / "archive" / f"{segment}.gz"
    deadline = time.monotonic() + 120
    while not kept.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert kept.exists()
    assert int(run("bash", "-c", f"gunzip -c {shlex.quote(str(kept))} | wc -c").stdout) == 16 * 1024 * 1024
    assert superuser(lab, "db1", "SELECT failed_count FROM pg_stat_archiver") == "0"


def test_a_second_major_version_is_there(lab: dict[str, Any], env: dict[str, str], secrets: dict[str, Any]) -> None:
    more = {"PGHOST": address(lab, "db4"), "PGDATABASE": "analytics", "PGUSER": "nexus_monitor", "PGSSLMODE": "disable"}
    assert psql(env, "SHOW server_version_num", PGPASSWORD=secrets["postgres"]["monitor"], **more).stdout.startswith(
        "16"
    )
    assert psql(env, "SHOW server_version_num").stdout.startswith("15")


# --- Redis, MongoDB ---------------------------------------------------------------------------------------------------


def redis(
    lab: dict[str, Any], password: str, *command: str, machine: str = "redis1", port: int = 6379, user: str = "default"
) -> str:
    who = () if user == "default" else ("--user", user)  # a Sentinel knows no users
    base = ("redis-cli", "-h", address(lab, machine), "-p", str(port), *who, "--raw")
    return run(*base, *command, env=dict(os.environ, REDISCLI_AUTH=password)).stdout


def test_redis_replicates_and_sentinels_agree(lab: dict[str, Any], secrets: dict[str, Any]) -> None:
    key = secrets["redis"]
    for machine in ("redis1", "redis2", "mon1"):
        assert "OK 3 usable Sentinels" in redis(lab, key, "sentinel", "ckquorum", "nexus", machine=machine, port=26379)
    primary = redis(lab, key, "sentinel", "get-master-addr-by-name", "nexus", machine="mon1", port=26379).split()[0]
    machine = next(name for name in ("redis1", "redis2") if address(lab, name) == primary)
    replica = "redis2" if machine == "redis1" else "redis1"
    assert redis(lab, key, "role", machine=machine).startswith("master")
    assert "master_link_status:up" in redis(lab, key, "info", "replication", machine=replica)


def test_redis_holds_sessions_that_expire_and_cache_keys(lab: dict[str, Any], secrets: dict[str, Any]) -> None:
    key = secrets["redis"]
    assert 0 < int(redis(lab, key, "ttl", "session:00001")) <= 90_000
    assert json.loads(redis(lab, key, "get", "session:00001"))["user"] == 1
    assert int(redis(lab, key, "dbsize")) > 6000


def test_redis_wants_a_password_and_the_monitor_may_not_read(lab: dict[str, Any], secrets: dict[str, Any]) -> None:
    assert "NOAUTH" in run("redis-cli", "-h", address(lab, "redis1"), "get", "session:00001", check=False).stdout
    key = secrets["redis_monitor"]
    assert "redis_version" in redis(lab, key, "info", "server", user="monitor")
    assert "NOPERM" in redis(lab, key, "get", "session:00001", user="monitor")
    assert "NOPERM" in redis(lab, key, "flushall", user="monitor")


def test_the_document_store_speaks_the_protocol(env: dict[str, str]) -> None:
    import pymongo

    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(env["MONGODB_URI"], serverSelectionTimeoutMS=5000)
    with client:
        assert client.admin.command("ping")["ok"] == 1
        assert client["nexus"]["profiles"].count_documents({"interests": "film"}) > 0


# --- edge -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [DOMAIN, *(f"{part}.{DOMAIN}" for part in ("api", "monitoring", "prometheus", "logs", "status"))]
)
def test_each_public_name_has_a_certificate_of_the_lab_ca(lab: dict[str, Any], name: str) -> None:
    shown = run(
        "openssl", "s_client", "-connect", f"{address(lab, 'edge1')}:443", "-servername", name,
        "-verify_hostname", name, "-CAfile", lab["ca"], "-verify_return_error", "-brief",
        check=False,
    )  # fmt: skip
    assert "Verification: OK" in shown.stderr, shown.stderr
    assert f"CN={name}".replace(" ", "") in shown.stderr.replace(" ", "")


def test_a_name_that_is_not_ours_gets_no_handshake(lab: dict[str, Any]) -> None:
    shown = run(
        "openssl",
        "s_client",
        "-connect",
        f"{address(lab, 'edge1')}:443",
        "-servername",
        "other.example.com",
        check=False,
    )
    assert shown.returncode != 0
    assert "unrecognized name" in shown.stderr


def curl(lab: dict[str, Any], name: str, path: str) -> tuple[int, str]:
    shown = run(
        "curl", "-s", "--noproxy", "*", "--cacert", lab["ca"], "--resolve", f"{name}:443:{address(lab, 'edge1')}",
        "-w", "\n%{http_code}", f"https://{name}{path}",
    ).stdout  # fmt: skip
    body, _newline, status = shown.rpartition("\n")
    return int(status), body


def test_the_edge_answers_and_proxies(lab: dict[str, Any]) -> None:
    assert curl(lab, f"status.{DOMAIN}", "/health") == (200, '{"status":"ok","service":"status-page"}')
    assert curl(lab, f"prometheus.{DOMAIN}", "/-/healthy")[0] == 200
    status, body = curl(lab, f"monitoring.{DOMAIN}", "/api/health")
    assert (status, json.loads(body)["database"]) == (200, "ok")
    status, body = curl(lab, f"logs.{DOMAIN}", "/api/status")
    assert (status, json.loads(body)["status"]["overall"]["level"]) == (200, "available")
    plain = run(
        "curl",
        "-s",
        "--noproxy",
        "*",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{redirect_url}",
        "-H",
        f"Host: {DOMAIN}",
        f"http://{address(lab, 'edge1')}/x",
    )
    assert plain.stdout == f"301 https://{DOMAIN}/x"


def test_the_edge_writes_both_access_logs(lab: dict[str, Any]) -> None:
    mark = f"/mark-{time.time_ns()}"
    curl(lab, f"status.{DOMAIN}", mark)
    rows = [json.loads(row) for row in (LAB / "log/edge1/access.json").read_text().splitlines()]
    row = next(row for row in rows if row["uri"] == mark)
    assert (row["status"], row["host"]) == (404, f"status.{DOMAIN}")
    assert f'"GET {mark} HTTP' in (LAB / "log/edge1/access.log").read_text()


# --- hosts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["host1", "host2", "host3"])
def test_a_host_is_a_machine_with_systemd(lab: dict[str, Any], host: str) -> None:
    def ssh(*command: str) -> str:
        return run("ssh", "-F", str(LAB / "ssh_config"), "-o", "BatchMode=yes", host, *command).stdout.strip()

    assert ssh("hostname") == host
    assert ssh("cat", "/proc/1/comm") == "systemd"
    assert address(lab, host) in ssh("ip", "-o", "-4", "address", "show", "eth0")
    assert ssh("systemctl", "is-system-running") == "running"
    assert ssh("sudo", "-n", "id", "-u") == "0"
    assert "nexus-cos-backup.timer" in ssh("systemctl", "list-timers", "--no-pager")
    assert ssh("systemctl", "show", "-P", "Result", "nexus-cos-backup.service") == "success"
    assert "backup written" in ssh("sudo", "-n", "journalctl", "-q", "--no-pager", "-u", "nexus-cos-backup.service")
    assert ssh("cd /backups/nexus-cos/2* && sha256sum --quiet -c SHA256SUMS && ls *.tar.gz | wc -l") >= "1"
    unit = ssh("systemctl list-units --plain --no-legend --state=running 'nexus-cos-*.service'").split()[0]
    assert '"message": "started"' in ssh("sudo", "-n", "journalctl", "-q", "--no-pager", "-u", unit)


def test_ansible_reaches_the_hosts_by_the_labs_inventory() -> None:
    shown = run(
        str(ROOT / ".venv/bin/ansible"),
        "-i",
        str(ROOT / "inventories/lab"),
        "hosts",
        "-m",
        "ansible.builtin.ping",
        "--one-line",
    )
    assert shown.stdout.count("SUCCESS") == 3


# --- monitoring -------------------------------------------------------------------------------------------------------


def test_prometheus_scrapes_every_system_and_has_the_platforms_rules(env: dict[str, str]) -> None:
    deadline = time.monotonic() + 180  # a target that has just been added was not scraped yet
    while True:
        targets = fetch(env["PROMETHEUS_URL"] + "/api/v1/targets?state=active")["data"]["activeTargets"]
        own = [target for target in targets if target["labels"]["job"] != "nexus-cos-services"]
        late = {target["scrapeUrl"]: target["lastError"] for target in own if target["health"] != "up"}
        if not late or time.monotonic() > deadline:
            break
        time.sleep(1)
    assert not late
    jobs = sorted(target["labels"]["job"] for target in own)
    assert jobs == ["alertmanager", *["node"] * 3, *["postgres"] * 4, "prometheus", *["redis"] * 2]
    rules = [
        rule for group in fetch(env["PROMETHEUS_URL"] + "/api/v1/rules")["data"]["groups"] for rule in group["rules"]
    ]
    assert {rule["name"] for rule in rules} == ALERTS
    assert all(not rule.get("lastError") for rule in rules)


def test_the_exporters_see_their_servers(env: dict[str, str]) -> None:
    for query, wanted in {"pg_up": 4, "redis_up": 2, "node_boot_time_seconds": 3}.items():
        # A server that a fault has just been taken from is seen again with the next scrapes.
        end = time.monotonic() + 180
        while True:
            found = fetch(f"{env['PROMETHEUS_URL']}/api/v1/query?query={query}")["data"]["result"]
            if all(float(row["value"][1]) > 0 for row in found) or time.monotonic() > end:
                break
            time.sleep(2)
        assert len(found) == wanted
        assert [row["metric"] for row in found if float(row["value"][1]) <= 0] == []


def test_alerts_arrive_at_alertmanager(env: dict[str, str]) -> None:
    managers = fetch(env["PROMETHEUS_URL"] + "/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    assert [manager["url"].split("/api")[0] for manager in managers] == [env["ALERTMANAGER_URL"]]
    assert fetch(env["ALERTMANAGER_URL"] + "/api/v2/status")["versionInfo"]["version"]
