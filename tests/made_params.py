"""What tests start from, tests/params.yaml, as content to change and to write."""

from pathlib import Path

import yaml

from stages import params

FILE = Path(__file__).with_name("params.yaml")


def read() -> dict:
    """What the file says, read as the project reads its own."""
    return yaml.load(FILE.read_text(encoding="utf-8"), params.file.Loader)


def write(folder: Path, content: dict) -> None:
    """Make it the params.yaml of a folder."""
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
