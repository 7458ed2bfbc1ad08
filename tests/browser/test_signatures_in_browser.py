"""The part of the report on digital signatures in a real browser: folded, unfolded by keyboard, accessible."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from fixtures.pki import Pki
from reports import render
from tests.browser.conftest import Browser
from tests.browser.test_report_in_browser import opened, violations
from tests.unit.reports_material import realistic
from tests.unit.reports_signatures_material import many_objects, with_signatures

UNFOLD = "[...document.querySelectorAll('details.signed')].slice(0, 5).forEach(each => { each.open = true })"
TOO_WIDE = """
const room = document.documentElement.clientWidth + 1;
return [...document.querySelectorAll("#digital-signatures *")]
  .filter(each => !each.closest(".scroll") && each.getBoundingClientRect().right > room)
  .map(each => each.textContent.slice(0, 80));
"""

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def signed(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = with_signatures(realistic(pki), many_objects(100))
    return render(record, tmp_path_factory.mktemp("signed"))


def test_objects_are_folded_and_unfold_by_keyboard(browser: Browser, signed: Path) -> None:
    opened(browser, signed, "#digital-signatures")
    objects = browser.find_elements(By.CSS_SELECTOR, "details.signed")
    assert len(objects) == 103
    assert not any(each.get_attribute("open") for each in objects)
    part = browser.find_element(By.ID, "digital-signatures")
    assert part.size["height"] < 10_000  # a hundred objects are a list to look through, not a hundred pages
    objects[0].find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    assert objects[0].get_attribute("open")
    assert "the object is not what was signed at (0040,A730)[2].(0008,0100) Code Value" in objects[0].text


def test_the_part_is_accessible_folded_and_unfolded(browser: Browser, signed: Path, axe: str) -> None:
    opened(browser, signed, "#digital-signatures")
    assert violations(browser, axe) == []
    browser.execute_script(UNFOLD)
    assert violations(browser, axe) == []


def test_nothing_is_wider_than_a_small_screen(browser: Browser, signed: Path) -> None:
    size = browser.get_window_size()
    try:
        browser.set_window_size(420, 900)
        opened(browser, signed, "#digital-signatures")
        browser.execute_script(UNFOLD)
        assert browser.execute_script(TOO_WIDE) == []
    finally:
        browser.set_window_size(size["width"], size["height"])
