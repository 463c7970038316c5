"""Part 6, chapter 3: logs and customer information (block N), and the report of monitors that asks for both.

GetLog and LogStatusNotification (N01), CustomerInformation and NotifyCustomerInformation (N09, N10).
"""

from pathlib import Path
from typing import Any

import pytest

from cpo.lib import clock
from stations.models import ChargingStation, Command, CustomerRequest, DeviceReport, Frame, LogUpload
from stations.services import customer_information, diagnostics, local_list, monitoring, variable_keys
from stations.services.errors import InvalidPayload
from tests.processes import Server
from tests.stories.story import eventually, rows
from tests.stories.v2.answering import Payload, Station, sent, station
from tests.stories.v2.firmware import keep_files
from tests.stories.v2.test_tc_d import Held, becomes, updated

pytestmark = pytest.mark.usefixtures("ada")
BOTH = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
LOG, CUSTOMER = "GetLog", "CustomerInformation"
NAMED = {"status": "Accepted", "filename": "ada.log"}
ACCEPTS: dict[str, Payload] = {LOG: NAMED, CUSTOMER: {"status": "Accepted"}}
BO = {"idToken": "BO-1", "type": "ISO14443"}
CERTIFICATE = {
    "hash_algorithm": "SHA384", "issuer_name_hash": "aa", "issuer_key_hash": "bb", "serial_number": "0C",
}  # fmt: skip


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    keep_files(settings, tmp_path)


# --- N01: logs


async def ask(**options: Any) -> LogUpload:
    return await rows(
        lambda: diagnostics.request(ChargingStation.objects.get(), requested_by="ada", **options)
    )


async def is_(state: str, row: LogUpload) -> LogUpload:
    found = LogUpload.objects.filter(pk=row.pk, state=state)
    return await eventually(found.first)


async def tell(there: Station, row: LogUpload | None, word: str, **more: Any) -> None:
    about = {"requestId": row.request_id} if row else {}
    assert await there.call("LogStatusNotification", {"status": word} | about | more) == {}


async def words(row: LogUpload) -> list[tuple[str, str]]:
    return await rows(lambda: [(word.status, word.remark) for word in row.history.all()])


async def uploads(server: Server, version: str, kind: str) -> None:
    """Ask for a log to another server; the station says that it is there."""
    async with station(server, version, **ACCEPTS) as there:
        row = await is_("accepted", await ask(kind=kind, retries=3, retry_interval_s=9))
        await tell(there, row, "Uploading")
        await tell(there, row, "Uploaded")

    [request] = there.requests(LOG)
    assert (request["logType"], request["retries"], request["retryInterval"]) == (kind, 3, 9)
    assert request["log"]["remoteLocation"].startswith("http://csms.example/files/")
    assert row.file_name == "ada.log"
    assert (await words(row))[-2:] == [("Uploading", ""), ("Uploaded", "but its file is not here")]


@BOTH
async def test_tc_n_25_csms_a_diagnostics_log_is_uploaded(server: Server, version: str) -> None:
    await uploads(server, version, "DiagnosticsLog")


@BOTH
async def test_tc_n_35_csms_a_security_log_is_uploaded(server: Server, version: str) -> None:
    await uploads(server, version, "SecurityLog")


async def test_n01_collected_readings_are_uploaded_by_2_1_alone(server: Server) -> None:
    """N01.FR.24 (2.1)."""
    await uploads(server, "2.1", "DataCollectorLog")
    await rows(lambda: ChargingStation.objects.update(ocpp_version="2.0.1"))

    with pytest.raises(InvalidPayload, match="logType"):
        await ask(kind="DataCollectorLog")


async def test_tc_n_34_csms_a_log_that_is_refused_ends(server: Server) -> None:
    """N01.FR.05."""
    info = {"reasonCode": "NoLog"}
    async with station(server, **{LOG: {"status": "Rejected", "statusInfo": info}}):
        row = await is_("rejected", await ask())

    assert (row.status, row.reason) == ("Rejected", "NoLog")


