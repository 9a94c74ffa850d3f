#!/usr/bin/env python3
# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the faults of Prometheus and Alertmanager do.

usage: monitoring.py LAB PREFIX WHAT …

  serve KIND PORT            be an exporter with the metrics of something that is ill (pages below)
  target JOB NAME PLACE [LABEL=VALUE …]    let Prometheus scrape it; JOB is services or exporters
  untarget JOB NAME          the reverse
  rules NAME                 add a file of rules from standard input, and reload
  unrules NAME               the reverse
  reload SYSTEM              prometheus or alertmanager; says what it answers, and does not mind a refusal
  alert NAME [LABEL=VALUE …] send an alert to Alertmanager, as Prometheus does
  calm NAME …                end alerts of these names at Alertmanager
  silence NAME HOURS         silence an alert by its name
  unsilence NAME             the reverse
  forget SELECTOR …          let Prometheus forget series
  stop SYSTEM, start SYSTEM  the daemon, under the record by which the lab knows it
  damage                     write rubbish behind the last record of the write-ahead log; Prometheus must be stopped
"""

from __future__ import annotations

import datetime
import http.server
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "module_utils"))

from nexuslab.process import Daemon

PORTS = {"prometheus": 9090, "alertmanager": 9093}
BEGAN = time.time()


def errors() -> str:
    """A service that answers one of twenty requests with 500."""
    count = int((time.time() - BEGAN + 60) * 50)
    return (
        'http_requests_total{method="GET",path="/",status="200"} %d\n'
        'http_requests_total{method="GET",path="/",status="500"} %d\n' % (count - count // 20, count // 20)
    )


def slow() -> str:
    """A service whose 95th percentile lies between one second and two and a half."""
    count = int((time.time() - BEGAN + 60) * 50)
    shares = (("0.1", 0.1), ("0.5", 0.2), ("1", 0.9), ("2.5", 1.0), ("+Inf", 1.0))
    return "".join('http_request_duration_seconds_bucket{le="%s"} %d\n' % (le, count * part) for le, part in shares)


def late() -> str:
    """A service whose exporter hands out samples of three minutes ago."""
    count = int((time.time() - BEGAN + 60) * 50)
    return 'http_requests_total{method="GET",path="/",status="200"} %d %d\n' % (count, (time.time() - 180) * 1000)


def busy() -> str:
    """A host that uses 97 % of its CPU."""
    spent = time.time() - BEGAN + 60
    return 'node_cpu_seconds_total{cpu="0",mode="user"} %.2f\nnode_cpu_seconds_total{cpu="0",mode="idle"} %.2f\n' % (
        spent * 0.97,
        spent * 0.03,
    )


def full() -> str:
    """A host that uses 95 % of its memory."""
    return "node_memory_MemTotal_bytes 8e+09\nnode_memory_MemAvailable_bytes 4e+08\n"


def crowded() -> str:
    """A database server with 95 of 100 connections taken."""
    return 'pg_settings_max_connections 100\npg_stat_activity_count{datname="nexusdb",state="active"} 95\n'


def overrun() -> str:
    """A Redis with far too many clients."""
    return "redis_connected_clients 5000\n"


def lost() -> str:
    """A Redis that its exporter does not reach."""
    return "redis_up 0\n"


def well() -> str:
    """Nothing that is wrong."""
    return "fault_exporter_up 1\n"


PAGES: dict[str, Callable[[], str]] = {
    page.__name__: page for page in (errors, slow, late, busy, full, crowded, overrun, lost, well)
}


class Lab:
    """The lab's monitoring host, from outside."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder, self.prefix = folder, prefix
        known = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
        self.address = known["machines"]["mon1"]["address"]
        self.gateway = self.address.rsplit(".", 1)[0] + ".1"
        self.data = folder / "data" / "mon1"

    def ask(self, system: str, method: str, path: str, data: Any = None) -> Any:
        """A request to Prometheus or Alertmanager; its JSON, or None."""
        request = urllib.request.Request(
            "http://%s:%d%s" % (self.address, PORTS[system], path),
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=15) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def serve(self, kind: str, port: str) -> None:
        """Be an exporter until somebody ends this process."""

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = PAGES[kind]().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        http.server.ThreadingHTTPServer((self.gateway, int(port)), Page).serve_forever()

    def target(self, job: str, name: str, place: str, *labels: str) -> None:
        """Prometheus watches the folder."""
        entry = {
            "targets": [place if ":" in place else "%s:%s" % (self.gateway, place)],
            "labels": dict(label.split("=", 1) for label in labels),
        }
        self._write(self.data / "faults" / ("%s-%s.json" % (job, name)), json.dumps([entry]))

    def untarget(self, job: str, name: str) -> None:
        """As if it had never been there."""
        (self.data / "faults" / ("%s-%s.json" % (job, name))).unlink(missing_ok=True)

    def rules(self, name: str) -> None:
        """A refusal is said, and is what some fault wants."""
        self._write(self.data / "rules" / ("%s.yml" % name), sys.stdin.read())
        self.reload("prometheus")

    def unrules(self, name: str) -> None:
        """Fine when there are none."""
        (self.data / "rules" / ("%s.yml" % name)).unlink(missing_ok=True)
        self.reload("prometheus")

    def reload(self, system: str) -> None:
        """What it answers is in the output."""
        try:
            self.ask_text(system, "/-/reload")
        except urllib.error.HTTPError as error:
            print("%s refuses: %s" % (system, error.read().decode(errors="replace")[:300]))

    def ask_text(self, system: str, path: str) -> None:
        """A POST whose answer is no JSON."""
        request = urllib.request.Request("http://%s:%d%s" % (self.address, PORTS[system], path), method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(request, timeout=15).close()

    def alert(self, name: str, *labels: str) -> None:
        """It ends by itself after the resolve_timeout of five minutes."""
        found = {"alertname": name, **dict(label.split("=", 1) for label in labels)}
        self.ask("alertmanager", "POST", "/api/v2/alerts", [{"labels": found, "annotations": {"summary": name}}])

    def calm(self, *names: str) -> None:
        """An alert is known by its labels; it ends when it is sent with an end."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat()
        ended = [
            {"labels": one["labels"], "annotations": one["annotations"], "startsAt": one["startsAt"], "endsAt": now}
            for one in self.ask("alertmanager", "GET", "/api/v2/alerts")
            if one["labels"].get("alertname") in names
        ]
        if ended:
            self.ask("alertmanager", "POST", "/api/v2/alerts", ended)

    def silence(self, name: str, hours: str) -> None:
        """One silence by one name."""
        self.unsilence(name)
        now = datetime.datetime.now(datetime.timezone.utc)
        self.ask(
            "alertmanager",
            "POST",
            "/api/v2/silences",
            {
                "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
                "startsAt": now.isoformat(),
                "endsAt": (now + datetime.timedelta(hours=float(hours))).isoformat(),
                "createdBy": "night-shift",
                "comment": "played by a fault",
            },
        )

    def unsilence(self, name: str) -> None:
        """All that name it and are in force."""
        for one in self.ask("alertmanager", "GET", "/api/v2/silences"):
            if one["status"]["state"] != "expired" and any(part["value"] == name for part in one["matchers"]):
                self.ask("alertmanager", "DELETE", "/api/v2/silence/" + one["id"])

    def forget(self, *selectors: str) -> None:
        """The lab's Prometheus has its admin API open for that."""
        query = urllib.parse.urlencode([("match[]", one) for one in selectors])
        self.ask_text("prometheus", "/api/v1/admin/tsdb/delete_series?" + query)

    def stop(self, system: str) -> None:
        """The record stays beside the faults."""
        daemon, record, kept = self._daemon(system)
        kept.write_text(json.dumps(record), encoding="utf-8")
        daemon.ensure_stopped()

    def start(self, system: str) -> None:
        """Fine when it runs already."""
        daemon, record, kept = self._daemon(system)
        if daemon.running() is None:
            daemon.spec["ready"] = {"http": "http://%s:%d/-/ready" % (self.address, PORTS[system])}
            daemon.ensure_started(restart=True)
            # The lab compares digests to see whether its configuration changed. It did not.
            current = self.folder / "run" / ("%s.json" % system)
            started = json.loads(current.read_text(encoding="utf-8"))
            current.write_text(json.dumps({**started, "digest": record["digest"]}), encoding="utf-8")
        kept.unlink(missing_ok=True)

    def damage(self) -> None:
        """Behind the last record, so that the repair loses nothing but the rubbish."""
        segments = sorted(path for path in (self.data / "prometheus" / "wal").iterdir() if path.name.isdigit())
        with segments[-1].open("ab") as stream:
            stream.write(b"\xff" * 64)

    def _daemon(self, system: str) -> tuple[Daemon, dict[str, Any], Path]:
        kept = self.folder / "run" / ("%s.stopped" % system)
        current = self.folder / "run" / ("%s.json" % system)
        record = json.loads((current if current.exists() else kept).read_text(encoding="utf-8"))
        return Daemon(self.folder, self.prefix, {**record, "user": "prometheus", "cgroup": system}), record, kept

    @staticmethod
    def _write(path: Path, text: str) -> None:
        temporary = path.with_name(".%s.new" % path.name)
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o644)
        os.replace(temporary, path)


def main() -> int:
    """The named method does the rest."""
    lab = Lab(Path(sys.argv[1]).resolve(), sys.argv[2])
    getattr(lab, sys.argv[3])(*sys.argv[4:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
