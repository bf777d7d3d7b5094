"""A server on this computer, and archives, for the tests of downloads."""

import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


class Server:
    """Serves `files`; `asked` lists the paths and ranges; what is odd about it can be set.

    cut_at: a connection breaks after so many bytes. pages: paths that get a web page of the type
    `page_type`. length: what Content-Length says; "": nothing. status: the answer to everything.
    odd: {path: a function that answers a request in another way}.
    """

    def __init__(self):
        self.files, self.pages, self.odd, self.asked = {}, set(), {}, []
        self.cut_at, self.knows_ranges, self.length, self.status = None, True, None, None
        self.page_type = "text/html; charset=utf-8"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request):
        self.asked.append((request.path, request.headers.get("Range")))
        if request.path in self.odd:
            return self.odd[request.path](request)
        if self.status or request.path not in self.files:
            return request.send_error(self.status or 404)
        content, start = self.files[request.path], 0
        is_page = request.path in self.pages
        if is_page:
            says = self.page_type.startswith("text/html")  # known by its type, or by its beginning
            content = b"Quota exceeded" if says else b"<!DOCTYPE html><title>Quota exceeded</title>"
        elif self.knows_ranges and request.headers.get("Range"):
            start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return request.send_error(416)
        request.send_response(206 if start else 200)
        request.send_header("Content-Type", self.page_type if is_page else "application/zip")
        if self.length != "":
            request.send_header("Content-Length", self.length or str(len(content) - start))
        request.end_headers()
        try:
            request.wfile.write(content[start:][: self.cut_at])
        except ConnectionError:
            pass  # who only asks for the size does not wait for the rest


def picture(seed=0):
    """The bytes of a small JPEG picture."""
    buffer = io.BytesIO()
    Image.effect_noise((40, 30), 60 + seed).save(buffer, "JPEG")
    return buffer.getvalue()


def zipped(files):
    """{path: bytes} → the bytes of a .zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def tarred(files):
    """{path: bytes} → the bytes of a .tar.gz archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
