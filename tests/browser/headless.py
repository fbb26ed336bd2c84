"""A browser without a window, and what it has asked for and complained of."""

import json
import shutil
from contextlib import contextmanager
from importlib.util import find_spec

WAIT = 30


def chromium():
    """Return the browser's program, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def missing():
    """Return what keeps these tests from running."""
    needed = {"the package selenium": find_spec("selenium"), "chromium": chromium()}
    needed["chromedriver"] = shutil.which("chromedriver")
    return ", ".join(name for name, found in needed.items() if not found)


@contextmanager
def browser(*, scripts=True):
    """Yield a driver; nothing is downloaded, and what the browser does on its own account is switched off."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium()
    flags = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars")
    quiet = ("disable-background-networking", "disable-component-update", "disable-sync", "no-first-run")
    for flag in (*flags, *quiet, "window-size=1280,900"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=shutil.which("chromedriver")))
    try:
        driver.set_script_timeout(WAIT)
        if not scripts:
            driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        yield driver
    finally:
        driver.quit()


def requests(driver):
    """Return the addresses that a page has asked for since the last time, those that it holds itself left out."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith("data:"):
                found.append(url)
    return found


def complaints(driver):
    """Return what the console has been told since the last time, news left out."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] not in {"INFO", "DEBUG"}]
