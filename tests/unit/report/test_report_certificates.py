# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the report: their line of the morning, and what a broken one explains."""

from __future__ import annotations

from typing import Any

import pytest
from fake import finding, look, report


def causes(made: dict[str, Any]) -> dict[str, str | None]:
    """Object of each finding -> object of its cause."""
    objects = {one["fingerprint"]: one["object"] for one in made["findings"]}
    return {one["object"]: objects.get(one["caused_by"] or "") for one in made["findings"]}


def of_certificate(check: str, **more: Any) -> dict[str, Any]:
    return finding(f"certificate.{check}", "set/api", evidence={"service": "backend-api"}, **more)


def of_endpoint(check: str) -> dict[str, Any]:
    return finding(f"endpoint.{check}", "public/api", evidence={"service": "backend-api"})


def both(certificate: dict[str, Any], endpoint: dict[str, Any]) -> dict[str, str | None]:
    return causes(
        report(
            look("set", "certificates", certificate, location="us-east-1"),
            look("public", "endpoints", endpoint, location="us-east-1", services={"api": "backend-api"}),
        )
    )


def test_the_line_of_the_morning_tells_what_expires_first() -> None:
    made = report(
        look("a", "certificates", facts={"certificates_ok": 5, "certificates_total": 6, "days_to_expiry": 61.5}),
        look("b", "certificates", facts={"certificates_ok": 2, "certificates_total": 2, "days_to_expiry": 33.0}),
        look("c", "certificates", facts={"certificates_ok": 0, "certificates_total": 0, "days_to_expiry": None}),
    )
    item = next(one for one in made["items"] if one["id"] == "morning.certificates")
    assert item["headline"] == "7 of 8 certificates fine; the first expires in 33 days"


@pytest.mark.parametrize("check", ["chain", "hostname", "not_yet_valid", "trust"])
def test_a_broken_certificate_explains_the_endpoint_of_its_service(check: str) -> None:
    assert both(of_certificate(check), of_endpoint("tls"))["public/api"] == "set/api"


def test_one_that_has_expired_explains_and_one_that_will_does_not() -> None:
    assert both(of_certificate("expiry", value=-2.0), of_endpoint("tls"))["public/api"] == "set/api"
    assert both(of_certificate("expiry", value=3.0), of_endpoint("tls"))["public/api"] is None


def test_a_certificate_explains_no_endpoint_that_refuses_connections() -> None:
    assert both(of_certificate("trust"), of_endpoint("reachable"))["public/api"] is None


def test_a_certificate_explains_no_crash_in_the_cluster() -> None:
    crash = finding("k8s.crash_loop", "us-east-1/nexus-platform/Deployment/backend-api")
    made = report(
        look("set", "certificates", of_certificate("trust"), location="us-east-1"), look("us-east-1", "clusters", crash)
    )
    assert causes(made)[crash["object"]] is None


def test_without_a_service_the_certificate_itself_is_what_they_have_in_common() -> None:
    seen = {"fingerprint_sha256": "ab12"}
    made = report(
        look("set", "certificates", finding("certificate.expiry", "set/status", value=-2.0, evidence=seen)),
        look("edge", "endpoints", finding("endpoint.tls", "edge/status", evidence={"certificate": seen})),
    )
    found = causes(made)
    assert found["set/status"] == found["edge/status"] == "certificate/ab12"
