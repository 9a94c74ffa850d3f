# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network of an instance: one bridge, one namespace a machine, plain routes; made and taken away with iproute2."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

NETNS = Path("/run/netns")


class NetworkError(Exception):
    """A network command failed; the message holds the command and what it said."""


def run(*command: str, check: bool = True, stdin: str | None = None) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(list(command), input=stdin, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise NetworkError("%s: %s" % (" ".join(command), (done.stderr or done.stdout).strip()))
    return done.stdout


def _links(netns: str | None = None) -> dict[str, dict[str, Any]]:
    command = ["ip"] + (["-n", netns] if netns else []) + ["-json", "address", "show"]
    return {link["ifname"]: link for link in json.loads(run(*command) or "[]") if link}


def _addresses(link: dict[str, Any]) -> list[str]:
    return ["%s/%s" % (a["local"], a["prefixlen"]) for a in link.get("addr_info", []) if a.get("family") == "inet"]


def _routes(netns: str | None) -> dict[str, str]:
    command = ["ip"] + (["-n", netns] if netns else []) + ["-json", "-4", "route", "show"]
    return {route["dst"]: route.get("gateway", "") for route in json.loads(run(*command) or "[]")}


def _wrong_routes(netns: str | None, wanted: list[dict[str, str]]) -> list[dict[str, str]]:
    have = _routes(netns)
    return [route for route in wanted if have.get(route["to"]) != route["via"]]


def ensure_bridge(name: str, gateway: str, routes: list[dict[str, str]], check: bool = False) -> bool:
    """The bridge with the gateway's address and the routes of the machine itself. Returns whether it changed."""
    changed = False
    links = _links()
    if name not in links:
        if check:
            return True
        run("ip", "link", "add", name, "type", "bridge", "forward_delay", "0")
        changed = True
        links = _links()
    if "%s/24" % gateway not in _addresses(links[name]):
        changed = True
        if not check:
            run("ip", "address", "replace", "%s/24" % gateway, "dev", name)
    if "UP" not in links[name].get("flags", []):
        changed = True
        if not check:
            run("ip", "link", "set", name, "up")
    for route in _wrong_routes(None, routes):
        changed = True
        if not check:
            run("ip", "route", "replace", route["to"], "via", route["via"], "dev", name)
    return _let_bridge_pass(name, check) or changed


def _let_bridge_pass(name: str, check: bool) -> bool:
    """Where bridged packets pass the machine's iptables and FORWARD drops, one marked rule lets this bridge pass."""
    try:
        if Path("/proc/sys/net/bridge/bridge-nf-call-iptables").read_text().strip() != "1":
            return False
    except OSError:
        return False
    rules = run("iptables", "-w", "-S", "FORWARD", check=False)
    if ("-P FORWARD ACCEPT" in rules and "-j DROP" not in rules) or "--comment %s-lab" % name in rules:
        return False
    if not check:
        run(*("iptables -w -I FORWARD -i %s -o %s -m comment --comment %s-lab -j ACCEPT" % (name, name, name)).split())
    return True


def ensure_machine(
    bridge: str, netns: str, gateway: str, address: str, routes: list[dict[str, str]], check: bool = False
) -> bool:
    """One machine: namespace, veth pair on the bridge, address, routes. Returns whether it changed."""
    changed = False
    mounted = NETNS.joinpath(netns).exists()
    if mounted and not _is_namespace(netns):  # the file is there, the namespace is not: half a crash
        if not check:
            run("ip", "netns", "delete", netns)
        mounted = False
    if not mounted:
        if check:
            return True
        run("ip", "netns", "add", netns)
        changed = True
    links = _links(netns)
    if "eth0" not in links:
        if check:
            return True
        run("ip", "link", "delete", netns, check=False)  # the other end of a pair that was left behind
        run("ip", "link", "add", netns, "type", "veth", "peer", "name", "eth0", "netns", netns)
        run("ip", "link", "set", netns, "master", bridge, "up")
        changed = True
        links = _links(netns)
    commands = []
    if "%s/24" % address not in _addresses(links["eth0"]):
        commands.append("address replace %s/24 dev eth0" % address)
    commands += ["link set %s up" % link for link in ("lo", "eth0") if "UP" not in links[link].get("flags", [])]
    wanted = [*routes, {"to": "default", "via": gateway}]
    if commands or _wrong_routes(netns, wanted):
        commands += ["route replace %s via %s dev eth0" % (route["to"], route["via"]) for route in wanted]
    peer = _links().get(netns, {})
    if peer.get("master") != bridge or "UP" not in peer.get("flags", []):
        changed = True
        if not check:
            run("ip", "link", "set", netns, "master", bridge, "up")
    if commands:
        changed = True
        if not check:
            run("ip", "-n", netns, "-batch", "-", stdin="\n".join(commands) + "\n")
    return changed


def _is_namespace(netns: str) -> bool:
    return bool(run("ip", "-n", netns, "link", "show", "lo", check=False).strip())


def remove_machine(netns: str, check: bool = False) -> bool:
    """Take a machine away, also when only one half of it is left. Returns whether there was something."""
    there = NETNS.joinpath(netns).exists()
    link = Path("/sys/class/net", netns).exists()
    if not check:
        if link:
            run("ip", "link", "delete", netns, check=False)
        if there:
            run("ip", "netns", "delete", netns, check=False)
            if NETNS.joinpath(netns).exists():
                os.unlink(str(NETNS / netns))
    return there or link


def remove_bridge(name: str, check: bool = False) -> bool:
    """Take the bridge away with its routes and the rule that let it pass. Returns whether there was something."""
    there = Path("/sys/class/net", name).exists()
    if not check:
        rule = "FORWARD -i %s -o %s -m comment --comment %s-lab -j ACCEPT" % (name, name, name)
        while "--comment %s-lab" % name in run("iptables", "-w", "-S", "FORWARD", check=False):
            run("iptables", "-w", "-D", *rule.split())
        if there:
            run("ip", "link", "delete", name)
    return there
