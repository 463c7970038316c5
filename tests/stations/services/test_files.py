"""The file store keeps what it must and forgets the rest."""

from datetime import timedelta

import pytest

from cpo.lib import clock
from stations.models import FileLink, StoredFile
from stations.services import file_store, files
from stations.services.errors import ForbiddenLocation, InvalidFileName, LinkGone, NoSpace, UnknownLink
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.FILES_ROOT = tmp_path
    return tmp_path


def kept(count: int = 1, *, station=None, days_ago: int = 0) -> list[StoredFile]:
    made = []
    for number in range(count):
        file = files.store([b"log"], kind="log", name=f"{number}.log", uploaded_by="ADA-1")
        stored_at = clock.now() - timedelta(days=days_ago)
        StoredFile.objects.filter(pk=file.pk).update(station=station, stored_at=stored_at)
        made.append(file)
    return made


def on_disk(folder) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def test_a_token_is_kept_as_a_hash_only():
    link, url = files.upload_link(kind="log", station=factories.station())
    token = url.split("/files/")[1].split("/")[0]

    assert files.find(token) == link
    assert token.encode() not in bytes(link.token_hash)
    assert token not in str(FileLink.objects.values())


def test_a_url_is_short_enough_for_every_station():
    _, url = files.upload_link(kind="log", station=factories.station(), name="ü" * 300)

    assert len(url) < files.LOCATION_LENGTH
    assert url.isascii()


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "../" * 15, "A" * 10_000])
def test_a_token_of_nobody_is_unknown(token):
    with pytest.raises(UnknownLink):
        files.find(token)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("diag.log", "diag.log"),
        ("logs/2025/diag.log", "diag.log"),
        ("C:\\logs\\diag.log", "diag.log"),
        ('<svg onload="x">.html', "_svg onload=_x__.html"),
        ("", "file"),
        ("...", "file"),
        ("a" * 300, "a" * 255),
        ("Zähler №5.txt", "Zähler _5.txt"),
    ],
)
def test_a_name_becomes_a_label(name, label):
    assert files.clean_name(name) == label


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..\\x", "a\0b", "a\nb", ".."])
def test_a_name_that_leads_out_of_its_folder_is_refused(name):
    with pytest.raises(InvalidFileName):
        files.clean_name(name)


def test_old_logs_are_deleted_with_their_bytes(folder, django_capture_on_commit_callbacks):
    kept(days_ago=91)
    [fresh] = kept(days_ago=89)
    with django_capture_on_commit_callbacks(execute=True):
        files.sweep()

    assert [file.pk for file in StoredFile.objects.all()] == [fresh.pk]
    assert on_disk(folder) == 1


def test_of_one_station_only_its_share_is_kept(settings, folder, django_capture_on_commit_callbacks):
    settings.FILES_PER_STATION = 2
    made = kept(4, station=factories.station())
    kept(1, station=factories.station())
    with django_capture_on_commit_callbacks(execute=True):
        files.sweep()

    assert not StoredFile.objects.filter(pk__in=[file.pk for file in made[:2]]).exists()
    assert (StoredFile.objects.count(), on_disk(folder)) == (3, 3)


def test_a_file_without_a_row_is_deleted(folder, monkeypatch):
    incoming = file_store.Incoming(max_bytes=100)
    incoming.write(b"the transaction never committed")
    incoming.commit()
    monkeypatch.setattr(file_store, "ORPHAN_S", -1)

    assert (files.sweep(), on_disk(folder)) == (1, 0)


def test_a_file_with_a_row_is_left_alone(folder, monkeypatch):
    kept()
    monkeypatch.setattr(file_store, "ORPHAN_S", -1)

    assert (files.sweep(), on_disk(folder)) == (0, 1)


def test_links_are_forgotten_long_after_their_end():
    long_ago = clock.now() - files.LINKS_KEPT - timedelta(days=1)
    files.upload_link(kind="log", station=factories.station(), expires_at=long_ago)
    files.upload_link(kind="log", station=factories.station())
    files.sweep()

    assert FileLink.objects.count() == 1


def test_the_quota_counts_all_files(settings):
    kept(3)
    settings.FILES_QUOTA_BYTES = 10
    files.check_space(1)

    with pytest.raises(NoSpace):
        files.check_space(2)


def test_a_nearly_full_disk_takes_nothing_more(monkeypatch):
    monkeypatch.setattr(file_store, "RESERVE", 1 << 60)

    with pytest.raises(NoSpace):
        files.store([b"x"], kind="log", name="x", uploaded_by="ada")


def test_a_name_on_the_disk_is_always_ours():
    for name in ("../../etc/passwd", "/etc/passwd", "", "x" * 40, "0" * 39):
        with pytest.raises(ValueError, match="not a name of ours"):
            file_store.path(name)


def test_a_link_works_only_for_its_station_and_way():
    ada, eve = factories.station(), factories.station()
    _, url = files.upload_link(kind="log", station=ada)
    files.check_location(ada, url, direction="upload")

    for station, direction in ((eve, "upload"), (ada, "download")):
        with pytest.raises(ForbiddenLocation):
            files.check_location(station, url, direction=direction)


def test_a_listed_server_must_be_public(settings, monkeypatch):
    ada = factories.station()
    settings.FILES_EXTERNAL_HOSTS = ["files.example", "inside.example", "127.0.0.1"]
    settings.INTEGRATIONS_ALLOW_PRIVATE_IPS = False
    found = {"files.example": "93.184.216.34", "inside.example": "10.0.0.8", "127.0.0.1": "127.0.0.1"}
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *_a, **_k: [(2, 1, 6, "", (found[host], 0))])
    files.check_location(ada, "ftps://files.example/logs/", direction="upload")

    for url in (
        "https://inside.example/",
        "http://127.0.0.1/x",
        "https://files.example.evil.example/",
        "https://ada:secret@files.example/",
        "gopher://files.example/",
        "https://files.example%2f@evil.example/",
    ):
        with pytest.raises(ForbiddenLocation):
            files.check_location(ada, url, direction="upload")


def test_a_revoked_link_is_gone():
    link, url = files.upload_link(kind="log", station=factories.station())
    files.revoke(link)

    with pytest.raises(LinkGone):
        files.find(files.own_token(url))
