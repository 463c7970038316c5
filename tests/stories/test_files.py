"""Links for files over real HTTP: taken once, cut off, resumed, never more than they should (SECURITY C3 to C7)."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, FileLink, StoredFile
from stations.services import file_store, files
from tests.processes import Server
from tests.stories.files import (
    IMAGE,
    MAX_BYTES,
    download_url,
    environment,
    http,
    left_on_disk,
    the_link,
    upload_url,
)
from tests.stories.story import eventually, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def server(process_env: dict[str, str], folder: Path) -> Iterator[Server]:
    """Give a web server that takes small files and has little patience."""
    found = Server(environment(folder, process_env))
    found.start()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def same_folder(settings, folder: Path, server: Server) -> None:
    """Let this process use the server's folder and addresses; it is empty before each story."""
    settings.FILES_ROOT, settings.FILES_URL, settings.FILES_MAX_BYTES = folder, server.http, MAX_BYTES
    for name in left_on_disk(folder):
        (folder / name).unlink()


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_an_upload_is_kept_with_its_checksum(server: Server, ada: ChargingStation, method: str) -> None:
    answer = await http(server, method, await upload_url(ada), b"a log\n" * 9_000, Content_Type="text/plain")

    link = await the_link()
    assert answer.status == 200
    assert link.file is not None
    assert link.used_at is not None
    assert link.file.sha256 == hashlib.sha256(b"a log\n" * 9_000).hexdigest()
    assert await rows(lambda: file_store.path(link.file.stored_as).read_bytes()) == b"a log\n" * 9_000
    assert (link.file.station_id, link.file.name, link.file.size) == (ada.pk, "log", 54_000)


async def test_a_form_is_taken_apart(server: Server, ada: ChargingStation) -> None:
    body = (
        b'--xyz\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
        b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="diag 1.zip"\r\n'
        b"Content-Type: application/zip\r\n\r\n" + b"\x00\r\n--xy\xff" * 900 + b"\r\n--xyz--\r\n"
    )
    kind = "multipart/form-data; boundary=xyz"
    answer = await http(server, "POST", await upload_url(ada), body, Content_Type=kind)

    file = (await the_link()).file
    assert (answer.status, file.name, file.content_type) == (200, "diag 1.zip", "application/zip")
    assert await rows(lambda: file_store.path(file.stored_as).read_bytes()) == b"\x00\r\n--xy\xff" * 900


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--xyz\r\n\r\nno file\r\n--xyz--\r\n", "multipart/form-data; boundary=xyz"),
        (b"nonsense", "multipart/form-data; boundary=xyz"),
        (b"nonsense", "multipart/form-data"),
        (b"", "text/plain"),
    ],
)
async def test_a_body_without_a_file_is_refused_and_the_link_stays(
    server: Server, ada: ChargingStation, folder: Path, body: bytes, kind: str
) -> None:
    answer = await http(server, "POST", await upload_url(ada), body, Content_Type=kind)

    link = await the_link()
    assert (answer.status, link.used_at, left_on_disk(folder)) == (400, None, [])
    assert link.last_fault


async def test_a_station_may_add_its_own_name_to_the_link(server: Server, ada: ChargingStation) -> None:
    url = (await upload_url(ada)).rsplit("/", 1)[0]

    assert (await http(server, "PUT", f"{url}/logs/ADA-1_2025.tar.gz", b"x")).status == 200
    assert (await the_link()).file.name == "ADA-1_2025.tar.gz"


async def test_an_upload_link_takes_one_file(server: Server, ada: ChargingStation, folder: Path) -> None:
    url = await upload_url(ada)
    first = await http(server, "PUT", url, b"first")
    second = await http(server, "PUT", url, b"second")

    assert (first.status, second.status) == (200, 410)
    assert len(left_on_disk(folder)) == 1
    assert await rows(lambda: [file.size for file in StoredFile.objects.all()]) == [5]


async def test_of_two_uploads_at_once_one_is_kept(server: Server, ada: ChargingStation, folder: Path) -> None:
    url = await upload_url(ada)
    answers = await asyncio.gather(*(http(server, "PUT", url, bytes(200_000)) for _ in range(2)))

    assert sorted(answer.status for answer in answers) == [200, 410]
    assert len(left_on_disk(folder)) == 1


async def test_an_expired_link_takes_nothing(server: Server, ada: ChargingStation, folder: Path) -> None:
    url = await upload_url(ada, expires_at=clock.now() - timedelta(seconds=1))

    assert (await http(server, "PUT", url, b"late")).status == 410
    assert left_on_disk(folder) == []


