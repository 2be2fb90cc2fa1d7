"""Pages of search engines as they are sent: each shape that sources.md of the parsers describes.

Used by the tests of the parsers, and by the server that the stage's tests talk to.
"""

import hashlib
import html
import json
from urllib.parse import quote, urlencode

THUMB = "https://encrypted-tbn0.gstatic.com/images?q=tbn:{}&s"


def docid(result):
    return "D" + hashlib.sha256(result.image_url.encode()).hexdigest()[:13]


def record(result, first=0):
    """A picture's record of Google: height before width."""
    full = [result.image_url, *([result.height, result.width] if result.width else [])]
    thumb = [THUMB.format(docid(result)), 180, 240]
    return [first, docid(result), thumb, full, None, 0, "rgb(1,2,3)"]


def script_text(value):
    """As Google writes it into scripts: what HTML or JavaScript could mistake is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "=&<>'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def attribute(text):
    return html.escape(text, quote=True)


# ---- Google -----------------------------------------------------------------------------------


def g1(results, query="cat"):
    cards = "".join(
        f'<div class="ivg-i" data-docid="{docid(r)}" data-attrid="images universal" '
        f'data-lpage="{attribute(r.page_url)}"><h3><img alt="{attribute(r.title)}" '
        f'src="data:image/gif;base64,R0lGOD"></h3></div>'
        for r in results
    )
    # One more card, whose picture is not on the page: a thumbnail only.
    cards += '<div class="ivg-i" data-docid="lonely"><img alt="no" src="//x.test/a.jpg"></div>'
    arrays = ",".join(f'"{docid(r)}":[1,{script_text(record(r))},"x"]' for r in results)
    return (
        f"<!doctype html><html><head><title>{attribute(query)} - Google Search</title></head><body>"
        f'<form><textarea name="q">{attribute(query)}</textarea></form>{cards}'
        f"<script nonce='a'>window.IJ_values=['#fff','x'];(function(){{var m={{{arrays}}};"
        "})();</script><a href='https://consent.google.com/ml'>Cookies</a></body></html>"
    )


def imgres(result, absolute=False):
    values = [("h", result.height), ("imgrefurl", result.page_url), ("tbnid", docid(result))]
    values += [("imgurl", result.image_url), ("w", result.width)]
    host = "https://www.google.com" if absolute else ""
    return attribute(f"{host}/imgres?{urlencode(values, quote_via=quote)}")


def g2_wml(results, query="cat"):
    links = "".join(
        f'<td><a href="{imgres(r)}"><img alt="{attribute(r.title)}" src="/t.jpg"/></a></td>'
        for r in results
    )
    more = f"/wml/search?tbm=isch&amp;q={quote(query)}&amp;start=20"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html PUBLIC "-//WAPFORUM//DTD XHTML '
        'Mobile 1.0//EN" "http://www.wapforum.org/DTD/xhtml-mobile10.dtd"><html><body>'
        f'<a href="/wml/search?q={quote(query)}">Web</a><table><tr>{links}</tr></table>'
        f'<a href="{more}">Next &gt;</a></body></html>'
    )


def g2_saved(results, query="cat"):
    links = "".join(
        f'<div><a target="_blank" href="{imgres(r, absolute=True)}"><div>'
        f'<img src="./cat_files/images({i}).jpg" alt="{attribute(r.title)}"></div></a></div>'
        for i, r in enumerate(results)
    )
    return (
        "<!DOCTYPE html>\n<!-- saved from url=(0040)https://www.google.com/search?udm=2 -->\n"
        '<html lang="en"><head><meta http-equiv="Content-Type" content="text/html; charset=UTF-8">'
        f"<title>{attribute(query)} - Google Search</title></head><body><form>"
        f'<textarea name="q">{attribute(query)}</textarea></form>{links}'
        '<a href="https://www.google.com/url?q=https://x.test/&amp;sa=U"><img src="t.jpg"></a>'
        "</body></html>"
    )


def g3(results, query="cat"):
    metadata = [
        {
            "text_in_grid": {"snippet": r.title},
            "result": {
                "referrer_url": r.page_url,
                "page_title": r.title,
                "site_title": "x.test",
                **({"iptc": {"creator": [r.author], "copyright_notice": "©"}} if r.author else {}),
            },
            "original_image": {"url": r.image_url, "width": r.width, "height": r.height},
            "thumbnail": {"url": THUMB.format(i), "width": 240, "height": 180},
        }
        for i, r in enumerate(results)
    ]
    return ')]}\'\n{"ischj":' + json.dumps({"metadata": metadata, "query": query}) + "}"


def g4(results, query="cat"):
    records = [
        [
            *[1, [*record(r), None, False, {"2001": ["x"]}]],
            *[{"2003": [None, docid(r), r.page_url, r.title, None]}],
        ]
        for r in results
    ]
    for outer in records:
        outer[1].append(outer.pop())
    data = [None, [[["b-GRID_STATE0", None, [records]]]]]
    return (
        "<html><head><script>AF_initDataCallback({key: 'ds:0', isError: false, hash: '1', "
        "data:[], sideChannel: {}});</script></head><body><script nonce='b'>"
        "AF_initDataCallback({key: 'ds:1', isError: false, hash: '2', "
        f"data:{script_text(data)}, sideChannel: {{}}}});</script></body></html>"
    )


def g5(results, query="cat"):
    metas = "".join(
        '<div class="rg_bx rg_di"><a class="rg_l"></a><div class="rg_meta notranslate">'
        + attribute(
            json.dumps(
                {
                    **{"id": "x:", "ity": "png", "oh": r.height, "ou": r.image_url, "ow": r.width},
                    **{"pt": r.title, "ru": r.page_url, "tu": THUMB.format(1), "th": 180, "tw": 9},
                }
            )
        )
        + "</div></div>"
        for r in results
    )
    return f'<html><body><div id="rg">{metas}</div></body></html>'


GOOGLE = {"g1": g1, "g2-wml": g2_wml, "g2-saved": g2_saved, "g3": g3, "g4": g4, "g5": g5}

CAPTCHA = (
    '<html><body><form id="captcha-form" action="index" method="post"><div class="g-recaptcha">'
    "</div></form>Our systems have detected unusual traffic from your computer network.</body>"
)
CONSENT = (
    '<html><head><title>Before you continue</title></head><body><form method="POST" '
    'action="https://consent.google.com/save"><button>Reject all</button></form></body></html>'
)
SHELL = (
    "<!DOCTYPE html><html><head><title>Google Search</title></head><body><noscript>"
    '<meta content="0;url=/httpservice/retry/enablejs?sei=abc" http-equiv="refresh"></noscript>'
    "<script>window.google={};window.IJ_values=['#202124','aZ09nonce'];</script></body></html>"
)
NEW_SHAPE = "<html><body><main data-pictures='elsewhere'>Images</main></body></html>"
THUMBS_ONLY = '<html><body><div data-docid="abc12345"><img alt="cat" src="x"></div></body></html>'

# ---- the others -------------------------------------------------------------------------------


def bing(results, query="cat", first=1, sized="href"):
    boxes = []
    for number, r in enumerate(results):
        about = {"murl": r.image_url, "purl": r.page_url, "t": r.title, "desc": "", "mid": "A"}
        about |= {"turl": "https://tse1.mm.bing.net/th?id=1", "md5": "0" * 32}
        size = f"&expw={r.width}&exph={r.height}" if sized == "href" else ""
        href = attribute(f"/images/search?view=detailV2&ccid=1{size}&selectedIndex={number}")
        words = f"{r.width} x {r.height} · png" if sized == "x" else f"{r.width} × {r.height} · png"
        boxes.append(
            f'<li data-idx="{number}"><div class="iuscp"><div class="imgpt"><a class="iusc" '
            f'm="{attribute(json.dumps(about, ensure_ascii=False))}" href="{href}"><img></a>'
            f'<div class="img_info hon"><span class="nowrap">{words}</span></div></div></div></li>'
        )
    link = f"/images/async?q={quote(query)}&first={first + len(results)}&count=35"
    return (
        f'<div class="dgControl hover" data-nextUrl="{attribute(link)}">'
        f'<ul class="dgControl_list" data-col="0">{"".join(boxes)}</ul></div>'
    )


BAIDU_PARTS = {":": "_z2C$q", ".": "_z&e3B", "/": "AzdH3F"}
BAIDU_LETTERS = dict(
    zip("abcdefghijklmnopqrstuvw1234567890", "wkv1ju2it3hs4g5rq6fp7eo8dn9cm0bla", strict=True)
)


def baidu_coded(url):
    return "".join(BAIDU_PARTS.get(c) or BAIDU_LETTERS.get(c, c) for c in url)


def baidu(results, query="cat", there=1000, coded=True):
    data = []
    for r in results:
        title = r.title.replace(query, f"<strong>{query}</strong>")
        item = {"width": r.width, "height": r.height, "type": "png", "is_gif": 0}
        item |= {"fromPageTitle": title, "middleURL": "https://img0.baidu.com/it/u=1"}
        if coded:
            item |= {"objURL": baidu_coded(r.image_url), "fromURL": baidu_coded(r.page_url)}
            copy = {"ObjURL": "https://ss1.bdimg.com/copy.png", "FromURL": "https://x.test/"}
            item["replaceUrl"] = [copy]
        else:
            item["replaceUrl"] = [{"ObjURL": r.image_url, "FromURL": r.page_url}]
            item["fromPageTitleEnc"] = r.title
        data.append(item)
    content = {"queryEnc": quote(query), "listNum": there, "displayNum": there, "data": [*data, {}]}
    text = json.dumps(content, ensure_ascii=False).replace("/", "\\/").replace("'", "\\'")
    return text.replace('"type": "png"', '"type": "png\n"')  # a raw line end: JSON, not strictly


BAIDU_FORBIDDEN = '{"antiFlag":1,"message":"Forbid spider access"}'


def duckduckgo_home(query="cat", token="4-123456789012345678901234567890"):
    return (
        f"<html><head><title>{attribute(query)} at DuckDuckGo</title></head><body><script>"
        f'DDG.deep.initialize("/d.js?q={quote(query)}");vqd="{token}";</script></body></html>'
    )


def duckduckgo(results, query="cat", after=None):
    content = {
        "results": [
            {
                **{"image": r.image_url, "url": r.page_url, "title": r.title, "source": "Bing"},
                **{"width": r.width, "height": r.height, "thumbnail": "https://tse1.mm.bing.net"},
            }
            for r in results
        ],
        **{"query": query, "queryEncoded": quote(query), "response_type": "places"},
    }
    if after is not None:
        content["next"] = f"i.js?q={quote(query)}&o=json&p=1&s={after}&u=bing&f=,,,,,&l=us-en"
    return json.dumps(content)


def openverse(results, query="cat", pages=1, page=1):
    return json.dumps(
        {
            **{"result_count": 1000, "page_count": pages, "page_size": 20, "page": page},
            "results": [
                {
                    **{"id": "b84", "title": r.title, "foreign_landing_url": r.page_url},
                    **{"url": r.image_url, "creator": r.author or None, "license": "by-sa"},
                    **{"license_version": "4.0", "license_url": r.licence_url or None},
                    **{"width": r.width or None, "height": r.height or None, "filetype": None},
                    "attribution": f'"{r.title}" by {r.author} is licensed under CC BY-SA 4.0.',
                }
                for r in results
            ],
        }
    )


def commons(results, query="cat", offset=None):
    pages = {}
    for number, r in enumerate(results):
        about = {"url": r.image_url, "descriptionurl": r.page_url, "mime": "image/png"}
        about |= {"width": r.width, "height": r.height, "size": 1000}
        about["extmetadata"] = {
            "Artist": {"value": f'<a href="//x.test">{r.author}</a>', "source": "commons"},
            "LicenseShortName": {"value": "CC BY-SA 4.0"},
            "LicenseUrl": {"value": r.licence_url},
        }
        pages[str(900 - number)] = {
            **{"pageid": 900 - number, "ns": 6, "title": f"File:{r.title}.png"},
            **{"index": number + 1, "imagerepository": "local", "imageinfo": [about]},
        }
    content = {"batchcomplete": "", "query": {"pages": pages}}
    if offset is not None:
        content["continue"] = {"gsroffset": offset, "continue": "gsroffset||"}
    return json.dumps(content)


def flickr(results, query="cat", pages=1):
    photos = [
        {
            **{"id": r.page_url.split("/")[-1], "owner": r.page_url.split("/")[-2]},
            **{"title": r.title, "ownername": r.author, "license": "5"},
            **{"url_l": r.image_url, "width_l": r.width, "height_l": str(r.height)},
            **{"url_c": "https://live.staticflickr.com/1/small.jpg", "width_c": 8, "height_c": 6},
        }
        for r in results
    ]
    return json.dumps({"photos": {"page": 1, "pages": pages, "photo": photos}, "stat": "ok"})
