"""The machine's own Chromium, for tests of pages; the fixture `browser` (conftest.py) starts it."""

import shutil

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="no Chromium here (Debian: apt install chromium)"
)
