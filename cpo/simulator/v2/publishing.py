"""A simulated local controller: firmware really downloaded, checked by MD5 and served to others (L03, L04)."""

import asyncio
import hashlib
import http.client
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from cpo.simulator import files
from cpo.simulator.answers import Answer, Payload, Reaction

if TYPE_CHECKING:
    from cpo.simulator.v2.charger import Charger

HOST = "127.0.0.1"  # a simulated site is this machine


@dataclass
class Shelf:
    """What the controller publishes, by MD5, and the server that hands it out."""

    files: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)  # MD5 of each download
    fetching: str = ""  # MD5 of what is being downloaded itself
    is_busy: bool = False  # a station is downloading: nothing is taken back now (L04.FR.04)
    can_publish: bool = True
    last: tuple[str, int | None] = ("Idle", None)
    _server: ThreadingHTTPServer | None = None

    def location(self, checksum: str) -> str:
        """Return where a file is served; the server begins with the first one."""
        if self._server is None:
            self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
            self._server.daemon_threads = True
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://{HOST}:{self._server.server_port}/{checksum}.bin"

    def close(self) -> None:
        """Serve nothing any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _handler(shelf: Shelf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            checksum = self.path.strip("/").partition(".")[0]
            content = shelf.files.get(checksum)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")
            shelf.fetched.append(checksum)

        def log_message(self, *_: Any) -> None:
            return

    return Handler


async def publish_firmware(station: "Charger", payload: Payload) -> Answer:
    """L03: the answer first, then the download."""
    return Answer({"status": "Accepted"}, then=lambda: _publish(station, payload))


async def unpublish_firmware(station: "Charger", payload: Payload) -> Payload:
    """L04: by the checksum; not while a station or the controller itself is downloading it."""
    shelf, checksum = station.shelf, payload["checksum"].lower()
    if shelf.is_busy or shelf.fetching == checksum:
        return {"status": "DownloadOngoing"}
    if shelf.files.pop(checksum, None) is None:
        return {"status": "NoFirmware"}
    return {"status": "Unpublished"}


async def trigger(station: "Charger") -> None:
    """L03.FR.10, FR.11: say the last word again, or Idle once it is published."""
    status, request_id = station.shelf.last
    if status in ("Published", "Idle"):
        await station.call("PublishFirmwareStatusNotification", {"status": "Idle"})
        return
    await _tell(station, status, request_id)


async def _publish(station: "Charger", payload: Payload) -> None:
    shelf, checksum, request_id = station.shelf, payload["checksum"].lower(), payload["requestId"]
    shelf.fetching = checksum
    try:
        content = await _download(station, payload)
    finally:
        shelf.fetching = ""
    if content is None:
        return
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != checksum:
        await _tell(station, "InvalidChecksum", request_id)
        return
    await _tell(station, "ChecksumVerified", request_id)
    if not shelf.can_publish:
        await _tell(station, "PublishFailed", request_id)
        return
    shelf.files[checksum] = content
    await _tell(station, "Published", request_id, location=[shelf.location(checksum)])


async def _download(station: "Charger", payload: Payload) -> bytes | None:
    request_id = payload["requestId"]
    for _ in range(payload.get("retries", 0) + 1):
        await _tell(station, "Downloading", request_id)
        try:
            status, _, content = await asyncio.to_thread(files.request, "GET", payload["location"])
        except (OSError, http.client.HTTPException):
            continue
        if status == 200:
            await _tell(station, "Downloaded", request_id)
            return content
    await _tell(station, "DownloadFailed", request_id)
    return None


async def _tell(station: "Charger", status: str, request_id: int | None, **more: Any) -> None:
    station.shelf.last = (status, request_id)
    payload = {"status": status, "requestId": request_id, **more}
    await station.call("PublishFirmwareStatusNotification", payload)


REACTIONS: dict[str, Reaction] = {
    "PublishFirmware": publish_firmware,
    "UnpublishFirmware": unpublish_firmware,
}
