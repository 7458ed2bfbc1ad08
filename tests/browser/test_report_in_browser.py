"""The report in a real browser: readable without JavaScript, by keyboard, by a screen reader."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from fixtures.pki import Pki
from harness.record.models import RunRecord
from reports import render, render_index
from tests.browser.conftest import Browser, StartBrowser
from tests.unit.reports_material import header, realistic, sut, verdict

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def opened(browser: Browser, report: Path, fragment: str = "") -> Browser:
    browser.get("about:blank")
    browser.get(f"{report.as_uri()}{fragment}")
    return browser


def displayed(browser: Browser) -> int:
    shown = browser.execute_script(
        "return [...document.querySelectorAll('details.finding')].filter(item => item.checkVisibility()).length"
    )
    assert isinstance(shown, int)
    return shown


def wait_for(browser: Browser, script: str) -> None:
    WebDriverWait(browser, 10, poll_frequency=0.05).until(lambda page: page.execute_script(f"return {script}"))


def violations(browser: Browser, axe: str) -> list[str]:
    browser.execute_script(axe)
    found: dict[str, Any] = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']}).then(done)"
    )
    assert len(found["passes"]) > 15
    return [f"{item['id']}: {node['html'][:200]}" for item in found["violations"] for node in item["nodes"]]


def logged(browser: Browser, kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def requested(browser: Browser) -> list[str]:
    messages = (json.loads(entry["message"])["message"] for entry in logged(browser, "performance"))
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]


def test_verdicts_are_filtered(browser: Browser, report: Path) -> None:
    opened(browser, report)
    every = displayed(browser)
    assert every == len(json.loads(report.with_suffix(".json").read_text())["verdicts"])
    for box in browser.find_elements(By.NAME, "verdict"):
        if box.get_attribute("value") != "fail":
            box.click()
    failing = json.loads(report.with_suffix(".json").read_text())["summary"]["fail"]
    assert displayed(browser) == failing
    assert browser.find_element(By.ID, "shown").text == f"{failing} of {every} requirements"
    browser.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    wait_for(browser, f"document.getElementById('shown').textContent === '{every} of {every} requirements'")
    assert displayed(browser) == every


def test_requirements_are_searched(browser: Browser, report: Path) -> None:
    opened(browser, report)
    search = browser.find_element(By.ID, "search")
    search.send_keys("no-null-cipher WAIVED")
    wait_for(browser, "document.getElementById('shown').textContent.startsWith('1 of')")
    assert displayed(browser) == 1
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys("nothing says this")
    wait_for(browser, "document.getElementById('shown').textContent.startsWith('0 of')")
    assert displayed(browser) == 0


def test_folding_works(browser: Browser, report: Path) -> None:
    opened(browser, report)
    browser.find_element(By.ID, "unfold").click()
    assert browser.execute_script("return document.querySelectorAll('details.finding:not([open])').length") == 0
    browser.find_element(By.ID, "fold").click()
    assert browser.execute_script("return document.querySelectorAll('details.finding[open]').length") == 0


def test_a_link_unfolds_what_it_leads_to(browser: Browser, report: Path) -> None:
    anchor = "dimse-B.12-2026c-tls-server-B.12-server-supports-tls-1.2"
    opened(browser, report, f"#{anchor}")
    assert browser.find_element(By.ID, anchor).is_displayed()
    exchange = browser.find_element(By.CSS_SELECTOR, "details.exchange > div").get_attribute("id")
    assert not browser.find_element(By.ID, str(exchange)).is_displayed()
    browser.execute_script(f"location.hash = '#{exchange}'")
    wait_for(browser, f"document.getElementById('{exchange}').checkVisibility()")


def test_a_link_into_what_is_filtered_away_shows_it(browser: Browser, report: Path) -> None:
    opened(browser, report)
    browser.find_element(By.ID, "search").send_keys("nothing says this")
    wait_for(browser, "document.getElementById('shown').textContent.startsWith('0 of')")
    browser.find_element(By.CSS_SELECTOR, ".failures a").send_keys(Keys.ENTER)
    wait_for(browser, "document.querySelector(':target')?.checkVisibility()")


def test_everything_is_there_without_javascript(start_browser: StartBrowser, report: Path) -> None:
    plain = start_browser(preferences={"profile.managed_default_content_settings.javascript": 2})
    opened(plain, report)
    assert not plain.find_element(By.ID, "filter").is_displayed()
    findings = plain.find_elements(By.CSS_SELECTOR, "details.finding > summary")
    assert len(findings) == len(json.loads(report.with_suffix(".json").read_text())["verdicts"])
    assert all(finding.is_displayed() for finding in findings)
    folded = next(
        finding
        for finding in plain.find_elements(By.CSS_SELECTOR, "details.finding")
        if not finding.get_attribute("open")
    )
    folded.find_element(By.TAG_NAME, "summary").click()
    assert folded.find_element(By.CSS_SELECTOR, ".body").is_displayed()
    plain.find_element(By.CSS_SELECTOR, ".failures a").send_keys(Keys.ENTER)
    assert plain.find_element(By.CSS_SELECTOR, ":target").is_displayed()


def test_the_keyboard_reaches_everything(browser: Browser, report: Path) -> None:
    opened(browser, report)
    active = browser.switch_to.active_element
    active.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to the report"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait_for(browser, "document.activeElement.id === 'main'")
    reached = set()
    for _ in range(400):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.switch_to.active_element
        reached.add(element.get_attribute("id") or f"{element.tag_name} {element.text[:30]}")
        if element.tag_name == "summary" and "B.12-server-supports-tls-1.2" in element.text:
            break
    assert {"search", "fold", "unfold"} <= reached
    summary = browser.switch_to.active_element
    summary.send_keys(Keys.ENTER)
    wait_for(browser, "document.activeElement.parentElement.open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, report: Path, axe: str, scheme: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    opened(browser, report)
    browser.execute_script("document.querySelectorAll('details').forEach(item => { item.open = true; })")
    try:
        assert violations(browser, axe) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_axe_finds_no_violation_in_the_index(browser: Browser, pki: Pki, axe: str, tmp_path: Path) -> None:
    opened(browser, render_index(tmp_path, [realistic(pki)]))
    assert violations(browser, axe) == []


def test_axe_would_find_one(browser: Browser, axe: str, tmp_path: Path) -> None:
    opened(browser, render(RunRecord(header=header(), verdicts=(verdict(),)), tmp_path))
    browser.execute_script("document.getElementById('search').labels[0].remove(); document.documentElement.lang = ''")
    browser.execute_script("document.getElementById('search').placeholder = ''")
    found = {item.split(":")[0] for item in violations(browser, axe)}
    assert {"label", "html-has-lang"} <= found


def test_a_certificate_named_by_a_script_does_nothing(browser: Browser, pki: Pki, tmp_path: Path) -> None:
    record = realistic(pki, "server_script_names")
    script = "<script>document.title='owned'</script>"
    shouting = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    record = record.model_copy(
        update={
            "header": record.header.model_copy(update={"sut": sut(product=shouting, declarations={shouting: shouting})})
        }
    )
    opened(browser, render(record, tmp_path))
    with pytest.raises(NoAlertPresentException):
        browser.switch_to.alert.dismiss()
    assert browser.title == f"PS3.15 conformance report: Example Imaging {shouting} 7.2.1"
    assert browser.execute_script("return document.scripts.length") == 1
    assert browser.execute_script("return document.images.length") == 0
    table = browser.find_element(By.CSS_SELECTOR, "table.chain").text
    assert f"DNS:{script}" in table
    assert re.search(r"CN=\\?<script", table)


def test_a_script_that_slipped_in_would_not_run(browser: Browser, report: Path, tmp_path: Path) -> None:
    text = report.read_text()
    slipped = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    path = tmp_path / "slipped.html"
    path.write_text(text.replace("<main ", f"{slipped}<main ", 1))
    opened(browser, path)
    assert browser.title.startswith("PS3.15 conformance report")
    assert browser.find_element(By.ID, "filter").is_displayed(), "the report's own script ran"
    said = " ".join(entry["message"] for entry in logged(browser, "browser"))
    assert "Content Security Policy" in said


def test_nothing_is_requested_from_a_network(browser: Browser, report: Path) -> None:
    requested(browser)
    opened(browser, report)
    browser.execute_script("document.querySelectorAll('details').forEach(item => { item.open = true; })")
    assert report.stat().st_size < 2_000_000
    urls = [url for url in requested(browser) if url not in {"about:blank"}]
    assert report.as_uri() in urls
    assert [url for url in urls if not url.startswith(("file:", "data:"))] == []
    assert [url for url in urls if url.startswith("file:")] == [report.as_uri()]
    said = [entry["message"] for entry in logged(browser, "browser")]
    assert [message for message in said if report.name in message] == []


def test_the_first_page_can_be_signed_on_paper(browser: Browser, report: Path) -> None:
    opened(browser, report)
    browser.execute_script("document.querySelectorAll('main > section:not(#summary)').forEach(rest => rest.remove())")
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "displayHeaderFooter": False})
    pdf = base64.b64decode(printed["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
