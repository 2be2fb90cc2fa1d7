"""The folder of this user where downloads and other things outlast a stage and a clone."""

import os
from pathlib import Path

import platformdirs


def user_cache() -> Path:
    """The variable VITOON_CACHE names another one than the system's."""
    return Path(os.environ.get("VITOON_CACHE") or platformdirs.user_cache_dir("vitoon"))
