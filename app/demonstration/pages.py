"""A page in one piece, and the policy under which a browser runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
POLICY = {  # of what a page may load; scripts and style are added by their hashes
    "default-src": "'none'",
    "img-src": "data: blob:",
    "base-uri": "'none'",
    "form-action": "'none'",
}


class Page(NamedTuple):
    html: str
    policy: str  # as the header Content-Security-Policy has it


def scripts(*names: str) -> str:
    """Files of this folder as one script, in which they see each other."""
    return "".join(HERE.joinpath(name).read_text(encoding="utf-8") for name in names)


def page(template: str, script: str, policy: dict[str, str], **content: object) -> Page:
    """A template of this folder, filled in, with its one script.

    `policy` is added to POLICY; in it `script-src` says what scripts may do beyond being there.
    """
    style = HERE.joinpath("style.css").read_text(encoding="utf-8")
    allowed = POLICY | policy
    allowed["script-src"] = f"{_hash(script)} {policy.get('script-src', '')}".strip()
    allowed["style-src"] = _hash(style)
    text = "; ".join(f"{name} {value}" for name, value in allowed.items())
    html = TEMPLATES.get_template(template).render(
        style=style, script=script, policy=text, **content
    )
    return Page(html, text)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