@BOTH
async def test_tc_n_36_csms_a_second_request_takes_the_place_of_the_first(
    server: Server, version: str
) -> None:
    """N01.FR.12, N01.FR.20."""
    async with station(server, version, **ACCEPTS) as there:
        first = await is_("accepted", await ask())
        await tell(there, first, "Uploading")
        there.reactions[LOG] = NAMED | {"status": "AcceptedCanceled"}
        second = await ask()
        await eventually(lambda: second.history.filter(status="AcceptedCanceled").first())
        await tell(there, first, "AcceptedCanceled")
        await tell(there, second, "Uploading")
        await tell(there, second, "Uploaded")

    assert (await is_("cancelled", first)).reason == "a newer one took its place"
    assert (await is_("uploading", second)).status == "Uploaded"


async def test_n01_a_station_may_give_up_before_it_answers(server: Server) -> None:
    """Errata 2025-04 6.2.97: AcceptedCanceled of the first comes before the answer to the second."""
    async with station(server, **ACCEPTS) as there:
        first = await is_("accepted", await ask())
        await tell(there, first, "AcceptedCanceled")

    assert (await is_("cancelled", first)).reason == "AcceptedCanceled"


@pytest.mark.parametrize("word", ["UploadFailure", "BadMessage", "PermissionDenied", "NotSupportedOperation"])
async def test_n01_an_upload_that_fails_is_told(server: Server, word: str) -> None:
    """N01.FR.10."""
    async with station(server, "2.1", **ACCEPTS) as there:
        row = await is_("accepted", await ask())
        await tell(there, row, word, statusInfo={"reasonCode": "RedirectNotAllowed"})

    assert (await is_("failed", row)).reason == word
    assert (await words(row))[-1] == (word, "RedirectNotAllowed")


async def test_n01_words_that_come_twice_late_or_for_nobody_change_nothing(server: Server) -> None:
    """N01.FR.07, N01.FR.13."""
    async with station(server, **ACCEPTS) as there:
        row = await is_("accepted", await ask())
        await tell(there, None, "Idle")
        await there.call("LogStatusNotification", {"status": "Uploading", "requestId": 1})
        for _ in range(2):
            await tell(there, row, "UploadFailure")

    assert [remark for _, remark in (await words(row))[2:]] == ["", "", "repeated"]


async def test_n01_a_request_without_an_answer_may_be_obeyed_all_the_same(server: Server) -> None:
    async with station(server, **{LOG: None}) as there:
        row = await is_("unanswered", await ask())
        await tell(there, row, "Uploading")

    assert (await is_("uploading", row)).ended_at is None


async def test_n01_a_station_that_knows_no_logs_is_told_so(server: Server) -> None:
    async with station(server):
        row = await is_("failed", await ask())

    assert row.reason == "the station does not know GetLog"


# --- N09, N10: customer information


async def question(**who: Any) -> CustomerRequest:
    who = who or {"id_token": "BO-1"}
    return await rows(
        lambda: customer_information.ask(ChargingStation.objects.get(), requested_by="ada", **who)
    )


async def stands(state: str, row: CustomerRequest) -> CustomerRequest:
    found = CustomerRequest.objects.filter(pk=row.pk, state=state)
    return await eventually(found.first)


async def part(there: Station, row: CustomerRequest, text: str, seq_no: int = 0, **more: Any) -> None:
    told = {
        "data": text,
        "seqNo": seq_no,
        "generatedAt": clock.now().isoformat(),
        "requestId": row.request_id,
    }
    assert await there.call("NotifyCustomerInformation", told | more) == {}


async def tells(server: Server, text: str, version: str = "2.0.1", **who: Any) -> tuple[Payload, str]:
    """Ask about a customer, let the station tell this; return the request on the wire and what we know then."""
    async with station(server, version, **ACCEPTS) as there:
        row = await stands("accepted", await question(**who))
        await part(there, row, text)

    row = await stands("done", row)
    [request] = there.requests(CUSTOMER)
    assert request.pop("requestId") == row.request_id
    return request, await rows(lambda: customer_information.told(row))


