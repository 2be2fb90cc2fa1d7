"""A server that looks at its guests, and the limits of a guest that is in no one's way."""

import contextlib
import http.server
import threading
import time

from stages.params import Download

SETTINGS = Download(
    connections=8,
    connections_per_host=2,
    connect_timeout=1,
    read_timeout=1,
    total_timeout=2,
    max_megabytes=1,
    min_side=2,
    retries=2,
    user_agent="ViToon/0.1 (a test)",
    respect_robots=True,
    respect_opt_out=True,
)


class Guests(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_GET(self):
        book = self.server.book
        with book["lock"]:
            book["now"] += 1
            book["most"] = max(book["most"], book["now"])
            book["headers"].append(dict(self.headers))
        time.sleep(0.05)
        with book["lock"]:
            book["now"] -= 1
        to = self.server.redirect if self.path == "/away" else None
        self.send_response(302 if to else 200)
        self.send_header("Content-Length", "0")
        if to:
            self.send_header("Location", to)
        self.end_headers()


@contextlib.contextmanager
def hosting(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Guests)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    server.book = {"lock": threading.Lock(), "now": 0, "most": 0, "headers": []}
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
