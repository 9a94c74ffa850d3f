# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the lab: prepare, up (with its progress), wait, status, env, down."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from . import instance, plan, state, status, teardown
from .process import start_time

FOLDERS = ("run", "log", "pki", "data", "faults", "etc")
SLOW = ("kubernetes",)
# seconds on two cores: with an empty cache, and with a full one
USUALLY = {
    "network": (3, 2),
    "packages": (40, 1),
    "postgresql": (20, 8),
    "analytics": (15, 5),
    "redis": (8, 5),
    "mongodb": (8, 5),
    "monitoring": (10, 6),
    "dashboards": (8, 5),
    "edge": (6, 4),
    "hosts": (40, 6),
    "compose": (25, 6),
    "backups": (45, 12),
    "kubernetes": (900, 50),
}


class LabError(Exception):
    """Something an operator can put right; the message says what."""


class Lab:
    """One checkout's lab."""

    def __init__(self, checkout: Path, lab_dir: Path) -> None:
        self.checkout = checkout
        self.dir = lab_dir
        self.state_file = lab_dir / "lab.json"
        self.up_record = lab_dir / "run" / "up.json"
        self.up_log = lab_dir / "log" / "up.log"

    def prepare(self, _arguments: argparse.Namespace | None = None) -> int:
        """Everything that the inventory needs before Ansible starts: instance, folders, passwords, lab.json."""
        if os.geteuid() != 0:
            raise LabError(
                "needs root, for network namespaces and control groups. Without root, `make demo` shows the report."
            )
        missing = [tool for tool in ("ip", "nsenter", "setpriv") if not shutil.which(tool)]
        if missing:
            raise LabError("needs %s (Debian packages iproute2 and util-linux)" % ", ".join(missing))
        try:
            number = instance.claim(self.dir)
        except instance.NoInstanceLeft as error:
            raise LabError(str(error)) from error
        for folder in FOLDERS:
            (self.dir / folder).mkdir(parents=True, exist_ok=True)
        state.ensure_secrets(self.dir / "secrets.json")
        self._mount_short_path(number)
        import yaml

        catalogue = yaml.safe_load((self.checkout / "inventories/lab/group_vars/all/catalogue.yml").read_text())
        lab = plan.describe(self.checkout, self.dir, number, catalogue["nexuscos_services"])
        kubeconfig = os.environ.get("NEXUSCOS_LAB_KUBECONFIG") or str(self.dir / "kubeconfig")
        known = state.read(self.state_file).get("clusters", {})
        state.update(
            self.state_file,
            {
                "instance": number,
                "prefix": lab["prefix"],
                "gateway": lab["gateway"],
                "domain": lab["domain"],
                "machines": {
                    name: {"address": machine["address"], "netns": machine["netns"], "what": machine["what"]}
                    for name, machine in lab["machines"].items()
                },
                "clusters": {
                    name: {
                        "ready": bool(known.get(name, {}).get("ready", False)),
                        "kubeconfig": kubeconfig,
                        "context": name,
                        "server": cluster["server"],
                    }
                    for name, cluster in lab["clusters"].items()
                },
                "services": lab["services"],
                "ca": str(self.dir / "pki" / "ca.crt"),
            },
        )
        return 0

    def _mount_short_path(self, number: int) -> None:
        """The state folder under /run too: a checkout in a home is not to be walked by the servers' users, and a path
        may be too long for a socket."""
        target = plan.run_dir(number)
        target.mkdir(parents=True, exist_ok=True)
        mounted = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        if str(target) in mounted:
            if os.path.samefile(str(target), str(self.dir)):
                return
            subprocess.run(["umount", "-l", str(target)], check=True)
        subprocess.run(["mount", "--bind", str(self.dir), str(target)], check=True)
        subprocess.run(["mount", "--make-private", str(target)], check=True)

    def up(self, arguments: argparse.Namespace) -> int:
        """Start Ansible in the background (or join what runs already) and follow it."""
        self.prepare()
        run = self._running_up()
        if run is None:
            run = self._start_up([name for name in arguments.only.split(",") if name])
            print(
                "lab %s comes up in the background; log: %s"
                % (state.read(self.state_file).get("prefix"), self._short(self.up_log))
            )
            print(
                "usual seconds (first time/later): "
                + ", ".join("%s %d/%d" % (name, *seconds) for name, seconds in USUALLY.items())
            )
        else:
            print("the lab is coming up already; joining")
        return self._follow(run, nowait=arguments.nowait)

    def wait(self, arguments: argparse.Namespace) -> int:
        """Follow a `make lab` that runs in the background until it is done."""
        run = self._running_up()
        if run is not None:
            return self._follow(run, nowait=arguments.nowait)
        components = state.read(self.state_file).get("components", {})
        if not components:
            raise LabError("there is no lab: run `make lab`")
        return self._verdict(components)

    def status(self, arguments: argparse.Namespace) -> int:
        """Print what runs where."""
        if not self.state_file.exists():
            raise LabError("there is no lab: run `make lab`")
        status.show(self.dir, coming_up=self._running_up() is not None, as_json=arguments.json)
        return 0

    def env(self, _arguments: argparse.Namespace) -> int:
        """Print export lines for any tool."""
        if not self.state_file.exists():
            raise LabError("there is no lab: run `make lab`")
        print("\n".join(status.environment(self.checkout, self.dir)))
        return 0

    def down(self, arguments: argparse.Namespace) -> int:
        """End everything; also what a crash left behind."""
        if os.geteuid() != 0:
            raise LabError("needs root: it removes network namespaces, mounts and control groups")
        number = instance.current(self.dir)
        if number is None:
            print("there is no lab of this checkout")
            return 0
        run = self._running_up()
        if run is not None:
            teardown.end_session(int(run["pid"]))
        left = teardown.down(self.checkout, self.dir, number, keep=arguments.keep)
        if left:
            raise LabError("this is left and could not be removed: %s" % "; ".join(left))
        print("the lab is down; the binary cache stays in %s" % plan.cache_dir())
        return 0

    def _running_up(self) -> dict[str, Any] | None:
        record = state.read(self.up_record)
        return record if record and record.get("start") == start_time(int(record["pid"])) else None

    def _start_up(self, only: list[str]) -> dict[str, Any]:
        unknown = sorted(set(only) - set(USUALLY))
        if unknown:
            raise LabError("no component %s; there are %s" % (", ".join(unknown), ", ".join(USUALLY)))
        if not (Path(sys.executable).parent / "ansible-playbook").exists():
            raise LabError("there is no Ansible beside %s: use `make lab`, which makes .venv first" % sys.executable)
        run_id = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        env = dict(
            os.environ,
            NEXUSCOS_LAB_DIR=str(self.dir),
            NEXUSCOS_LAB_RUN=run_id,
            ANSIBLE_LOCAL_TEMP=str(self.dir / "tmp"),
            ANSIBLE_CONFIG=str(self.checkout / "tests/lab/ansible.cfg"),
            PYTHONDONTWRITEBYTECODE="1",
            PATH="%s:%s" % (Path(sys.executable).parent, os.environ["PATH"]),
        )
        command = [str(Path(sys.executable).parent / "ansible-playbook"), str(self.checkout / "tests/lab/up.yml")]
        if only:
            command += ["--limit", ",".join(["network", "packages", *only])]
        with open(self.up_log, "w") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=str(self.checkout),
                start_new_session=True,
            )
        record = {"pid": process.pid, "start": start_time(process.pid), "run": run_id, "only": only}
        state.write(self.up_record, record)
        self._child = process
        return record

    def _follow(self, run: dict[str, Any], nowait: bool) -> int:
        pid, begun = int(run["pid"]), run["start"]
        with open(self.up_log) as log:
            while True:
                text = log.read()
                if text:
                    sys.stdout.write(text)
                    sys.stdout.flush()
                child = getattr(self, "_child", None)
                if child is not None:
                    child.poll()
                alive = start_time(pid) == begun
                components = state.read(self.state_file).get("components", {})
                ours = {name: part for name, part in components.items() if part.get("run") == run["run"]}
                if not alive:
                    sys.stdout.write(log.read())
                    if (
                        child is not None
                        and child.returncode
                        and not any(p["state"] == "failed" for p in ours.values())
                    ):
                        raise LabError(
                            "Ansible ended with status %d; see %s" % (child.returncode, self._short(self.up_log))
                        )
                    return self._verdict(components)
                quick = [name for name in run.get("only") or USUALLY if name not in SLOW]
                if nowait and all(ours.get(name, {}).get("state") in ("up", "failed") for name in quick):
                    slow = ", ".join("%s: %s" % (n, components.get(n, {}).get("detail") or "starting") for n in SLOW)
                    print("all but Kubernetes is there; it goes on in the background (%s)" % slow)
                    return self._verdict({name: ours[name] for name in quick})
                time.sleep(0.3)

    def _verdict(self, components: dict[str, Any]) -> int:
        bad: list[str] = [name for name in USUALLY if name in components and components[name].get("state") != "up"]
        for name in bad:
            print(
                "%s is %s: %s" % (name, components[name].get("state"), components[name].get("detail")), file=sys.stderr
            )
        if not bad:
            print(
                "up: %s. `make lab-status` tells where, `make -s lab-env` prints the environment."
                % ", ".join(components)
            )
        return 1 if bad else 0

    def _short(self, path: Path) -> str:
        return os.path.relpath(str(path), str(Path.cwd()))
