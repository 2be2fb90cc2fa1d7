"""A web for tests: seven search engines and the pictures they find, in a process of its own.

    python tests/search_server.py        prints its port

An engine's page is at /<mode>/<host>/<path>: `mode` says how the engines are today, for example
`google=g1,bing=captcha`. /log gives what was asked so far.
"""

import hashlib
import io
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from stages.sources.results import Result
from tests.sources import search_pages

THERE = 60  # pictures of a query, if the mode does not say less: `there=5`
GOOGLE_PAGE = 20
FLICKR_KEY = "0123456789abcdef"
TOKENS = {}  # DuckDuckGo's, each for one query and one user agent
LOG, LOCK = [], Lock()

HOSTS = {
    **{"www.google.com": "google", "www.bing.com": "bing", "image.baidu.com": "baidu"},
    **{"duckduckgo.com": "duckduckgo", "api.openverse.org": "openverse"},
    **{"commons.wikimedia.org": "commons", "api.flickr.com": "flickr"},
    "consent.google.com": "consent",
}


def results(query, port, there=THERE):
    """What there is of a query. Titles and addresses have what pages must escape."""
    slug = hashlib.sha256(query.encode()).hexdigest()[:8]
    return [
        Result(
            image_url=f"http://127.0.0.1:{port}/pictures/{slug}-{n}.png?w={64 + n}&h=48&v=a%2Fb=",
            page_url=f"http://127.0.0.1:{port}/pages/{slug}/{n}",
            title=f'{query} no. {n} – "drawn" & <fine> ねこ'.replace(
                "<fine>", "fine" if n % 2 else "<"
            ),
            width=64 + n,
            height=48,
            author=f"Ann {n}",
            licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
        )
        for n in range(there)
    ]


def picture(name, width, height):
    """A PNG that is different for every name."""
    colours = hashlib.sha256(name.encode()).digest()
    image = Image.new("RGB", (2, 2))
    image.putdata([tuple(colours[i : i + 3]) for i in (0, 3, 6, 9)])
    file = io.BytesIO()
    image.resize((width, height)).save(file, "PNG")
    return file.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        place = urlsplit(self.path)
        self.asked = {key: values[0] for key, values in parse_qs(place.query).items()}
        kind, _, rest = place.path[1:].partition("/")
        with LOCK:
            if kind not in ("log", "robots.txt"):
                LOG.append([self.path, self.headers.get("User-Agent", "")])
        if kind == "log":
            return self.reply(json.dumps(LOG))
        if kind == "pictures":
            size = int(self.asked["w"]), int(self.asked["h"])
            return self.reply(picture(rest, *size), kind="image/png")
        if kind == "robots.txt":
            return self.reply("", 404)
        host, _, path = rest.partition("/")
        self.mode = dict(word.partition("=")[::2] for word in kind.split(","))
        engine = HOSTS[host]
        today = self.mode.get(engine, "")
        if not path.startswith("sorry/") and self.blocked(today, f"/{kind}/{host}"):
            return None
        return getattr(self, engine)(path, today)

    def blocked(self, today, home):
        """The pages that any engine may give instead of results."""
        if today.isdecimal():
            self.reply("<html>no</html>", int(today))
        elif today == "captcha":
            self.reply(search_pages.CAPTCHA)
        elif today == "sorry":
            self.reply("", 302, location=f"http://127.0.0.1:{self.port}{home}/sorry/index?q=x")
        elif today == "new":
            self.reply(search_pages.NEW_SHAPE)
        else:
            return False
        return True

    @property
    def port(self):
        return self.server.server_address[1]

    def found(self, query, first=0, count=1000):
        there = int(self.mode.get("there", THERE))
        return results(query, self.port, there)[first : first + count]

    def reply(self, body, status=200, kind="text/html; charset=utf-8", **headers):
        body = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: standard error is for faults."""

    # ---- the engines --------------------------------------------------------------------------

    def google(self, path, today):
        if path.startswith("sorry/"):
            return self.reply(search_pages.CAPTCHA, 429)
        if today == "redirect-consent":
            mode = ",".join(f"{key}={value}" for key, value in self.mode.items())
            place = f"http://127.0.0.1:{self.port}/{mode}/consent.google.com/ml?continue=x"
            return self.reply("", 302, location=place)
        if today == "consent" or "CONSENT=" not in self.headers.get("Cookie", ""):
            return self.reply(search_pages.CONSENT)
        if today == "shell" or self.asked.get("udm") != "2":
            return self.reply(search_pages.SHELL)
        query = self.asked["q"]
        # Pages overlap: twenty cards, ten further.
        found = self.found(query, int(self.asked.get("start", 0)), GOOGLE_PAGE)
        if not found:
            return self.reply("<html><p>Your search did not match any image results.</p></html>")
        return self.reply(search_pages.GOOGLE[today or "g1"](found, query))

    def consent(self, path, today):
        return self.reply(search_pages.CONSENT)

    def bing(self, path, today):
        query, first = self.asked["q"], int(self.asked["first"])
        if today == "unrelated":
            return self.reply(search_pages.bing(self.found("dog", 0, 35), "dog"))
        there = len(self.found(query))
        first = min(first, max(1, there - 34))  # past the end, the last page again
        return self.reply(search_pages.bing(self.found(query, first - 1, 35), query, first))

    def baidu(self, path, today):
        if not path:
            return self.reply("<html>home</html>", Set_Cookie="BAIDUID=1; path=/")
        if today == "forbidden" or "BAIDUID=1" not in self.headers.get("Cookie", ""):
            return self.reply(search_pages.BAIDU_FORBIDDEN)
        if today == "away":
            return self.reply("", 302, location="https://wappass.baidu.com/static/captcha")
        query, first = self.asked["word"], int(self.asked["pn"])
        found = self.found(query, first, 30)
        return self.reply(search_pages.baidu(found, query, len(self.found(query))))

    def duckduckgo(self, path, today):
        agent, query = self.headers["User-Agent"], self.asked["q"]
        if path != "i.js":
            token = f"4-{len(TOKENS):030}"
            TOKENS[token] = query, agent
            return self.reply(search_pages.duckduckgo_home(query, token))
        if TOKENS.get(self.asked.get("vqd")) != (query, agent):
            return self.reply("", 403)
        first = int(self.asked.get("s", 0))
        found = self.found(query, first, 25)
        after = first + 25 if first + 25 < len(self.found(query)) else None
        return self.reply(search_pages.duckduckgo(found, query, after))

    def openverse(self, path, today):
        query, page = self.asked["q"], int(self.asked["page"])
        if int(self.asked["page_size"]) > 20:
            return self.reply("{}", 401)
        pages = -(-len(self.found(query)) // 20)
        found = self.found(query, 20 * (page - 1), 20)
        return self.reply(search_pages.openverse(found, query, pages, page))

    def commons(self, path, today):
        query = self.asked["gsrsearch"].partition(" ")[2]
        first, count = int(self.asked.get("gsroffset", 0)), int(self.asked["gsrlimit"])
        found = self.found(query, first, count)
        after = first + count if first + count < len(self.found(query)) else None
        return self.reply(search_pages.commons(found, query, after))

    def flickr(self, path, today):
        if self.asked["api_key"] != FLICKR_KEY:
            return self.reply('{"stat":"fail","code":100,"message":"Invalid API Key"}')
        return self.reply(search_pages.flickr(self.found(self.asked["text"])))


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
