"""Logs over a real socket and real HTTP (OCPP 1.6 sections 4.4 and 5.9; white paper N01, sections 5.9 and 5.13)."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stations.models import ChargingStation, Command, LogStatus, LogUpload, SecurityEvent
from stations.services import diagnostics, file_store
from tests.charger import (
    Charger,
    accepts,
    answers,
    answers_late,
    keeps_silent,
    refuses,
    rejects,
    sends_garbage,
)
from tests.processes import Server
from tests.stories.files import MAX_BYTES, environment, http
from tests.stories.story import eventually, rows

Make = Callable[..., Charger]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="module")
def server(process_env: dict[str, str], folder: Path) -> Iterator[Server]:
    found = Server(environment(folder, process_env))
    found.start()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def same_folder(settings, folder: Path, server: Server) -> None:
    """Let this process use the server's folder and addresses."""
    settings.FILES_ROOT, settings.FILES_URL, settings.FILES_MAX_BYTES = folder, server.http, MAX_BYTES


@pytest.fixture
def extended(ada: ChargingStation) -> ChargingStation:
    """Give Ada's station, known to speak the security extension."""
    SecurityEvent.objects.create(
        station=ada, type="ResetOrReboot", at=ada.created_at, received_at=ada.created_at
    )
    return ada


@pytest.fixture
def charger(charger: Make, request: pytest.FixtureRequest) -> Make:
    """Give a maker of chargers that know the security extension only where a story says so."""

    def make(**options: Any) -> Charger:
        station = charger(**options)
        station.files.knows_extension = "extended" in request.fixturenames
        return station

    return make


async def ask(station: ChargingStation, **options: Any) -> LogUpload:
    def queue() -> LogUpload:
        return diagnostics.request(ChargingStation.objects.get(pk=station.pk), requested_by="ada", **options)

    return await rows(queue)


async def is_(state: str, upload: LogUpload | None = None) -> LogUpload:
    found = LogUpload.objects.filter(state=state, **({"pk": upload.pk} if upload else {}))
    return await eventually(lambda: found.select_related("file", "link").first())


async def history(upload: LogUpload) -> list[str]:
    return await rows(lambda: [row.status for row in upload.history.all()])


async def content(upload: LogUpload) -> bytes:
    assert upload.file is not None
    return await rows(lambda: file_store.path(upload.file.stored_as).read_bytes())


@pytest.mark.parametrize("way", ["PUT", "POST", "FORM"])
async def test_get_diagnostics_brings_the_file_to_the_station(
    charger: Make, ada: ChargingStation, way: str
) -> None:
    async with charger() as station:
        station.files.upload_by, station.files.log = way, b"volt 230\n" * 5000
        await station.come_up()
        asked = await ask(ada)
        upload = await eventually(lambda: LogUpload.objects.filter(status="Uploaded").first())

    upload = await is_("uploaded", upload)
    assert await content(upload) == b"volt 230\n" * 5000
    assert upload.file_name == "ADA-1-diagnostics.log"
    said = await history(asked)
    assert sorted(said) == ["Accepted", "Received", "Requested", "Uploaded", "Uploading"]
    assert [word for word in said if word != "Accepted"] == ["Requested", "Uploading", "Received", "Uploaded"]


