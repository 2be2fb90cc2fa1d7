"""Markdown made of text of any origin, as another program reads it (markdown-it)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stages.metadata import markdown

PARSER = MarkdownIt("commonmark").enable("table")
TEXT = st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" |`*_<&[]\\"))


def shown(text: str) -> list[str]:
    """The text of each cell or paragraph, as a reader sees it; HTML and links would be missing."""
    return [
        "".join(child.content for child in token.children)
        for token in PARSER.parse(text)
        if token.type == "inline"
    ]


def squeezed(text: str) -> str:
    return " ".join(text.split())


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1))
def test_a_table_shows_text_as_it_is(rows):
    cells = [["a", "b"], *([markdown.plain(cell) for cell in row] for row in rows)]
    found = shown(markdown.table(cells[0], cells[1:]))
    assert found == ["a", "b", *(squeezed(cell) for row in rows for cell in row)]


@given(TEXT.filter(lambda text: text.strip()))
def test_a_name_as_code_shows_as_it_is(text):
    assert shown(markdown.table(["a"], [[markdown.code(text)]])) == ["a", squeezed(text)]


@pytest.mark.parametrize(
    ("text", "is_link"),
    [
        ("https://example.org/a_b", True),
        ("CC-BY-4.0", False),
        ("https://example.org/a|b", False),
        ("javascript:alert(1)", False),
    ],
)
def test_an_address_of_the_web_is_a_link(text, is_link):
    html = PARSER.render(markdown.table(["a"], [[markdown.address(text)]]))
    assert re.findall("<a ", html) == ["<a "] * is_link
    assert text in html


def test_columns_of_a_table_are_even_and_numbers_are_at_the_right():
    assert markdown.table(["class", "all"], [["猫", "1,234"], ["Bird", 5]]) == (
        "| class |   all |\n| ----- | ----: |\n| 猫    | 1,234 |\n| Bird  |     5 |"
    )


def test_a_template_that_lacks_a_fact_is_an_error(tmp_path):
    template = tmp_path / "a.md.jinja"
    template.write_text("# {{ title }}\n\n{% if more %}\nmore\n{% endif %}\n\n- a\n- b\n")
    assert markdown.render(template, {"title": "A", "more": False}) == "# A\n\n- a\n- b\n"
    with pytest.raises(Exception, match="'more' is undefined"):
        markdown.render(template, {"title": "A"})