async def test_a_link_that_was_taken_back_takes_nothing(server: Server, ada: ChargingStation) -> None:
    url = await upload_url(ada)
    await rows(lambda: files.revoke(FileLink.objects.get()))

    assert (await http(server, "PUT", url, b"late")).status == 410


@pytest.mark.parametrize(
    "path", ["/files/", "/files/abc/x", "/files/" + "A" * 43 + "/x", "/files/..%2f..%2fetc/x"]
)
async def test_an_unknown_token_leads_nowhere(server: Server, ada: ChargingStation, path: str) -> None:
    answers = [await http(server, method, path, b"x") for method in ("GET", "HEAD", "PUT", "POST")]

    assert {answer.status for answer in answers} == {404}


async def test_a_link_goes_one_way_only(server: Server, ada: ChargingStation) -> None:
    there, back = await upload_url(ada), await download_url(ada)

    assert (await http(server, "GET", there)).status == 404
    assert (await http(server, "PUT", back, b"x")).status == 404
    assert (await http(server, "DELETE", back)).status == 405


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "..%5c..%5cboot.ini", "a%00b", "a%0d%0ab"]
)
async def test_a_name_that_leads_out_of_its_folder_is_refused(
    server: Server, ada: ChargingStation, folder: Path, name: str
) -> None:
    url = (await upload_url(ada)).rsplit("/", 1)[0]

    assert (await http(server, "PUT", f"{url}/{name}", b"x")).status == 403
    assert ((await the_link()).used_at, left_on_disk(folder)) == (None, [])


async def test_a_form_whose_name_leads_out_of_its_folder_is_refused(
    server: Server, ada: ChargingStation, folder: Path
) -> None:
    body = b'--z\r\nContent-Disposition: form-data; name="f"; filename="../../x"\r\n\r\nx\r\n--z--\r\n'
    kind = "multipart/form-data; boundary=z"
    answer = await http(server, "POST", await upload_url(ada), body, Content_Type=kind)

    assert (answer.status, left_on_disk(folder)) == (403, [])


async def test_a_file_that_says_that_it_is_too_large_is_not_read(
    server: Server, ada: ChargingStation, folder: Path
) -> None:
    answer = await http(server, "PUT", await upload_url(ada), b"x" * 10, length=MAX_BYTES + 1)

    assert (answer.status, answer.headers["connection"], left_on_disk(folder)) == (413, "close", [])


async def test_a_file_that_turns_out_too_large_leaves_nothing(
    server: Server, ada: ChargingStation, folder: Path
) -> None:
    piece = b"40000\r\n" + bytes(0x40000) + b"\r\n"
    body = piece * 2 + b"0\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    path = (await upload_url(ada)).removeprefix(server.http)
    writer.write(
        f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body
    )
    status = (await reader.readline()).split()[1]
    writer.close()

    assert (status, left_on_disk(folder)) == (b"413", [])


async def test_a_dripping_upload_is_cut_off(server: Server, ada: ChargingStation, folder: Path) -> None:
    answer = await http(server, "PUT", await upload_url(ada), bytes(1000), pause_s=0.05)

    assert (answer.status, left_on_disk(folder)) == (408, [])
    assert "slow" in (await the_link()).last_fault


async def test_a_connection_that_breaks_leaves_nothing_and_the_link_can_be_tried_again(
    server: Server, ada: ChargingStation, folder: Path
) -> None:
    url = await upload_url(ada)
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    path = url.removeprefix(server.http)
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".encode() + bytes(50_000))
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.transport.abort()

    await eventually(lambda: FileLink.objects.get().last_fault == "the connection was lost")
    assert left_on_disk(folder) == []
    assert (await http(server, "PUT", url, b"again")).status == 200


async def test_the_quota_of_all_files_is_kept(
    process_env: dict[str, str], ada: ChargingStation, folder: Path, settings
) -> None:
    full = Server(environment(folder, process_env) | {"FILES_QUOTA_BYTES": "1000"})
    full.start()
    try:
        assert (await http(full, "PUT", await upload_url(ada), bytes(2000))).status == 507
        assert left_on_disk(folder) == []
    finally:
        full.close()


async def test_a_killed_server_leaves_nothing_for_long(
    process_env: dict[str, str], ada: ChargingStation, folder: Path, monkeypatch
) -> None:
    victim = Server(environment(folder, process_env))
    victim.start()
    path = (await upload_url(ada)).split("/files/")[1]
    _, writer = await asyncio.open_connection("127.0.0.1", victim.port)
    writer.write(f"PUT /files/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 300000\r\n\r\n".encode())
    writer.write(bytes(290_000))
    await eventually(lambda: left_on_disk(folder))
    victim.kill()
    victim.close()
    writer.close()

    assert [name.split("/")[0] for name in left_on_disk(folder)] == ["incoming"]
    monkeypatch.setattr(file_store, "DEAD_S", -1)
    assert await rows(files.sweep) >= 1
    assert left_on_disk(folder) == []


