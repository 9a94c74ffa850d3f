# Copyright: (c) 2026, Nexus COS operations
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in a real browser: it works, in both themes and on a phone, and axe finds nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "report"))

import fake  # noqa: E402

from ansible_collections.nexuscos.ops.plugins.module_utils._history.delta import past_of  # noqa: E402
from ansible_collections.nexuscos.ops.plugins.module_utils._report import delta_view, html  # noqa: E402

TEMPLATE = (ROOT / "roles" / "report" / "templates" / "report.html.j2").read_text(encoding="utf-8")
SHOTS = ROOT / ".cache" / "shots"
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def healthy() -> dict[str, Any]:
    return delta_view.complete(fake.report(fake.look("db4", "databases"), fake.look("us-east-1", "clusters")))


def broken() -> dict[str, Any]:
    """A dead primary, with what was known the day before, one thing resolved and one acknowledged."""
    before = delta_view.complete(
        fake.report(
            fake.look("db1", "databases", fake.finding("postgres.bloat", "db1/nexusdb/t", "warning")),
            fake.look("us-east-1", "clusters"),
            run={"id": "before", "started": "2026-11-21T06:00:00Z"},
        )
    )
    now = fake.dead_primary()
    past = past_of(before)
    delta_view.apply(now, [past], [], now["run"]["started"])
    series = {"db1": {"postgres_health.connections_used": {"before": 17.0}}}
    for look in now["systems"]:
        if look["name"] == "db1":
            look["facts"]["connections_used"] = 41
    delta_view.trends(now, [past], series)
    now["findings"][-1]["acknowledged"] = {
        "by": "ops", "reason": "known", "until": "2026-11-25T18:00:00Z", "inherited": False,
    }  # fmt: skip
    return now


def many(count: int = 500) -> dict[str, Any]:
    """As many findings as nobody wants to have."""
    findings = [
        fake.finding(
            "k8s.crash_loop",
            "us-east-1/nexus-auth/Deployment/service-%d" % number,
            ("critical", "warning")[number % 2],
            title="service-%d is crash-looping (exit 1, %d restarts)" % (number, number),
            evidence={"last_lines": ["line %d of the log" % line for line in range(8)], "pods": ["a", "b"]},
            remedy="kubectl -n nexus-auth logs deployment/service-%d --previous" % number,
        )
        for number in range(count)
    ]
    return delta_view.complete(fake.report(fake.look("us-east-1", "clusters", *findings)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(ARGUMENTS))
        yield started
        started.close()


class Shown:
    """One page of one report."""

    def __init__(self, browser: Browser, folder: Path, report: dict[str, Any], theme: str = "light", width: int = 1280):
        file = folder / "report.html"
        file.write_text(html.render(report, TEMPLATE), encoding="utf-8", errors="replace")
        self.context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
        self.asked: list[str] = []
        self.troubles: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", lambda line: self.troubles.append(line.text) if line.type == "error" else None)
        self.url = file.as_uri()
        self.page.goto(self.url)


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Any]:
    opened: list[Shown] = []

    def made(report: dict[str, Any], **more: Any) -> Shown:
        opened.append(Shown(browser, tmp_path, report, **more))
        return opened[-1]

    yield made
    for one in opened:
        one.context.close()


