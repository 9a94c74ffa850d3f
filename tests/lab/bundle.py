#!/usr/bin/env python3
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the lab into a bundle: `make bundle`. The repository carries one of the healthy lab in tests/lab/bundle/.

`make daily` judges the clusters from it while Kubernetes is being built for the first time, and `make demo` everything.
A bundle is one file for each system and module: <folder>/<inventory host>/<module>.json.gz.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "tests" / "lab" / "bundle"
SECRETS = ROOT / ".lab" / "secrets.json"


def morning(variables: dict[str, Any], inventory: str = "inventories/lab", limit: str = "") -> dict[str, Any]:
    """Run the morning procedure and return report.json; findings never fail this run."""
    with tempfile.TemporaryDirectory(prefix="nexuscos-bundle-") as folder:
        extra = {"nexuscos_report_dir": folder, "nexuscos_fail_on": "never"} | variables
        command = [
            str(ROOT / ".venv" / "bin" / "ansible-playbook"),
            "-i",
            inventory,
            "nexuscos.ops.daily_morning",
            "-e",
            json.dumps(extra),
        ]
        if limit:
            command += ["--limit", limit]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        path = Path(folder) / "daily_morning" / "latest" / "report.json"
        if done.returncode != 0 or not path.exists():
            raise SystemExit(
                f"bundle: daily_morning failed ({done.returncode}):\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}"
            )
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def secrets() -> list[str]:
    """Every password of the lab: none of them may stand in a bundle."""

    def leaves(data: Any) -> list[str]:
        if isinstance(data, dict):
            return [leaf for value in data.values() for leaf in leaves(value)]
        return [data] if isinstance(data, str) and len(data) >= 8 else []

    return leaves(json.loads(SECRETS.read_text(encoding="utf-8")))


def leaks(folder: Path, words: list[str]) -> list[str]:
    """Files of a bundle that hold a secret of the lab or a path of this machine."""
    import gzip

    found = []
    for path in sorted(folder.rglob("*.json.gz")):
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
        found += [f"{path.relative_to(folder)}: a password of the lab" for word in words if word in text]
        if str(ROOT) in text:
            found.append(f"{path.relative_to(folder)}: a path of this machine")
    return found


def main() -> int:
    """Record into a temporary folder, check it, and only then put it in the old bundle's place."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=BUNDLE, help="where the bundle goes (default: the repository's)")
    parser.add_argument("--allow-findings", action="store_true", help="record a lab that is not healthy, too")
    given = parser.parse_args()
    fresh = Path(tempfile.mkdtemp(prefix=".bundle-", dir=given.to.parent))
    try:
        report = morning({"nexuscos_record_dir": str(fresh), "nexuscos_replay_dir": ""})
        bad = [one for one in report["findings"] if one["status"] != "ok"]
        for one in bad:
            print(f"{one['status']:9} {one['check']} {one['object']}: {one['title']}")
        if bad and not given.allow_findings:
            print("bundle: the lab is not healthy, nothing was kept (make heal, or --allow-findings)", file=sys.stderr)
            return 1
        found = leaks(fresh, secrets())
        if found:
            print("bundle: nothing was kept:\n  " + "\n  ".join(found), file=sys.stderr)
            return 1
        fresh.chmod(0o755)
        if given.to.exists():
            shutil.rmtree(given.to)
        os.replace(fresh, given.to)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    files = sorted(given.to.rglob("*.json.gz"))
    print(f"{len(files)} recordings, {sum(path.stat().st_size for path in files) / 1e6:.2f} MB in {given.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
