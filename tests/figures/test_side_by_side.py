"""stages/figures/side_by_side.py: what one process draws, several draw."""

import pytest

from stages.figures import Figure, Panel
from stages.figures.drawing import render
from stages.figures.side_by_side import render_all
from stages.pictures import fonts
from stages.runtime import processors

NOBODYS = "\ue123"  # a letter for private use


def figure(title: str, panels: int) -> Figure:
    def draw(canvas) -> None:
        canvas.add_subplot().plot(range(panels), label=title)
        canvas.text(0.1, 0.1, title)

    return Figure(title, "", "", [Panel(title, 200, 100, draw)] * panels, [], [])


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(processors, "cores", lambda: 2)


def test_several_processes_draw_what_one_draws(tmp_path, two_cores):
    figures = {name: figure(name, count) for name, count in (("a", 1), ("b", 3), ("none", 0))}
    together, alone = tmp_path / "together", tmp_path / "alone"
    drawn = render_all(figures, together)
    assert drawn == {name: render(one, name, alone) for name, one in figures.items()}
    written = {path.relative_to(alone) for path in alone.rglob("*.*")}
    assert len(written) == 4
    for file in written:
        assert (together / file).read_bytes() == (alone / file).read_bytes()


def test_letters_that_no_font_has_are_known_to_the_process_that_asked(
    tmp_path, two_cores, monkeypatch, capsys
):
    monkeypatch.setattr(fonts, "_without", set())
    render_all({"a": figure(f"a {NOBODYS}", 1)}, tmp_path)
    fonts.tell_missing("figures", "report")
    assert NOBODYS in capsys.readouterr().err


def test_what_a_panel_raises_arrives(tmp_path, two_cores):
    def draw(canvas) -> None:
        raise ZeroDivisionError("of this panel")

    broken = Figure("", "", "", [Panel("", 200, 100, draw)], [], [])
    with pytest.raises(ZeroDivisionError, match="of this panel"):
        render_all({"a": broken, "b": figure("b", 1)}, tmp_path)
