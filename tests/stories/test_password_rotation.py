"""New passwords over a real socket, whatever becomes of the answer (1.6 security white paper A01, section 7.2)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from websockets.exceptions import InvalidStatus

from cpo.lib import clock
from stations.models import ChargingStation, Command, Frame, PasswordChange, ReviewItem
from stations.services import commands, passwords, quirks
from tests.charger import Answer, Charger, Refusal, Silence, answers, keeps_silent, refuses
from tests.processes import Server
from tests.stories.story import PASSWORD, eventually, rows
from tests.stories.tls_server import status_of

Make = Callable[..., Charger]
Status = PasswordChange.Status


async def change(ada: ChargingStation, **options: object) -> PasswordChange:
    """Begin to change Ada's password."""
    return await rows(
        lambda: passwords.change(ChargingStation.objects.get(pk=ada.pk), requested_by="test", **options)  # type: ignore[arg-type]
    )


async def becomes(status: str) -> PasswordChange:
    found = await eventually(lambda: PasswordChange.objects.filter(status=status).first())
    assert found is not None
    return found


async def lets_in(server: Server, password: str) -> bool:
    return await status_of(f"{server.ws}/ocpp", password=password) == 101


def sent_to(station: Charger) -> list[str]:
    return [call["value"] for call in station.calls("ChangeConfiguration", "in")]


