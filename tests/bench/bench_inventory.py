"""A platform of many clusters and hosts, played from recordings: the cost of a morning by the number of systems."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import measure
import yaml

BUNDLE = measure.ROOT / "tests" / "lab" / "bundle"
SMALL, LARGE = (5, 50), (50, 500)
MEMORY_MB, REPORT_MB = 1024.0, 5.0


def platform(folder: Path, clusters: int, hosts: int) -> tuple[str, Path]:
    """An inventory of so many clusters and hosts, each with a recording of one of the lab's."""
    bundle = folder / "bundle"
    names = {
        "clusters": [("cluster%d" % number, "us-east-1", "k8s_health") for number in range(clusters)],
        "hosts": [("host%d" % number, "host1", "host_health") for number in range(hosts)],
    }
    for systems in names.values():
        for name, source, module in systems:
            (bundle / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(BUNDLE / source / (module + ".json.gz"), bundle / name)
    catalogue = yaml.safe_load((measure.ROOT / "inventories/lab/group_vars/all/catalogue.yml").read_text("utf-8"))
    inventory = {
        "all": {
            "vars": {**catalogue, "nexuscos_replay_dir": str(bundle), "nexuscos_history_url": "none"},
            "children": {group: {"hosts": {name: {} for name, _s, _m in systems}} for group, systems in names.items()},
        }
    }
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")
    return str(path), folder / "reports"


def morning(clusters: int, hosts: int) -> tuple[float, float, float, int]:
    """Seconds, the controller's memory in MB, the page's size in MB, and how many systems were judged."""
    with tempfile.TemporaryDirectory(prefix="bench-inventory-") as name:
        path, reports = platform(Path(name), clusters, hosts)
        extra: dict[str, Any] = {"nexuscos_report_dir": str(reports), "nexuscos_fail_on": "never"}
        command = [
            str(measure.BIN / "ansible-playbook"),
            "-i",
            path,
            "nexuscos.ops.daily_morning",
            "-e",
            json.dumps(extra),
        ]
        took, memory = measure.process(command)
        latest = reports / "daily_morning" / "latest"
        size = max((latest / file).stat().st_size for file in ("report.html", "report.json")) / 1e6
        seen = len(json.loads((latest / "report.json").read_text(encoding="utf-8"))["systems"])
    if seen != clusters + hosts:
        raise SystemExit(f"{seen} systems were judged, not {clusters + hosts}")
    return took, memory, size, seen


def main() -> None:
    """Measure once each: the large platform takes minutes."""
    small = morning(*SMALL)
    large = morning(*LARGE)
    factor = large[3] / small[3]
    linear = small[0] * factor
    measure.emit(
        "inventory",
        f"{large[3]} systems by replay; limit: a tenth above linear cost",
        [large[0]],
        "s",
        {f"{factor:g} times {small[3]} systems": linear},
        linear * 1.1,
    )
    measure.emit("inventory: memory", f"{large[3]} systems: memory of the controller", [large[1]], "MB", {}, MEMORY_MB)
    measure.emit(
        "inventory: report", f"{large[3]} systems: the larger of page and JSON", [large[2]], "MB", {}, REPORT_MB
    )


if __name__ == "__main__":
    main()
