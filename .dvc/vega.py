"""Puts Vega into page.html, the page of `dvc plots`, so that it needs no network.

    PYTHONPATH=. python .dvc/vega.py

Run it after another version is named here; the result is committed. Vega's three files are packed
into one line of base 64: as they are, they would be 0.8 MB of code that nobody reads.
"""

from __future__ import annotations

import base64
import gzip
import re
import tarfile
from pathlib import Path

from stages.web.packages import from_npm

PAGE = Path(__file__).with_name("page.html")
PACKAGES = {  # the last ones that take the Vega-Lite 5 of DVC's templates; with npm's integrity
    "vega@5.33.1": "sha512-1fArfVDUqVbb5z8n+/nVQb+VNBzx8svY6CrsyTK4Ujm4yrd9I1auoKxBAPXLCavY1LcrbHUskQbGUP8gXOzyQw==",  # noqa: E501
    "vega-lite@5.23.0": "sha512-l4J6+AWE3DIjvovEoHl2LdtCUkfm4zs8Xxx7INwZEAv+XVb6kR6vIN1gt3t2gN2gs/y4DYTs/RPoTeYAuEg6mA==",  # noqa: E501
    "vega-embed@6.29.0": "sha512-PmlshTLtLFLgWtF/b23T1OwX53AugJ9RZ3qPE2c01VFAbgt3/GSNI/etzA/GzdrkceXFma+FDHNXUppKuM0U6Q==",  # noqa: E501
}
PLACE = re.compile(r'(?<=<script type="text/plain" id="vega">).*?(?=</script>)', re.DOTALL)


def main() -> None:
    code = "\n".join(bundle(*package) for package in PACKAGES.items())
    packed = base64.b64encode(gzip.compress(code.encode(), 9, mtime=0)).decode()
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(packed, page), encoding="utf-8")


def bundle(requirement: str, integrity: str) -> str:
    """The minified code of a package, for a browser."""
    name = requirement.partition("@")[0]
    with tarfile.open(from_npm(requirement, integrity)) as archive:
        return archive.extractfile(f"package/build/{name}.min.js").read().decode()


if __name__ == "__main__":
    main()
