"""The page in a browser: quiet, alone, whole at every width, and open to everyone."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from stages import report
from tests.chromium import needs_chromium
from tests.made_study import make_study

WIDTHS = (1440, 1024, 390)
SCHEMES = ("light", "dark")
CLASSES = (
    *("Bird", "Cat & <kitten>", "Tree", "猫", "बिल्ली", "Cat 🐼"),
    *(f"Class {number}" for number in range(6)),
)

pytestmark = needs_chromium

# Texts of a drawing that lie on one another or stick out of it, and panels that do.
OVERLAPS = """() => {
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
                         Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3
  const found = []
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect()
    const texts = [...svg.querySelectorAll("text")]
      .map(t => [t.textContent, t.getBoundingClientRect()])
    texts.forEach(([text, box], i) => {
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2)
        found.push(`${svg.ariaLabel}: "${text}" sticks out`)
      for (const [other, its] of texts.slice(i + 1))
        if (meet(box, its)) found.push(`${svg.ariaLabel}: "${text}" on "${other}"`)
    })
  }
  const panels = [...document.querySelectorAll(".panel")].map(p => p.getBoundingClientRect())
  panels.forEach((box, i) => { if (panels.slice(i + 1).some(its => meet(box, its)))
    found.push(`panel ${i} on another`) })
  return found
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_study(classes=CLASSES, repeats=(1, 2, 3))
        report.main()
    return (folder / "reports/report.html").as_uri()


@pytest.fixture
def opened(browser, address):
    """Call it with a width and a colour scheme: the page, opened."""
    contexts = []

    def open_page(width=1440, scheme="light", **options):
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, **options))
        page = contexts[-1].new_page()
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_the_page_complains_of_nothing_and_asks_for_nothing(browser, address):
    page = browser.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.close()
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [address]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overlaps_or_sticks_out(opened, width):
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERLAPS) == []


def test_every_figure_has_a_title_and_a_text_alternative(opened):
    figures = opened().evaluate("""() => [...document.querySelectorAll("figure")].map(f => ({
        title: document.getElementById(f.getAttribute("aria-labelledby")).textContent,
        described: f.getAttribute("aria-describedby").split(" ")
          .map(id => document.getElementById(id).textContent),
        drawings: f.querySelectorAll("svg").length,
        numbers: f.parentElement.querySelectorAll("details tbody tr").length,
        nameless: [...f.querySelectorAll("svg")]
          .filter(s => !s.ariaLabel || s.role !== "img").length,
    }))""")
    assert len(figures) == len(report.figures.NAMES)
    for figure in figures:
        assert figure["title"]
        assert all(figure["described"])
        assert bool(figure["numbers"]) == bool(figure["drawings"])
        assert figure["nameless"] == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_no_serious_fault(opened, scheme):
    found = Axe().run(opened(scheme=scheme)).response["violations"]
    serious = [
        f"{fault['id']}: {fault['nodes'][0]['html'][:120]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_sections_are_reached_by_keyboard(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the results"
    page.focus("details summary")
    page.keyboard.press("Enter")
    assert page.locator("details[open]").count() == 1


def test_it_prints(opened):
    assert opened().pdf(format="A4").startswith(b"%PDF")
