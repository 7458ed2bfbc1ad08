"""The part of the report on audit trails in a real browser: folded, unfolded by keyboard, accessible, harmless."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fixtures.pki import Pki
from reports import render
from tests.browser.conftest import Browser
from tests.browser.test_report_in_browser import opened, violations
from tests.unit.reports_audit_material import many_messages, with_trails
from tests.unit.reports_material import realistic

UNFOLD = "[...document.querySelectorAll('#audit-trail details')].slice(0, 40).forEach(each => { each.open = true })"
TOO_WIDE = """
const room = document.documentElement.clientWidth + 1;
return [...document.querySelectorAll("#audit-trail *")]
  .filter(each => !each.closest(".scroll") && each.getBoundingClientRect().right > room)
  .map(each => each.textContent.slice(0, 80));
"""

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def trail(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(with_trails(realistic(pki), many_messages(50)), tmp_path_factory.mktemp("trail"))


def test_messages_are_folded_and_unfold_by_keyboard(browser: Browser, trail: Path) -> None:
    opened(browser, trail, "#audit-trail")
    messages = browser.find_elements(By.CSS_SELECTOR, "details.message")
    assert len(messages) == 58
    assert not any(each.get_attribute("open") for each in messages)
    summary = messages[0].find_element(By.TAG_NAME, "summary")
    assert "does not conform" in summary.text
    summary.send_keys(Keys.ENTER)
    assert messages[0].get_attribute("open")
    assert "A.5.2-one-requestor" in messages[0].text
    assert "facility 20, severity 5" in messages[0].text


def test_nothing_that_a_device_sent_is_executed(browser: Browser, trail: Path) -> None:
    opened(browser, trail, "#audit-trail")
    browser.execute_script(UNFOLD)
    assert browser.title.startswith("PS3.15 conformance report")
    part = browser.find_element(By.ID, "audit-trail")
    assert not part.find_elements(By.CSS_SELECTOR, "script, img, iframe, object, a[href^=javascript]")
    assert "<script>" in part.text


def test_the_part_is_accessible_folded_and_unfolded(browser: Browser, trail: Path, axe: str) -> None:
    opened(browser, trail, "#audit-trail")
    assert violations(browser, axe) == []
    browser.execute_script(UNFOLD)
    assert violations(browser, axe) == []


def test_nothing_is_wider_than_a_small_screen(browser: Browser, trail: Path) -> None:
    size = browser.get_window_size()
    try:
        browser.set_window_size(420, 900)
        opened(browser, trail, "#audit-trail")
        browser.execute_script(UNFOLD)
        assert browser.execute_script(TOO_WIDE) == []
    finally:
        browser.set_window_size(size["width"], size["height"])
