"""Drawings of strangers: drawn as they say, without anything from outside."""

import base64
import io
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.pictures import decoding, images, svg
from tests.web import image_server

HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
    'viewBox="0 0 20 10">'
)
RED = '<rect width="20" height="10" fill="red"/>'
NOTHING = (0, 0, 0, 0)


def middle(text, side=64):
    """The colour in the middle of a drawing."""
    picture = decoding.decode(text.encode(), 50, side)
    assert (picture.format, picture.size) == ("SVG", (side, side // 2))
    return picture.convert("RGBA").getpixel((side // 2, side // 4))


def png(colour="red"):
    data = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize("side", [16, 512, 4096])
def test_a_drawing_is_as_large_as_asked_whatever_it_says(side):
    text = HEAD.replace("<svg ", '<svg width="9e9" height="1" ')
    assert middle(text + RED + "</svg>", side) == (255, 0, 0, 255)


def test_a_drawing_of_no_view_box_shows_what_lies_in_its_size():
    text = HEAD.replace('viewBox="0 0 20 10"', 'width="20" height="10"')
    assert middle(text + '<rect x="9" width="2" height="10" fill="lime"/></svg>') == (
        0,
        255,
        0,
        255,
    )


@pytest.mark.parametrize(("box", "size"), [("0 0 999 1", (64, 1)), ("0 0 1 999", (1, 64))])
def test_a_drawing_as_thin_as_a_line_has_one_pixel(box, size):
    text = HEAD.replace("0 0 20 10", box) + RED + "</svg>"
    assert decoding.decode(text.encode(), 50, 64).size == size


def test_text_is_left_out_whatever_fonts_there_are():
    text = '<text x="-5" y="20" font-size="40" font-family="serif, sans-serif">MMM</text>'
    picture = decoding.decode(f"{HEAD}{text}</svg>".encode(), 50, 64)
    assert picture.convert("RGBA").getextrema() == ((0, 0),) * 4


def test_a_picture_inside_the_drawing_is_shown():
    inside = base64.b64encode(png()).decode()
    text = f'<image href="data:image/png;base64,{inside}" width="20" height="20"/>'
    assert middle(HEAD + text + "</svg>") == (255, 0, 0, 255)


@pytest.mark.parametrize(
    "hidden",
    [
        '<image href="{}" width="20" height="20"/>',
        '<image xlink:href="{}" width="20" height="20"/>',
        '<image href="&file;" width="20" height="20"/>',
        '<image xmlns:a="http://www.w3.org/1999/xlink" a:href="{}" width="20" height="20"/>',
        '<style>image {{href: url({})}}</style><image width="20" height="20"/>',
        '<filter id="f"><feImage href="{}"/></filter><rect filter="url(#f)" width="20"/>',
        '<pattern id="p" width="1" height="1"><image href="{}" width="20" height="20"/></pattern>'
        '<rect fill="url(#p)" width="20" height="10"/>',
    ],
)
def test_no_file_of_this_machine_gets_into_a_picture(tmp_path, monkeypatch, hidden):
    (tmp_path / "own.png").write_bytes(png())
    monkeypatch.chdir(tmp_path)
    for place in ("own.png", tmp_path / "own.png", (tmp_path / "own.png").as_uri()):
        declared = f'<!DOCTYPE svg [<!ENTITY file "{place}">]>'
        assert middle(declared + HEAD + hidden.format(place) + "</svg>") == NOTHING


def test_a_declaration_that_names_a_file_is_not_followed(tmp_path):
    (tmp_path / "own").write_text("secret")
    declared = f'<!DOCTYPE svg [<!ENTITY e SYSTEM "{(tmp_path / "own").as_uri()}">]>'
    with pytest.raises(images.PictureError, match=r"^damaged SVG: Entity 'e' not defined"):
        middle(f"{declared}{HEAD}<text>&e;</text></svg>")


def test_declarations_of_drawing_programs_are_understood():
    declared = '<!DOCTYPE svg [<!ENTITY ns "http://www.w3.org/2000/svg">]>'
    text = declared + HEAD.replace("http://www.w3.org/2000/svg", "&ns;") + RED + "</svg>"
    assert middle(text) == (255, 0, 0, 255)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{HEAD}{'<g>' * 300}{'</g>' * 300}</svg>", "Excessive depth"),
        (f"{HEAD}<g></svg>", "Opening and ending tag mismatch"),
        (HEAD.replace("viewBox", "v") + "</svg>", "it says no size"),
        (HEAD.replace("20 10", "0 10") + "</svg>", "it says no size"),
        ('<svg viewBox="0 0 9 9"/>', "its root is svg"),
    ],
)
def test_what_cannot_be_drawn_has_a_reason(text, reason):
    with pytest.raises(images.PictureError, match=f"^damaged SVG: {reason}"):
        decoding.decode(text.encode(), 50)


def test_entities_of_entities_do_not_grow():
    names = "abcdefghi"
    lines = [f'<!ENTITY {n} "{f"&{names[i - 1]};" * 10}">' for i, n in enumerate(names) if i]
    declared = f'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa">{"".join(lines)}]>'
    text = f"{declared}{HEAD}<text>&i;</text></svg>"
    with pytest.raises(images.PictureError, match=r"^damaged SVG: "):
        decoding.decode(text.encode(), 50)


@pytest.mark.skipif(sys.platform != "linux", reason="no limit on memory here")
def test_a_drawing_that_wants_gigabytes_ends_its_process(project):
    inside = base64.b64encode(image_server.bomb()).decode()
    text = f'{HEAD}<image href="data:image/png;base64,{inside}" width="9" height="9"/></svg>'
    code = "import sys; from stages.pictures import svg; svg.draw(sys.stdin.buffer.read(), 64)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, input=text.encode(), capture_output=True
    )
    assert done.returncode < 0  # by a signal: `to_rgb` makes that a row
    assert b"memory allocation of 1600000000 bytes failed" in done.stderr


WHOLE = f'{HEAD}<g transform="scale(2)"><path d="M0 0H9V9Z" fill="red"/></g>{RED}</svg>'.encode()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_damaged_drawing_gives_a_picture_or_a_reason(data):
    changed = bytearray(WHOLE)
    for place in data.draw(st.lists(st.integers(0, len(changed) - 1), max_size=4)):
        changed[place] = data.draw(st.sampled_from(b'<>/&"=#0129e-. \0\xff'))
    assert drawn(bytes(changed)) in ("PNG", "a reason")


def drawn(data):
    try:
        return Image.open(io.BytesIO(svg.draw(data, 32))).format
    except svg.DrawingError as error:
        return "a reason" if str(error).isprintable() else str(error)