@BOTH
async def test_tc_n_27_csms_what_a_station_knows_about_a_customer(server: Server, version: str) -> None:
    """N09.FR.01, N09.FR.04."""
    request, text = await tells(server, "cache: BO-1 Accepted", version)

    assert request == {"report": True, "clear": False, "idToken": BO}
    assert text == "cache: BO-1 Accepted"


async def test_tc_n_28_csms_a_station_that_knows_nothing_about_a_customer(server: Server) -> None:
    """N09.FR.06."""
    request, text = await tells(server, "no data", id_token="BO-1", id_token_type="ISO14443")

    assert request == {"report": True, "clear": False, "idToken": BO}
    assert text == "no data"


@pytest.mark.parametrize("answer", ["Rejected", "Invalid"])
async def test_tc_n_29_csms_a_station_that_will_not_tell(server: Server, answer: str) -> None:
    """N09.FR.03, N09.FR.09."""
    async with station(server, **{CUSTOMER: {"status": answer}}):
        row = await stands("rejected", await question())

    assert row.reason == answer
    assert row.ended_at is not None


@BOTH
async def test_tc_n_30_csms_what_a_station_forgets_is_told(server: Server, version: str) -> None:
    """N10.FR.03, N10.FR.08."""
    request, text = await tells(server, "cache: BO-1", version, id_token="BO-1", clear=True)

    assert request == {"report": True, "clear": True, "idToken": BO}
    assert text == "cache: BO-1"


async def test_tc_n_31_csms_a_station_that_has_nothing_to_forget(server: Server) -> None:
    """N10.FR.04."""
    request, text = await tells(server, "no data", id_token="BO-1", clear=True)

    assert (request["report"], request["clear"], text) == (True, True, "no data")


async def test_tc_n_32_csms_a_station_that_forgets_without_telling(server: Server) -> None:
    """N10.FR.06."""
    request, text = await tells(server, "cleared", id_token="BO-1", report=False, clear=True)

    assert request == {"report": False, "clear": True, "idToken": BO}
    assert text == "cleared"


@BOTH
async def test_tc_n_46_csms_a_customer_who_is_forgotten_leaves_the_local_list(
    server: Server, version: str
) -> None:
    """N10.FR.02, D01.FR.01, D01.FR.06, D01.FR.18."""
    held = Held(version=1)
    await rows(lambda: local_list.switch(ChargingStation.objects.get(), mode="on"))
    async with station(server, version, **held.reactions(), **ACCEPTS) as there:
        await becomes("in_step")
        before, listed = held.version, sorted(held.entries)
        row = await question(id_token="BO-1", clear=True)
        await part(there, await stands("accepted", row), "cache: BO-1")
        update = await updated(there, 2)

    assert listed == ["BO-1"]
    assert update["localAuthorizationList"] == [{"idToken": BO}]
    assert (update["updateType"], update["versionNumber"]) == ("Differential", before + 1)
    assert held.entries == {}


async def test_n10_a_token_may_be_listed_again(server: Server) -> None:
    held = Held(version=1)
    await rows(lambda: local_list.switch(ChargingStation.objects.get(), mode="on"))
    async with station(server, **held.reactions(), **ACCEPTS) as there:
        await becomes("in_step")
        await stands("accepted", await question(id_token="bo-1", clear=True))
        await updated(there, 2)
        await rows(lambda: customer_information.list_again(ChargingStation.objects.get(), "BO-1"))
        await updated(there, 3)

    assert sorted(held.entries) == ["BO-1"]


async def test_tc_n_62_csms_a_customer_by_the_identifier_of_the_vendor(server: Server) -> None:
    """N10.FR.08."""
    request, _ = await tells(server, "x", identifier="OpenChargeAlliance", clear=True)

    assert request == {"report": True, "clear": True, "customerIdentifier": "OpenChargeAlliance"}


async def test_tc_n_63_csms_a_customer_by_a_certificate(server: Server) -> None:
    """N10.FR.08, N10.FR.09: with the hash algorithm by which it was installed."""
    request, _ = await tells(server, "x", certificate=CERTIFICATE, clear=True)

    assert request["customerCertificate"] == {
        "hashAlgorithm": "SHA384", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "0C",
    }  # fmt: skip


