"""What stories about files are told with: a server with a folder of its own, raw HTTP, links, images."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from stations.models import ChargingStation, FileLink, FirmwareImage, StoredFile
from stations.services import files, firmware_library
from tests import signing
from tests.processes import Server
from tests.stories.story import rows

MAX_BYTES = 300_000  # of a file on the server of these stories
IMAGE = b"OPENCPO-FIRMWARE 2.0.0\n" + bytes(range(256)) * 400


class Answer(NamedTuple):
    """What came back: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


def environment(folder: Path, server_env: dict[str, str]) -> dict[str, str]:
    """Give what a server of these stories is started with: small files, short patience."""
    return {
        **server_env,
        "OCPP_CALL_TIMEOUT_S": "1",
        "OCPP_SETTLE_S": "0.3",
        "OCPP_ALLOW_PROFILE_0": "0",
        "FILES_ROOT": str(folder),
        "FILES_MAX_BYTES": str(MAX_BYTES),
        "FILES_STALL_S": "1",
        "FILES_MIN_RATE": "1000",
    }


async def http(
    server: Server,
    method: str,
    url: str,
    body: bytes = b"",
    *,
    length: int | None = None,
    pause_s: float = 0,
    **headers: str,
) -> Answer:
    """Do one HTTP request as it stands here: `length` may lie, `pause_s` drips one byte at a time."""
    path = urlsplit(url).path if "://" in url else url
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
        if method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        sending = asyncio.ensure_future(_send(writer, body if method in ("PUT", "POST") else b"", pause_s))
        async with asyncio.timeout(10):
            answer = await _read(reader, method)
        sending.cancel()
        return answer
    finally:
        writer.close()


async def _send(writer: asyncio.StreamWriter, body: bytes, pause_s: float) -> None:
    if not pause_s:
        writer.write(body)
        await writer.drain()
        return
    for byte in body:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(pause_s)


async def _read(reader: asyncio.StreamReader, method: str) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
    return Answer(int(status.split()[1]), headers, await reader.readexactly(length))


async def upload_url(station: ChargingStation, **options: Any) -> str:
    """Make an upload link of the station and give its URL."""
    return await rows(lambda: files.upload_link(kind=StoredFile.Kind.LOG, station=station, **options)[1])


async def download_url(station: ChargingStation, content: bytes = IMAGE, **options: Any) -> str:
    """Keep a file, make a link of the station to it and give its URL."""

    def make() -> str:
        file = files.store([content], kind=StoredFile.Kind.FIRMWARE, name="x.bin", uploaded_by="ada")
        return files.download_link(file, station=station, **options)[1]

    return await rows(make)


async def the_link() -> FileLink:
    return await rows(lambda: FileLink.objects.select_related("file").get())


def image(
    maker: signing.Maker, content: bytes = IMAGE, *, version: str = "2.0.0", **facts: Any
) -> FirmwareImage:
    """Add an image that the maker signed, for the simulated stations; the maker is trusted."""
    firmware_library.trust("OpenCPO", name="Maker", certificate=maker.root, added_by="ada")
    given = {
        "vendor": "OpenCPO",
        "version": version,
        "sha256": hashlib.sha256(content).hexdigest(),
        "signature": maker.sign(content),
        "certificate": maker.certificate,
    }
    return firmware_library.add([content], file_name="fw.bin", added_by="ada", **given | facts)


def left_on_disk(folder: Path) -> list[str]:
    """Name the files below the folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
