"""The operator's page in a real browser: what to do is shown as it comes, by name and by keyboard, accessibly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from harness.operator_board import DONE, SKIP, Board, Reply, Task
from harness.operator_page.server import OperatorPage
from tests.browser.conftest import Browser, StartBrowser
from tests.browser.test_report_in_browser import violations

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SECONDS = 20


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def page(board: Board) -> Iterator[OperatorPage]:
    with OperatorPage(board, ("127.0.0.1", 0)) as running:
        yield running


def enter(browser: Browser, page: OperatorPage, name: str = "J. Doe") -> None:
    browser.get(page.url)
    browser.execute_script("sessionStorage.clear()")
    browser.get(page.url.partition("?")[0])
    browser.find_element(By.ID, "name").send_keys(name, Keys.ENTER)


def a_task(board: Board, title: str = "An ordinary server.") -> Task:
    return board.post("do", sut="ct", title=title, text="Send one image.", seconds=60, number=3, of=80)


def await_task(browser: Browser) -> None:
    WebDriverWait(browser, SECONDS).until(lambda there: there.find_elements(By.CSS_SELECTOR, ".task"))


def test_what_to_do_comes_and_goes_by_itself(browser: Browser, page: OperatorPage, board: Board) -> None:
    enter(browser, page)
    assert "token" not in browser.current_url
    task = a_task(board)
    await_task(browser)
    (section,) = browser.find_elements(By.CSS_SELECTOR, ".task")
    for told in ("ct", "trial 3 of 80", "An ordinary server.", "Send one image.", "seconds left"):
        assert told in section.text
    board.withdraw(task)
    WebDriverWait(browser, SECONDS).until(lambda there: not there.find_elements(By.CSS_SELECTOR, ".task"))


@pytest.mark.parametrize(("button", "said"), [(".done", DONE), (".skip", SKIP)])
def test_a_button_replies_in_the_name_that_was_given_once(
    browser: Browser, page: OperatorPage, board: Board, button: str, said: str
) -> None:
    enter(browser, page)
    for _ in range(2):
        task = a_task(board)
        await_task(browser)
        pressed = browser.find_element(By.CSS_SELECTOR, button)
        assert pressed.size["height"] >= 44
        pressed.send_keys(Keys.ENTER)
        assert task.replied.wait(SECONDS)
        assert task.reply == Reply(said, "J. Doe")
        WebDriverWait(browser, SECONDS).until(lambda there: not there.find_elements(By.CSS_SELECTOR, ".task"))


def test_a_question_is_answered_in_words(browser: Browser, page: OperatorPage, board: Board) -> None:
    enter(browser, page)
    task = board.post("ask", sut="ct", title="ACME-1", text="Is it so?", seconds=60)
    await_task(browser)
    browser.find_element(By.CSS_SELECTOR, "textarea").send_keys("Yes.")
    browser.find_element(By.CSS_SELECTOR, ".done").click()
    assert task.replied.wait(SECONDS)
    assert task.reply == Reply("Yes.", "J. Doe")


def test_a_question_with_choices_is_answered_by_a_button(browser: Browser, page: OperatorPage, board: Board) -> None:
    enter(browser, page)
    choices = ("valid", "invalid", "unverifiable")
    asked = {
        "title": "mac/sha256",
        "text": "What does it say?",
        "seconds": 60,
        "number": 3,
        "of": 9,
        "choices": choices,
    }
    task = board.post("ask", sut="viewer", **asked)  # type: ignore[arg-type]
    await_task(browser)
    (section,) = browser.find_elements(By.CSS_SELECTOR, ".task")
    assert "3 of 9" in section.text
    buttons = [button for button in section.find_elements(By.TAG_NAME, "button") if button.is_displayed()]
    assert [button.text for button in buttons] == [*choices, "Skip"]
    assert not section.find_element(By.TAG_NAME, "textarea").is_displayed()
    buttons[1].send_keys(Keys.ENTER)
    assert task.replied.wait(SECONDS)
    assert task.reply == Reply("invalid", "J. Doe")


def test_what_is_shown_is_text_and_never_code(browser: Browser, page: OperatorPage, board: Board) -> None:
    enter(browser, page)
    a_task(board, "<img src=x onerror=\"document.title='hacked'\">")
    await_task(browser)
    assert browser.find_element(By.CSS_SELECTOR, ".task h2").text.startswith("<img")
    assert browser.title == "ps315: what to do"
    assert not browser.find_elements(By.TAG_NAME, "img")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, page: OperatorPage, board: Board, axe: str, scheme: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    try:
        browser.get(page.url)
        browser.execute_script("sessionStorage.clear()")
        browser.get(page.url.partition("?")[0])
        assert violations(browser, axe) == []
        browser.find_element(By.ID, "name").send_keys("J. Doe", Keys.ENTER)
        a_task(board)
        board.post("ask", sut="ct", title="ACME-1", text="Is it so?", seconds=60)
        await_task(browser)
        assert violations(browser, axe) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_the_end_of_the_run_is_told(start_browser: StartBrowser, board: Board) -> None:
    browser = start_browser()
    with OperatorPage(board, ("127.0.0.1", 0)) as page:
        enter(browser, page)
    WebDriverWait(browser, SECONDS).until(lambda there: "The run has ended" in there.find_element(By.ID, "status").text)
