"""Headless Chromium for the tests of the report, and axe-core for its accessibility."""

from __future__ import annotations

import importlib.resources
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from fixtures.pki import Pki
from reports import render
from tests.unit.reports_material import realistic

Browser: TypeAlias = webdriver.Chrome
StartBrowser: TypeAlias = Callable[..., Browser]
_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,1000",
)


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """Paths of browser and driver. Without them the tests skip, in a build (CI set) they fail."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        missing = "Chromium and its driver are not installed (Debian: chromium, chromium-driver)"
        if os.environ.get("CI", "").lower() in {"true", "1"}:
            pytest.fail(missing)
        pytest.skip(missing)
    return browser, driver


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core as a script."""
    package = importlib.resources.files("axe_playwright_python")
    for candidate in (package / "axe.min.js", package / "js" / "axe.min.js"):
        if candidate.is_file():
            return candidate.read_text(encoding="utf-8")
    return pytest.fail("axe.min.js is not where axe-playwright-python keeps it")


@pytest.fixture(scope="session")
def start_browser(chromium: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartBrowser]:
    """Starts a Chromium with further arguments and preferences; each is closed at the end."""
    started: list[Browser] = []

    def start(*arguments: str, preferences: dict[str, Any] | None = None) -> Browser:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium[0]
        for argument in (*_QUIET, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}", *arguments):
            options.add_argument(argument)
        options.add_experimental_option("prefs", preferences or {})
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        browser = webdriver.Chrome(options=options, service=Service(chromium[1]))
        browser.set_page_load_timeout(30)
        started.append(browser)
        return browser

    yield start
    for browser in started:
        browser.quit()


@pytest.fixture(scope="session")
def browser(start_browser: StartBrowser) -> Browser:
    return start_browser()


@pytest.fixture(scope="session")
def pki() -> Pki:
    return Pki.create()


@pytest.fixture(scope="session")
def report(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A realistic report."""
    return render(realistic(pki), tmp_path_factory.mktemp("report"))
