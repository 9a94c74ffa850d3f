# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page leads to where a finding can be seen: `link` of its evidence, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from fake import ROOT, finding, look, report

from ansible_collections.nexuscos.ops.plugins.module_utils._report import html

TEMPLATE = (ROOT / "roles/report/templates/report.html.j2").read_text(encoding="utf-8")
LINK = "https://monitoring.example.com/d/x?from=1&to=2"


def page(evidence: dict[str, Any]) -> str:
    return html.render(
        report(look("us-east-1", "clusters", finding("k8s.api", "us-east-1", evidence=evidence))), TEMPLATE
    )


def test_a_link_can_be_followed() -> None:
    shown = LINK.replace("&", "&amp;")
    assert f'<a href="{shown}" rel="noopener noreferrer">{shown}</a>' in page({"link": LINK})


@pytest.mark.parametrize(
    "evidence",
    [{"url": LINK}, {"link": "javascript:alert(1)"}, {"link": {"link": LINK}}, {"link": "//monitoring.example.com"}],
)
def test_what_is_no_link_is_text(evidence: dict[str, Any]) -> None:
    assert 'rel="noopener' not in page(evidence)


def test_a_link_cannot_break_out() -> None:
    assert '"><b>' not in page({"link": LINK + '"><b>'})