async def test_a_download_is_the_file_itself_and_nothing_a_browser_would_run(
    server: Server, ada: ChargingStation
) -> None:
    answer = await http(server, "GET", await download_url(ada))

    assert (answer.status, answer.body) == (200, IMAGE)
    assert answer.headers["etag"] == f'"{hashlib.sha256(IMAGE).hexdigest()}"'
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_look_before_a_download_costs_nothing(server: Server, ada: ChargingStation) -> None:
    answer = await http(server, "HEAD", await download_url(ada))

    assert (answer.status, answer.headers["content-length"], answer.body) == (200, str(len(IMAGE)), b"")
    assert (await the_link()).uses == 0


SIZE = len(IMAGE)


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=100000-", 100_000, SIZE - 1),
        ("bytes=-5", SIZE - 5, SIZE - 1),
        ("bytes=10-999999999", 10, SIZE - 1),
    ],
)
async def test_a_download_goes_on_where_it_broke_off(
    server: Server, ada: ChargingStation, wanted: str, first: int, last: int
) -> None:
    answer = await http(server, "GET", await download_url(ada), Range=wanted)

    assert (answer.status, answer.headers["content-range"]) == (206, f"bytes {first}-{last}/{SIZE}")
    assert answer.body == IMAGE[first : last + 1]


@pytest.mark.parametrize("wanted", ["bytes=999999999-", "bytes=9-5", "bytes=-0"])
async def test_a_part_that_is_not_there_is_not_invented(
    server: Server, ada: ChargingStation, wanted: str
) -> None:
    answer = await http(server, "GET", await download_url(ada), Range=wanted)

    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{SIZE}")


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "pages=1-2", "bytes=-", "x"])
async def test_a_range_that_we_do_not_serve_gets_the_whole_file(
    server: Server, ada: ChargingStation, wanted: str
) -> None:
    answer = await http(server, "GET", await download_url(ada), Range=wanted)

    assert (answer.status, answer.body) == (200, IMAGE)


async def test_a_part_of_another_file_is_never_given(server: Server, ada: ChargingStation) -> None:
    answer = await http(server, "GET", await download_url(ada), Range="bytes=5-", If_Range='"another"')

    assert (answer.status, answer.body) == (200, IMAGE)


async def test_a_download_may_be_repeated_until_its_link_ends(server: Server, ada: ChargingStation) -> None:
    url = await download_url(ada)
    answers = [(await http(server, "GET", url)).status for _ in range(2)]
    await eventually(lambda: FileLink.objects.get().uses == 2)
    await rows(lambda: files.revoke(FileLink.objects.get()))

    assert answers == [200, 200]
    assert (await the_link()).used_at is not None
    assert (await http(server, "GET", url)).status == 410


async def test_a_download_whose_file_is_gone_says_so(
    server: Server, ada: ChargingStation, folder: Path
) -> None:
    url = await download_url(ada)
    await rows(lambda: files.delete(StoredFile.objects.get()))

    assert (await http(server, "GET", url)).status == 410
    assert left_on_disk(folder) == []


@pytest.mark.parametrize("name", ["x.html", "x.svg", "bomb.zip"])
async def test_what_a_station_uploads_is_never_looked_into(
    server: Server, ada: ChargingStation, name: str
) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50_000_000))
    url = (await upload_url(ada)).rsplit("/", 1)[0]

    assert (
        await http(server, "PUT", f"{url}/{name}", bomb.getvalue(), Content_Type="text/html")
    ).status == 200
    assert (await the_link()).file.size == len(bomb.getvalue())


async def test_no_token_is_ever_logged(server: Server, ada: ChargingStation) -> None:
    urls = [await upload_url(ada), await download_url(ada)]
    tokens = [url.split("/files/")[1].split("/")[0] for url in urls]
    for url in urls:
        for method in ("GET", "PUT", "POST", "DELETE", "PATCH"):
            await http(server, method, url, b"x" * 10)
            await http(server, method, url, b"x" * 10, length=MAX_BYTES * 2)
    await http(server, "GET", urls[1], Range="bytes=9-5")

    assert [token for token in tokens if token in server.output()] == []


async def test_the_rest_of_the_server_answers_as_before(server: Server) -> None:
    assert (await http(server, "GET", "/livez")).status == 200
    assert (await http(server, "GET", "/filesx")).status == 404