@pytest.mark.parametrize("width", [1280, 390], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("make", [healthy, broken], ids=["healthy", "broken"])
def test_axe_finds_nothing_and_nothing_is_asked_of_the_network(show: Any, make: Any, theme: str, width: int) -> None:
    shown = show(make(), theme=theme, width=width)
    SHOTS.mkdir(parents=True, exist_ok=True)
    shown.page.screenshot(path=str(SHOTS / ("%s-%s-%d.png" % (make.__name__, theme, width))), full_page=True)
    for details in shown.page.locator("details").all():
        details.evaluate("one => { one.open = true; }")
    found = Axe().run(shown.page)
    assert found.violations_count == 0, found.generate_report()
    assert [url for url in shown.asked if url != shown.url and not url.startswith("data:")] == []
    assert shown.troubles == []


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_the_page_never_scrolls_sideways(show: Any, width: int) -> None:
    page = show(broken(), width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_cause_leads_and_holds_what_it_explains(show: Any) -> None:
    page = show(broken()).page
    first = page.locator(".card").first
    assert "CAUSE" in first.inner_text()
    assert "refuses connections" in first.inner_text()
    assert first.locator(".symptom").count() == 33


def test_filters_by_text_status_system_and_service(show: Any) -> None:
    page = show(broken()).page
    everything = page.locator(".card:visible").count()
    assert everything > 1
    page.fill("#text", "no such words")
    assert page.locator(".card:visible").count() == 0
    assert page.locator("#nothing").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".card:visible").count() == everything
    page.uncheck("[name=status][value=critical]")
    # A critical cause stays as long as it explains something that is not.
    assert page.locator(".symptom.critical:not([hidden])").count() == 0
    assert page.locator(".card.critical:visible").count() == page.locator(".card:has(.symptom:not([hidden]))").count()
    page.keyboard.press("Escape")
    page.select_option("#system", "db1")
    assert page.locator(".card:visible").count() == 1
    page.keyboard.press("Escape")
    page.select_option("#service", "glitch")
    visible = page.locator(".symptom:not([hidden])")
    assert {visible.nth(place).get_attribute("data-service") for place in range(visible.count())} == {"glitch"}


def test_the_keyboard_alone_is_enough(show: Any) -> None:
    page = show(broken()).page
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator(".card").nth(1).get_attribute("id")
    assert page.evaluate("document.activeElement.id") == second
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") == page.locator(".card").first.get_attribute("id")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("Escape")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before


def test_a_finding_has_a_link_that_opens_it(show: Any) -> None:
    shown = show(broken())
    page = shown.page
    symptom = page.locator(".symptom").last.get_attribute("id")
    page.goto("about:blank")
    page.goto("%s#%s" % (shown.url, symptom))
    assert page.locator("#%s" % symptom).evaluate("one => one.open")
    assert page.locator("#%s" % symptom).is_visible()


def test_what_changed_and_values_of_earlier_runs_are_shown(show: Any) -> None:
    page = show(broken()).page
    text = page.locator("main").inner_text()
    assert "1 resolved" in page.locator("body").inner_text()
    assert "Values of the last 2 runs" in text
    assert page.locator("svg.spark").count() >= 1


def test_the_map_leads_to_the_findings_of_a_red_service(show: Any) -> None:
    page = show(broken()).page
    link = page.locator("svg.map .critical a").first
    target = str(link.get_attribute("href"))
    link.evaluate("one => one.dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    assert page.evaluate("location.hash") == target
    assert page.locator(target).is_visible()


def test_it_works_without_its_script(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(html.render(broken(), TEMPLATE), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator(".card").first.is_visible()
    assert not page.locator("form.filters").is_visible()
    context.close()


def test_it_prints_dark_on_light_with_everything_open(show: Any) -> None:
    shown = show(broken(), theme="dark")
    shown.page.emulate_media(media="print")
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.page.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")
    assert not shown.page.locator("form.filters").is_visible()
    assert shown.page.pdf()[:5] == b"%PDF-"


def test_hostile_text_is_text(show: Any) -> None:
    bad = fake.finding(
        "k8s.readiness",
        "us-east-1/ns/Deployment/<img src=x onerror=alert(1)>",
        title="<script>document.title='broken'</script>",
        evidence={"link": "javascript:alert(1)", "body": "</pre><script>document.title='broken'</script>"},
    )
    shown = show(delta_view.complete(fake.report(fake.look("us-east-1", "clusters", bad))))
    assert "broken" not in shown.page.title()
    assert shown.page.locator("main script, main img").count() == 0
    assert shown.page.locator("a[href^='javascript:']").count() == 0


def test_a_page_of_five_hundred_findings_opens_and_filters(show: Any) -> None:
    shown = show(many())
    page = shown.page
    assert page.locator(".card").count() == 500
    page.fill("#text", "service-499 ")
    page.fill("#text", "service-499")
    assert page.locator(".card:visible").count() == 1
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    figures = ROOT / ".cache" / "page.txt"
    figures.parent.mkdir(exist_ok=True)
    figures.write_text(
        "500 findings: %d KB, loaded in %.0f ms\n" % (len(page.content()) // 1024, timing["loadEventEnd"]),
        encoding="utf-8",
    )
    assert timing["loadEventEnd"] > 0
    assert shown.troubles == []
