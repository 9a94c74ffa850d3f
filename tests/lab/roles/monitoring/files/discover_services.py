# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: discover_services.py LAB FOLDER SECONDS

Debian's Prometheus is built without the discovery of Kubernetes: this writes what it would find, every pod behind a
Service of the
catalogue, into one file a cluster, which Prometheus watches. When a cluster does not answer, its file stays as it
was, as
Prometheus itself would do it.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
import urllib.parse
from pathlib import Path
from typing import Any


def read_slices(pki: Path, cluster: str, server: str) -> list[dict[str, Any]]:
    """All EndpointSlices of a cluster; raises OSError when it does not answer or refuses."""
    context = ssl.create_default_context(cafile=str(pki / ("%s.crt" % cluster)))
    context.load_cert_chain(str(pki / ("prometheus-%s.crt" % cluster)), str(pki / ("prometheus-%s.key" % cluster)))
    address = urllib.parse.urlsplit(server)
    connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=10, context=context)
    try:
        connection.request("GET", "/apis/discovery.k8s.io/v1/endpointslices?resourceVersion=0")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise OSError("status %d" % answer.status)
        return list(json.loads(body)["items"])
    finally:
        connection.close()


def targets(slices: list[dict[str, Any]], services: dict[str, dict[str, Any]], cluster: str) -> list[dict[str, Any]]:
    """What is scraped, one entry a pod, in a stable order."""
    found = []
    for part in slices:
        name = part["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        namespace = part["metadata"]["namespace"]
        if services.get(name, {}).get("namespace") != namespace:
            continue
        for port in part.get("ports") or []:
            for endpoint in part.get("endpoints") or []:
                labels = {"cluster": cluster, "namespace": namespace, "service": name}
                labels["pod"] = (endpoint.get("targetRef") or {}).get("name", "")
                found += [{"targets": ["%s:%d" % (ip, port["port"])], "labels": labels} for ip in endpoint["addresses"]]
    return sorted(found, key=lambda entry: str(entry["targets"]))


def main() -> None:
    """Look and write, for ever; a word on each change between answering and not answering."""
    lab_dir, folder, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    problem: dict[str, str] = {}
    while True:
        lab = json.loads((lab_dir / "lab.json").read_text())
        for cluster, known in lab["clusters"].items():
            try:
                found = targets(read_slices(lab_dir / "pki", cluster, known["server"]), lab["services"], cluster)
                now = ""
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                found, now = None, str(error)
            if now != problem.get(cluster, "?"):
                problem[cluster] = now
                print("%s: %s" % (cluster, now or "answers"), flush=True)
            if found is None:
                continue
            path = folder / ("%s.json" % cluster)
            text = json.dumps(found, indent=1)
            if not path.exists() or path.read_text() != text:
                temporary = path.with_suffix(".new")
                temporary.write_text(text)
                os.replace(str(temporary), str(path))
        time.sleep(pause)


if __name__ == "__main__":
    main()
