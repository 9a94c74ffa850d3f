# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part of `make lint`: nothing in the repository depends on one place on the network or on one machine.

Package registries are the business of each machine's configuration (a mirror, a proxy), so no file names their hosts.
Nor may a path of a checkout or of a home directory stand in a file, or a private key, or a file too large to review.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST = 1_000_000  # bytes

# Written in parts, so that this file is not its own first finding.
REGISTRIES = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "galaxy." + "ansible.com",
    "console." + "redhat.com",
    "proxy." + "golang.org",
    "sum." + "golang.org",
    "registry." + "npmjs.org",
    "registry." + "k8s.io",
    "deb." + "debian.org",
    "index." + "docker.io",
    "ghcr" + ".io",
    "quay" + ".io",
]
FORBIDDEN = {
    "the host of a package registry": "|".join(rf"(?<![\w.-]){re.escape(host)}(?![\w-])" for host in REGISTRIES),
    "a path of one machine": "|".join(
        (
            re.escape(str(ROOT)) + r"(?![\w-])",
            r"/ro" + r"ot/",
            r"/ho" + r"me/(?!\.\.\.)[a-z]",
            r"(?<![\w./-])/wo" + r"rk/",
        )
    ),
    "a private key": "-----BEGIN [A-Z ]*PRIVATE" + r" KEY-----\s+[A-Za-z0-9+/=]{40}",
}
PATTERNS = {what: re.compile(pattern.encode()) for what, pattern in FORBIDDEN.items()}
# The text of the licence and fixtures of what must be redacted speak for themselves.
ALLOWED = {"LICENSE"}


def main() -> int:
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    names = [name for name in listing.split("\0") if name and (ROOT / name).is_file() and name not in ALLOWED]
    complaints = []
    for name in names:
        content = (ROOT / name).read_bytes()
        if len(content) > LARGEST:
            complaints.append(f"{name}: {len(content)} bytes")
        for what, pattern in PATTERNS.items():
            for match in pattern.finditer(content):
                line = content.count(b"\n", 0, match.start()) + 1
                complaints.append(f"{name}:{line}: {what}: {match.group().decode(errors='replace')}")
    print("\n".join(complaints) or f"tracked files: {len(names)} looked at, all good")
    return 1 if complaints or not names else 0


if __name__ == "__main__":
    sys.exit(main())
