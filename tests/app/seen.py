"""A page as a browser shows it: what it asks for and says, and whom it leaves out."""

import io

from axe_playwright_python.sync_playwright import Axe
from PIL import Image


class Visit:
    """What a page says on the console, and which addresses it asks for, noted from the start."""

    def __init__(self, page):
        self.page, self.said, self.asked = page, [], []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def status(self) -> str:
        return self.page.locator("#status").inner_text()

    def wait_for(self, text: str) -> None:
        """A text of the status line."""
        self.page.locator("#status", has_text=text).wait_for()

    def give(self, data: bytes, name: str = "a.png", kind: str = "image/png") -> None:
        self.page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})

    def drop(self, data: bytes, kind: str = "image/png") -> None:
        self._send("drop", "dataTransfer", data, kind)

    def paste(self, data: bytes, kind: str = "image/png") -> None:
        self._send("paste", "clipboardData", data, kind)

    def _send(self, event: str, carrier: str, data: bytes, kind: str) -> None:
        self.page.evaluate(
            """([event, carrier, bytes, kind]) => {
              const held = new DataTransfer()
              held.items.add(new File([new Uint8Array(bytes)], "a picture", {type: kind}))
              const happens = event === "drop"
                ? new DragEvent(event, {[carrier]: held, bubbles: true, cancelable: true})
                : new ClipboardEvent(event, {[carrier]: held, bubbles: true, cancelable: true})
              document.body.dispatchEvent(happens)
            }""",
            [event, carrier, list(data), kind],
        )

    def width(self) -> int:
        return self.page.evaluate("document.documentElement.scrollWidth")

    def faults(self) -> list[str]:
        """What axe finds serious."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{fault['id']}: {fault['nodes'][0]['html'][:120]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]


def png(colour: str = "#d02010", size: tuple[int, int] = (24, 16), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()
