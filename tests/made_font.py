"""A font with the letters that a test wants, each a black square."""

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen


def make_font(path, letters, family="Noto Sans Squares", style="Regular"):
    """A TrueType file of 1000 units an em: squares of 800 that advance by 1000."""
    pen = TTGlyphPen(None)
    corners = [(100, 0), (100, 800), (900, 800), (900, 0)]
    pen.moveTo(corners[0])
    for corner in corners[1:]:
        pen.lineTo(corner)
    pen.closePath()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", "square"])
    font.setupCharacterMap({ord(letter): "square" for letter in letters})
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "square": pen.glyph()})
    font.setupHorizontalMetrics({".notdef": (1000, 0), "square": (1000, 100)})
    font.setupHorizontalHeader(ascent=900, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": style})
    font.setupOS2(sTypoAscender=900, sTypoDescender=-200)
    font.setupPost()
    font.save(path)
    return path
