"""Pages in headless Chromium, without a network."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
IN_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: chromium)"),
]
PHONE, DESK = (390, 844), (1280, 900)


class Visit:
    """A page opened without a network, with what it requested and what it complained about."""

    def __init__(self, browser, path, size):
        width, height = size
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, accept_downloads=True)
        self.page, self.requests, self.complaints = context.new_page(), [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