@BOTH
async def test_n09_parts_come_in_any_order_and_doubled(server: Server, version: str) -> None:
    """N09.FR.05."""
    async with station(server, version, **ACCEPTS) as there:
        row = await stands("accepted", await question())
        await part(there, row, "two ", 1, tbc=True)
        await part(there, row, "three", 2)
        assert (await stands("receiving", row)).last_part == 2
        for _ in range(2):
            await part(there, row, "one ", 0, tbc=True)

    row = await stands("done", row)
    assert await rows(lambda: customer_information.told(row)) == "one two three"


async def test_n09_what_nobody_asked_for_is_answered_and_not_kept(server: Server) -> None:
    async with station(server, **ACCEPTS) as there:
        row = CustomerRequest(request_id=4711)
        await part(there, row, "Bo lives in Utrecht")

    assert not await rows(CustomerRequest.objects.exists)
    frame = await rows(lambda: Frame.objects.get(action="NotifyCustomerInformation", direction="i"))
    assert "unasked_report" in frame.verdict


async def test_n09_the_message_log_does_not_tell_what_was_told(server: Server) -> None:
    await tells(server, "Bo lives in Utrecht", identifier="bo@example.org")

    texts = await rows(lambda: list(Frame.objects.values_list("text", flat=True)))
    assert not any("Utrecht" in text or "bo@example.org" in text for text in texts)
    command = await rows(lambda: Command.objects.get(action=CUSTOMER))
    assert command.payload["customerIdentifier"] == "••••"


async def test_n09_a_question_without_an_answer_is_told_so(server: Server) -> None:
    async with station(server, **{CUSTOMER: None}) as there:
        row = await stands("unanswered", await question())
        await part(there, row, "late")

    assert (await stands("done", row)).reason == ""


async def test_n09_a_command_written_by_hand_is_followed_too(server: Server) -> None:
    asked = {"requestId": 12, "report": True, "clear": False, "customerIdentifier": "Bo"}
    async with station(server, **ACCEPTS) as there:
        await sent(CUSTOMER, asked)
        row = await eventually(CustomerRequest.objects.first)
        await part(there, row, "told")

    assert (await stands("done", row)).reference_kind == "identifier"


# --- N02: monitors by criteria and variables at once


@BOTH
async def test_tc_n_60_csms_monitors_by_criteria_and_several_variables(server: Server, version: str) -> None:
    """N02.FR.05, N02.FR.10."""
    power, state = keys("Power"), keys("AvailabilityState")
    async with station(server, version, GetMonitoringReport={"status": "EmptyResultSet"}) as there:
        await reports(["ThresholdMonitoring"], power)
        await eventually(lambda: DeviceReport.objects.filter(state="empty").exists())
        there.reactions["GetMonitoringReport"] = {"status": "Accepted"}
        await reports(["DeltaMonitoring"], state)
        await eventually(lambda: DeviceReport.objects.filter(state="receiving").exists())
        request = there.requests("GetMonitoringReport")[1]
        told = {"requestId": request["requestId"], "seqNo": 0, "generatedAt": clock.now().isoformat()}
        assert await there.call("NotifyMonitoringReport", told) == {}

    assert request["monitoringCriteria"] == ["DeltaMonitoring"]
    assert [place["component"] for place in request["componentVariable"]] == [
        {"name": "ChargingStation"}, {"name": "EVSE", "evse": {"id": 1}},
    ]  # fmt: skip
    assert {place["variable"]["name"] for place in request["componentVariable"]} == {"AvailabilityState"}
    assert await rows(lambda: DeviceReport.objects.filter(state="complete").count()) == 1


def keys(variable: str) -> list[variable_keys.VariableKey]:
    return [variable_keys.parse(f"ChargingStation/{variable}"), variable_keys.parse(f"EVSE{{1}}/{variable}")]


async def reports(criteria: list[str], wanted: list[variable_keys.VariableKey]) -> None:
    await rows(lambda: monitoring.read(ChargingStation.objects.get(), criteria=criteria, keys=wanted))