async def test_an_accepted_password_takes_the_place_of_the_old_one(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await change(ada)
        done = await becomes(Status.DONE)

    assert len(bytes.fromhex(station.password or "")) == 20
    assert (done.secret, done.tries) == ("", 1)
    assert [await lets_in(server, text) for text in (station.password or "", PASSWORD)] == [True, False]


async def test_the_station_may_send_the_bytes_that_it_was_given(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        await station.come_up()
        await change(ada)
        await becomes(Status.DONE)

    assert await lets_in(server, bytes.fromhex(station.password or "").decode())


async def test_a_station_that_wants_plain_text_gets_it(charger: Make, ada: ChargingStation) -> None:
    await rows(lambda: quirks.override(ada, flag="password_form", value="plain", by="test"))
    async with charger() as station:
        await station.come_up()
        await change(ada)
        await becomes(Status.DONE)

    assert len(station.password or "") == 32
    assert not set(station.password or "") <= set("0123456789abcdef")


@pytest.mark.parametrize("status", ["Rejected", "NotSupported"])
async def test_a_password_that_is_not_taken_is_forgotten(
    server: Server, charger: Make, ada: ChargingStation, status: str
) -> None:
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = answers({"status": status})
        await station.come_up()
        await change(ada)
        failed = await becomes(Status.FAILED)

    assert failed.reason == f"the station answered {status}"
    assert [await lets_in(server, text) for text in (sent_to(station)[0], PASSWORD)] == [False, True]
    assert await rows(ReviewItem.objects.filter(kind="security_profile").exists)


async def test_a_station_that_does_not_know_the_request_has_not_obeyed(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = refuses("NotImplemented")
        await station.come_up()
        await change(ada)
        await becomes(Status.FAILED)

    assert not await lets_in(server, sent_to(station)[0])


async def takes_it_and_says_nothing(charger: Charger, payload: dict[str, str]) -> Answer:
    charger.password = payload["value"]
    raise Silence


async def test_after_a_lost_answer_both_passwords_are_good_until_the_new_one_was_used(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = takes_it_and_says_nothing
        await station.come_up()
        await change(ada)
        await becomes(Status.UNKNOWN)

    assert await lets_in(server, PASSWORD)
    assert await lets_in(server, station.password or "")
    await becomes(Status.DONE)
    assert not await lets_in(server, PASSWORD)


async def test_a_lost_password_is_sent_again_and_is_the_same(charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        real = station.reactions["ChangeConfiguration"]
        station.reactions["ChangeConfiguration"] = keeps_silent()
        await station.come_up()
        await change(ada)
        await becomes(Status.UNKNOWN)
        station.reactions["ChangeConfiguration"] = real
        await rows(lambda: PasswordChange.objects.update(created_at=clock.now() - timedelta(hours=1)))
        assert await rows(passwords.resume) == 1
        await becomes(Status.DONE)

    assert len(sent_to(station)) == 2
    assert len(set(sent_to(station))) == 1


async def test_a_late_answer_counts(server: Server, charger: Make, ada: ChargingStation) -> None:
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = keeps_silent()
        await station.come_up()
        await change(ada)
        await becomes(Status.UNKNOWN)
        command = await rows(lambda: Command.objects.get(action="ChangeConfiguration"))
        await station.send_raw(f'[3,"{command.uid}",{{"status":"Rejected"}}]')
        await becomes(Status.FAILED)

    assert not await lets_in(server, sent_to(station)[0])


async def test_the_connection_may_break_before_the_answer(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    async def takes_it_and_is_gone(charger: Charger, payload: dict[str, str]) -> Answer:
        charger.password = payload["value"]
        await charger.kill()
        raise Silence

    async with charger() as station:
        station.reactions["ChangeConfiguration"] = takes_it_and_is_gone
        await station.come_up()
        await change(ada)
        await becomes(Status.UNKNOWN)
        await station.come_up()
        await becomes(Status.DONE)

    assert not await lets_in(server, PASSWORD)


async def test_what_needs_a_reboot_keeps_both_until_the_station_has_booted(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    async with charger() as station:
        station.reactions["ChangeConfiguration"] = answers({"status": "RebootRequired"})
        await station.come_up()
        await change(ada)
        await becomes(Status.REBOOT)

    assert await lets_in(server, PASSWORD)
    assert await lets_in(server, sent_to(station)[0])
    assert not await lets_in(server, PASSWORD)


async def test_an_offline_station_gets_it_when_it_is_back(charger: Make, ada: ChargingStation) -> None:
    await change(ada)
    async with charger() as station:
        await station.come_up()
        await becomes(Status.DONE)

    assert station.password == sent_to(station)[0]


async def test_the_new_password_stands_nowhere_in_the_clear(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    await change(ada)
    waiting = await rows(lambda: Command.objects.get(action="ChangeConfiguration").payload["value"])
    async with charger() as station:
        await station.come_up()
        await becomes(Status.DONE)
        secret = station.password or ""

    def stored() -> str:
        frames = Frame.objects.values_list("text", flat=True)
        return "".join(
            [*frames, str(list(Command.objects.values())), str(list(PasswordChange.objects.values()))]
        )

    assert waiting.startswith("sealed:")
    assert secret not in waiting + await eventually(stored)
    assert secret not in server.output()
    assert "AuthorizationKey" in await rows(stored)


async def test_a_password_that_is_sent_by_hand_is_safe_too(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    payload = {"key": "AuthorizationKey", "value": "typed-by-an-operator"}
    async with charger() as station:
        await station.come_up()
        await rows(
            lambda: commands.queue(
                ChargingStation.objects.get(), action="ChangeConfiguration", payload=payload
            )
        )
        await becomes(Status.DONE)

    assert sent_to(station) == ["typed-by-an-operator"]
    assert [await lets_in(server, text) for text in ("typed-by-an-operator", PASSWORD)] == [True, False]


async def test_a_wrong_guess_during_a_change_stays_wrong(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    await change(ada)
    with pytest.raises(InvalidStatus):
        await charger(password="guess-guess-guess-guess").connect()


async def test_an_error_that_says_nothing_leaves_both(
    server: Server, charger: Make, ada: ChargingStation
) -> None:
    async def fails(charger: Charger, payload: dict[str, str]) -> Answer:
        charger.password = payload["value"]
        raise Refusal("InternalError")

    async with charger() as station:
        station.reactions["ChangeConfiguration"] = fails
        await station.come_up()
        await change(ada)
        await becomes(Status.UNKNOWN)

    assert await lets_in(server, station.password or "")