async def test_get_diagnostics_carries_times_and_retries(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        times = {"oldest": ada.created_at, "latest": ada.created_at}
        await ask(ada, retries=2, retry_interval_s=7, **times)
        await is_("uploaded")

    [request] = station.calls("GetDiagnostics", "in")
    assert (request["retries"], request["retryInterval"]) == (2, 7)
    assert request["startTime"] == request["stopTime"]
    assert request["startTime"].startswith(f"{ada.created_at:%Y-%m-%dT%H:%M}")


async def test_get_diagnostics_without_a_file_name_means_nothing_to_send(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.files.has_log = False
        await station.come_up()
        await ask(ada)
        upload = await is_("nothing")

    assert upload.ended_at is not None


async def test_get_diagnostics_that_is_refused_ends_the_upload(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["GetDiagnostics"] = refuses("InternalError", "disk")
        await station.come_up()
        await ask(ada)
        upload = await is_("failed")

    assert upload.reason == "InternalError disk"


@pytest.mark.parametrize("reaction", [keeps_silent(), sends_garbage()], ids=["silence", "rubbish"])
async def test_get_diagnostics_without_a_readable_answer_is_told(
    charger: Make, ada: ChargingStation, reaction: Any
) -> None:
    async with charger() as station:
        station.reactions["GetDiagnostics"] = reaction
        await station.come_up()
        await ask(ada)
        upload = await eventually(lambda: LogUpload.objects.exclude(state="requested").first())

    assert upload.state in ("unanswered", "failed")


async def test_a_late_answer_to_get_diagnostics_brings_the_upload_back(
    charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["GetDiagnostics"] = answers_late(2, answers({"fileName": "late.log"}))
        await station.come_up()
        await ask(ada)
        await is_("unanswered")
        upload = await is_("accepted")

    assert upload.file_name == "late.log"


async def test_get_diagnostics_waits_for_an_offline_station(charger: Make, ada: ChargingStation) -> None:
    await ask(ada, queue_offline=True)
    async with charger() as station:
        await station.come_up()
        await is_("uploaded")


async def test_a_request_that_is_taken_back_is_never_sent(charger: Make, ada: ChargingStation) -> None:
    upload = await ask(ada, queue_offline=True)
    await rows(lambda: diagnostics.cancel(upload, by="ada"))
    async with charger() as station:
        await station.come_up()
        await station.heartbeat()

    assert station.calls("GetDiagnostics", "in") == []
    assert (await is_("cancelled")).link.revoked_at is not None
    assert await rows(lambda: Command.objects.get(action="GetDiagnostics").status) == "cancelled"


async def test_an_upload_without_any_notification_is_there(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.files.tells = False
        await station.come_up()
        asked = await ask(ada)
        await is_("uploaded")
        await eventually(lambda: asked.history.filter(status="Accepted").first())

    assert set(await history(asked)) == {"Requested", "Accepted", "Received"}


async def test_uploaded_without_a_file_is_not_believed(
    charger: Make, ada: ChargingStation, settings, server: Server
) -> None:
    async with charger() as station:
        station.reactions["GetDiagnostics"] = answers({"fileName": "x.log"})
        await station.come_up()
        await ask(ada)
        await is_("accepted")
        await station.call("DiagnosticsStatusNotification", {"status": "Uploaded"})
        upload = await is_("uploading")

    assert (upload.status, upload.file) == ("Uploaded", None)
    await rows(lambda: LogUpload.objects.update(changed_at=ada.created_at))
    settings.FILES_LINK_S = 0
    await rows(lambda: type(upload.link).objects.update(expires_at=ada.created_at))
    await rows(diagnostics.sweep)
    assert (await is_("stalled")).reason == "the station says Uploaded, but no file came"


async def test_an_upload_that_fails_is_told_and_may_succeed_later(
    charger: Make, ada: ChargingStation, server: Server
) -> None:
    async with charger() as station:
        station.reactions["GetDiagnostics"] = answers({"fileName": "x.log"})
        await station.come_up()
        await ask(ada)
        await is_("accepted")
        await station.call("DiagnosticsStatusNotification", {"status": "UploadFailed"})
        await is_("failed")
        url = station.calls("GetDiagnostics", "in")[0]["location"]
        assert (await http(server, "PUT", url, b"after all")).status == 200

    assert await content(await is_("uploaded")) == b"after all"


async def test_words_after_the_file_change_nothing(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        upload = await ask(ada)
        await eventually(lambda: LogUpload.objects.filter(status="Uploaded").first())
        for word in ("Uploading", "UploadFailed", "Uploaded", "Idle"):
            assert await station.call("DiagnosticsStatusNotification", {"status": word}) == {}
        remarks = await rows(lambda: [(r.status, r.remark) for r in upload.history.all()][-4:])

    assert (await is_("uploaded")).file is not None
    assert remarks == [
        ("Uploading", "late"),
        ("UploadFailed", "late"),
        ("Uploaded", "repeated"),
        ("Idle", ""),
    ]


async def test_a_word_that_nobody_knows_is_kept(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        await station.come_up()
        assert await station.call("DiagnosticsStatusNotification", {"status": "Zipping"}) == {}

    row = await rows(LogStatus.objects.get)
    assert (row.status, row.upload, row.remark) == ("Zipping", None, "it belongs to no request of ours")
    assert await rows(lambda: ChargingStation.objects.get().diagnostics_status) == "Zipping"


async def test_get_log_brings_the_security_log(charger: Make, extended: ChargingStation) -> None:
    async with charger() as station:
        station.files.log = b"lid open"
        await station.come_up()
        asked = await ask(extended, kind="SecurityLog")
        await eventually(lambda: LogUpload.objects.filter(status="Uploaded").first())

    [request] = station.calls("GetLog", "in")
    told = {call["requestId"] for call in station.calls("LogStatusNotification")}
    assert (request["logType"], told) == ("SecurityLog", {request["requestId"]})
    assert await content(await is_("uploaded", asked)) == b"lid open"


async def test_a_station_with_the_extension_is_asked_for_diagnostics_by_get_log(
    charger: Make, extended: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await ask(extended)
        await is_("uploaded")

    assert [call["logType"] for call in station.calls("GetLog", "in")] == ["DiagnosticsLog"]
    assert station.calls("GetDiagnostics", "in") == []


async def test_a_station_that_does_not_know_get_log_is_asked_by_get_diagnostics(
    charger: Make, extended: ChargingStation
) -> None:
    async with charger() as station:
        station.files.knows_extension = False
        await station.come_up()
        await ask(extended)
        await is_("uploaded")
        await ask(extended)
        await eventually(lambda: LogUpload.objects.filter(state="uploaded").count() == 2)

    assert len(station.calls("GetLog", "in")) == 1
    assert len(station.calls("GetDiagnostics", "in")) == 2


async def test_a_security_log_that_the_station_does_not_know_fails(
    charger: Make, extended: ChargingStation
) -> None:
    async with charger() as station:
        station.files.knows_extension = False
        await station.come_up()
        await ask(extended, kind="SecurityLog")
        upload = await is_("failed")

    assert upload.reason == "the station does not know GetLog"


async def test_get_log_that_is_rejected_ends_the_upload(charger: Make, extended: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["GetLog"] = rejects()
        await station.come_up()
        await ask(extended)
        upload = await is_("rejected")

    assert upload.reason == "Rejected"


async def test_a_newer_request_cancels_the_upload_under_way(charger: Make, extended: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["GetLog"] = accepts()
        await station.come_up()
        first = await ask(extended)
        await is_("accepted", first)
        station.reactions["GetLog"] = answers({"status": "AcceptedCanceled", "filename": "b.log"})
        second = await ask(extended, kind="SecurityLog")
        await is_("accepted", second)

    cancelled = await is_("cancelled", first)
    assert cancelled.reason == "a newer one took its place"
    assert (await history(second))[-1] == "AcceptedCanceled"


@pytest.mark.parametrize("word", ["UploadFailure", "BadMessage", "PermissionDenied", "NotSupportedOperation"])
async def test_every_word_for_a_failed_upload_is_understood(
    charger: Make, extended: ChargingStation, word: str
) -> None:
    async with charger() as station:
        station.reactions["GetLog"] = accepts()
        await station.come_up()
        upload = await ask(extended)
        await is_("accepted")
        told = {"status": word, "requestId": upload.request_id}
        assert await station.call("LogStatusNotification", told) == {}

    assert (await is_("failed")).reason == word


async def test_a_request_id_tells_two_uploads_apart(charger: Make, extended: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["GetLog"] = accepts()
        await station.come_up()
        first, second = await ask(extended), await ask(extended, kind="SecurityLog")
        await is_("accepted", second)
        told = {"status": "UploadFailure", "requestId": first.request_id}
        await station.call("LogStatusNotification", told)
        await is_("failed", first)

    assert (await is_("accepted", second)).status == ""


async def test_a_request_id_of_nobody_is_kept_and_changes_nothing(
    charger: Make, extended: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["GetLog"] = accepts()
        await station.come_up()
        await ask(extended)
        await is_("accepted")
        await station.call("LogStatusNotification", {"status": "UploadFailure", "requestId": 7})

    assert (await is_("accepted")).status == ""
    assert await rows(lambda: LogStatus.objects.get(upload=None).request_id) == 7


async def test_a_trigger_makes_the_station_say_idle(charger: Make, ada: ChargingStation) -> None:
    from stations.services import commands

    async with charger() as station:
        await station.come_up()
        upload = await ask(ada)
        await eventually(lambda: LogUpload.objects.filter(status="Uploaded").first())
        wanted = {"requestedMessage": "DiagnosticsStatusNotification"}
        online = await rows(lambda: ChargingStation.objects.get(pk=ada.pk))
        await rows(lambda: commands.queue(online, action="TriggerMessage", payload=wanted))
        await eventually(lambda: LogStatus.objects.filter(status="Idle").first())

    assert (await is_("uploaded", upload)).status == "Uploaded"


async def test_words_told_offline_arrive_late_and_count(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["GetDiagnostics"] = answers({"fileName": "x.log"})
        await station.come_up()
        await ask(ada)
        await is_("accepted")
        await station.kill()
        await asyncio.sleep(0.1)
        await station.come_up()
        await station.call("DiagnosticsStatusNotification", {"status": "UploadFailed"})
        await is_("failed")
