# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the documentation lead somewhere: links to files and headings, make targets, test paths."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
MAKE = re.compile(r"(?:^|[`$#] ?)make (?:-s )?((?!sure|it\b)[a-z][a-z-]+)", re.M)


def pages() -> list[str]:
    """Our own pages: the runbooks are documents of the platform and stay as they are."""
    listing = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    return [name for name in listing if not name.startswith("docs/runbooks/") and (ROOT / name).is_file()]


def slug(heading: str) -> str:
    """The anchor that Git hosts make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    named = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    return named | {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.M)}


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    dead = []
    for link in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _sep, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", pages())
def test_make_targets_exist(page: str) -> None:
    files = [ROOT / "Makefile", *sorted((ROOT / "tests").glob("*/*.mk"))]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    targets = {line.split(":")[0] for line in lines if re.match(r"[a-z][a-z-]*:", line)}
    assert set(MAKE.findall((ROOT / page).read_text(encoding="utf-8"))) - targets == set()
