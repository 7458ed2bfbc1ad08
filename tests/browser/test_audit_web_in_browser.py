"""The page of the audit trail in a real browser: log-in, live view, filters, hostile messages, looks, accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from fixtures.pki import Pki
from reference_impl.audit.repository.store import AlertFacts
from reference_impl.audit.repository.web.access import Access
from reference_impl.audit.repository.web.sessions import Limits
from reference_impl.audit.repository.web.users import write_user
from tests.browser.conftest import Browser, StartBrowser
from tests.browser.test_report_in_browser import violations
from tests.unit.audit_web_bench import PASSWORD, USER, Bench, running
from tests.unit.audit_web_material import SCRIPT, afternoon, hostile

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SECONDS = 20


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Bench]:
    with running(tmp_path_factory.mktemp("trail"), pki) as started:
        started.add(list(afternoon(datetime.now(UTC), 60)))
        yield started


@pytest.fixture(scope="module")
def chrome(start_browser: StartBrowser) -> Browser:
    """A browser that takes the certificate made for tests."""
    return start_browser("--ignore-certificate-errors")


@pytest.fixture
def inside(chrome: Browser, bench: Bench) -> Browser:
    """The browser of somebody who is logged in, at the time line."""
    chrome.get(bench.url)
    if chrome.find_elements(By.NAME, "password"):
        log_in(chrome)
    return chrome


_WIDE = """return [...document.querySelectorAll("body *")].filter((each) =>
  each.getBoundingClientRect().right > window.innerWidth + 1).map((each) => each.outerHTML.slice(0, 90)).slice(0, 9)"""


def log_in(browser: Browser, password: str = PASSWORD) -> None:
    browser.find_element(By.NAME, "name").clear()
    browser.find_element(By.NAME, "name").send_keys(USER)
    browser.find_element(By.NAME, "password").send_keys(password, Keys.ENTER)


def seen(browser: Browser, css: str, seconds: float = SECONDS) -> Any:
    return WebDriverWait(browser, seconds).until(lambda there: there.find_elements(By.CSS_SELECTOR, css))


def rows(browser: Browser) -> list[str]:
    return [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#trail tr[data-at]")]


def complaints(browser: Browser) -> list[str]:
    """What the browser says against the page: refused scripts and styles, errors."""
    entries = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def test_a_password_lets_in_and_leads_on_to_where_one_was_going(bench: Bench, chrome: Browser) -> None:
    chrome.delete_all_cookies()
    chrome.get(f"{bench.url}/nodes")
    assert chrome.find_element(By.CSS_SELECTOR, "h1").text == "Log in"
    log_in(chrome, "not the password")
    assert "do not fit" in seen(chrome, "[role=alert]")[0].text
    log_in(chrome)
    WebDriverWait(chrome, SECONDS).until(lambda there: there.current_url == f"{bench.url}/nodes")
    assert "CT-1" in chrome.find_element(By.CSS_SELECTOR, "table").text
    chrome.find_element(By.CSS_SELECTOR, ".who button").click()
    WebDriverWait(chrome, SECONDS).until(lambda there: there.current_url == f"{bench.url}/log-in")
    chrome.back()
    chrome.refresh()
    assert chrome.find_elements(By.NAME, "password")


def test_what_arrives_appears_by_itself(bench: Bench, inside: Browser) -> None:
    inside.get(f"{bench.url}/?node=CT-1")
    seen(inside, ".live.on")
    before = len(rows(inside))
    bench.add(list(afternoon(datetime.now(UTC), 12, seed=77)))
    WebDriverWait(inside, SECONDS).until(lambda there: len(rows(there)) > before)
    assert all("CT-1" in row for row in rows(inside))
    places = inside.execute_script(
        "return [...document.querySelectorAll('#trail tr[data-at]')].map((row) => row.dataset.at)"
    )
    assert places == sorted(places, reverse=True)
    assert inside.find_element(By.CSS_SELECTOR, ".live [role=status]").text.endswith(("message", "messages"))
    inside.find_element(By.CSS_SELECTOR, ".live button").send_keys(Keys.ENTER)
    assert inside.find_element(By.CSS_SELECTOR, ".live button").get_attribute("aria-pressed") == "false"


def test_many_messages_at_once_leave_the_page_usable(bench: Bench, inside: Browser) -> None:
    inside.get(bench.url)
    seen(inside, ".live.on")
    bench.add(list(afternoon(datetime.now(UTC), 320, seed=78)))
    last = bench.repository.search.last()
    WebDriverWait(inside, SECONDS).until(lambda there: there.find_element(By.ID, "more").is_displayed())
    assert len(rows(inside)) <= 300
    assert last > 320


def test_the_filter_finds(bench: Bench, inside: Browser) -> None:
    inside.get(bench.url)
    Select(inside.find_element(By.NAME, "event")).select_by_visible_text("User Authentication")
    Select(inside.find_element(By.NAME, "outcome")).select_by_value("failure")
    inside.find_element(By.CSS_SELECTOR, "form.filter button").click()
    WebDriverWait(inside, SECONDS).until(lambda there: "outcome=failure" in there.current_url)
    assert rows(inside)
    assert all("Minor failure" in row for row in rows(inside))
    inside.find_element(By.LINK_TEXT, "Show all").click()
    WebDriverWait(inside, SECONDS).until(lambda there: there.current_url == f"{bench.url}/")


def test_a_message_leads_to_the_story_of_its_patient_and_the_day_of_its_user(bench: Bench, inside: Browser) -> None:
    row = next(
        row for row in bench.repository.search.since(0, size=500) if "P-100231" in row.patients and "(" in row.users
    )
    inside.get(f"{bench.url}/message/{row.number}")
    inside.find_element(By.LINK_TEXT, "This patient's story").click()
    assert "P-100231" in seen(inside, "h1")[0].text
    assert len(inside.find_elements(By.CSS_SELECTOR, "table.trail tr[data-at]")) > 1
    inside.back()
    inside.find_element(By.LINK_TEXT, "This user's day").click()
    assert seen(inside, "h1")[0].text.startswith("The day of")


def test_script_in_every_field_is_shown_and_never_run(bench: Bench, inside: Browser) -> None:
    inside.get(bench.url)
    seen(inside, ".live.on")
    complaints(inside)
    (number,) = bench.add([hostile()])
    at = 1_760_000_000_000_000
    facts = AlertFacts("rule", "critical", SCRIPT, SCRIPT, '{"user": "<b>"}', SCRIPT, at, at, at, 1, (number,))
    bench.repository.store.add_alerts([facts])
    WebDriverWait(inside, SECONDS).until(lambda there: any("<script>" in row for row in rows(there)))
    pages = (
        "/",
        f"/message/{number}",
        "/nodes",
        "/alerts",
        "/patient?id=%3Cscript*",
        "/user?id=%3Cscript*",
        "/node?id=",
    )
    for path in pages:
        if path != "/":
            address = path if path != "/node?id=" else node_link(inside, bench)
            inside.get(address if address.startswith("https") else bench.url + address)
        assert inside.title != "owned"
        assert not inside.find_elements(By.CSS_SELECTOR, "img")
        assert not [each for each in inside.find_elements(By.TAG_NAME, "script") if not each.get_attribute("src")]
        assert "document.title='owned'" in inside.find_element(By.TAG_NAME, "main").text, path
    assert complaints(inside) == []


def node_link(browser: Browser, bench: Bench) -> str:
    browser.get(f"{bench.url}/nodes")
    links = browser.find_elements(By.CSS_SELECTOR, "tbody th a")
    return str(next(link.get_attribute("href") for link in links if "<script>" in link.text))


def test_an_alert_is_seen_to(bench: Bench, inside: Browser) -> None:
    at = 1_760_000_000_000_000
    number = bench.repository.store.add_alerts([AlertFacts("rule", "note", "T", "d", "{}", "", at, at, at, 1, ())])[0]
    inside.get(f"{bench.url}/alerts")
    form = inside.find_element(By.CSS_SELECTOR, f"#alert-{number} form")
    form.find_element(By.NAME, "note").send_keys("asked the vendor", Keys.ENTER)
    WebDriverWait(inside, SECONDS).until(lambda there: not there.find_elements(By.ID, f"alert-{number}"))
    alert = bench.repository.search.alert(number)
    assert alert is not None
    assert (alert.acknowledged_by, alert.note) == (USER, "asked the vendor")


def test_a_form_of_another_site_cannot_act(bench: Bench, inside: Browser) -> None:
    at = 1_760_000_000_000_000
    number = bench.repository.store.add_alerts([AlertFacts("rule", "note", "T", "d", "{}", "", at, at, at, 1, ())])[0]
    inside.get(f"{bench.url}/alerts")
    check = inside.find_element(By.NAME, "check").get_attribute("value")
    evil = (
        f"data:text/html,<form method=post action='{bench.url}/alerts/{number}'><input name=check value='{check}'>"
        "<button id=go>go</button></form>"
    )
    inside.get(evil)
    inside.find_element(By.ID, "go").click()
    WebDriverWait(inside, SECONDS).until(lambda there: there.current_url.startswith(bench.url))
    alert = bench.repository.search.alert(number)
    assert alert is not None
    assert alert.acknowledged is None


def test_the_page_says_when_the_session_has_ended(tmp_path: Path, pki: Pki, chrome: Browser) -> None:
    write_user(tmp_path / "users", USER, PASSWORD)
    access = Access(users=tmp_path / "users", zone="UTC", limits=Limits(idle=4))
    with running(tmp_path, pki, access) as bench:
        chrome.get(bench.url)
        log_in(chrome)
        seen(chrome, ".live")
        WebDriverWait(chrome, SECONDS).until(
            lambda there: "The session ended" in there.find_element(By.CSS_SELECTOR, ".live [role=status]").text
        )
        chrome.refresh()
        assert chrome.find_elements(By.NAME, "password")


def test_alerts_are_counted_as_they_are_raised(bench: Bench, inside: Browser) -> None:
    inside.get(bench.url)
    seen(inside, ".live.on")
    before = inside.find_element(By.ID, "open-alerts").text
    at = 1_760_000_000_000_000
    number = bench.repository.store.add_alerts([AlertFacts("rule", "note", "T", "d", "{}", "", at, at, at, 1, ())])[0]
    alert = bench.repository.search.alert(number)
    assert alert is not None
    bench.repository.live.publish([alert])
    WebDriverWait(inside, SECONDS).until(lambda there: there.find_element(By.ID, "open-alerts").text != before)


def test_it_works_without_javascript(bench: Bench, start_browser: StartBrowser) -> None:
    browser = start_browser(
        "--ignore-certificate-errors", preferences={"profile.managed_default_content_settings.javascript": 2}
    )
    browser.get(bench.url)
    log_in(browser)
    assert seen(browser, "#trail tr[data-at]")
    assert not browser.find_element(By.CSS_SELECTOR, ".live").is_displayed()
    browser.find_element(By.CSS_SELECTOR, "#trail .event a").click()
    assert seen(browser, "pre")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(bench: Bench, inside: Browser, axe: str, scheme: str) -> None:
    inside.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    bad = next(row for row in bench.repository.search.since(0, size=500) if row.shall and row.patients)
    paths = ("/", "/?outcome=failure", f"/message/{bad.number}", "/patient?id=P-100231", "/user?id=jdoe", "/nodes")
    try:
        for path in (*paths, "/connections", "/node?id=MR-2", "/alerts?show=all", "/message/999999"):
            inside.get(bench.url + path)
            assert violations(inside, axe) == [], path
        inside.delete_all_cookies()
        inside.get(bench.url)
        assert violations(inside, axe) == []
    finally:
        inside.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.mark.parametrize("width", [1400, 800, 380])
def test_nothing_is_wider_than_the_window(bench: Bench, inside: Browser, width: int) -> None:
    inside.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        for path in ("/", "/nodes", "/alerts?show=all", "/user?id=jdoe"):
            inside.get(bench.url + path)
            wide = inside.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, (path, inside.execute_script(_WIDE))
    finally:
        inside.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
