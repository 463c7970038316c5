"""Warnings before the end, renewal in time, work that a dead worker left (white paper A03.FR.02, SECURITY 3.2)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from cpo.lib import clock
from stations.models import (
    AuthorityCertificate,
    ChargingStation,
    Command,
    ReviewItem,
    RootCertificate,
    StationCertificate,
    Variable,
)
from stations.services import (
    certificate_authority,
    certificate_signing,
    certificate_upkeep,
    certificates,
    commands,
    installed_certificates,
    root_certificates,
)
from stations.services.certificate_authority import AuthorityRefused, AuthorityUnavailable, Pending
from stations.services.errors import NotOpen
from stations.services.local_ca import LocalAuthority
from tests import factories, pki

pytestmark = pytest.mark.django_db
Row = StationCertificate


@pytest.fixture
def station() -> ChargingStation:
    return factories.station("ADA-1", is_online=True, ocpp_version="1.6")


def held(station: ChargingStation, *, days: int, **fields: Any) -> StationCertificate:
    end = clock.now() + timedelta(days=days, hours=-1)
    values = {"state": "in_use", "chain": "x", "requested_at": clock.now(), "not_after": end}
    return Row.objects.create(station=station, **values | fields)


def warnings() -> list[tuple[int, bool]]:
    items = ReviewItem.objects.filter(kind="certificate_expires").order_by("id")
    return [(item.facts["days"], item.resolved_at is not None) for item in items]


@pytest.mark.parametrize(("days", "told"), [(31, []), (30, [30]), (8, [30]), (7, [7]), (2, [7]), (1, [1])])
def test_it_warns_30_7_and_1_days_before_the_end(
    station: ChargingStation, days: int, told: list[int]
) -> None:
    held(station, days=days)

    certificate_upkeep.keep()
    certificate_upkeep.keep()

    assert warnings() == [(day, False) for day in told]
    assert not ReviewItem.objects.filter(count__gt=1).exists()


def test_a_later_warning_takes_the_place_of_the_earlier(station: ChargingStation) -> None:
    row = held(station, days=20)
    certificate_upkeep.keep()
    Row.objects.filter(pk=row.pk).update(not_after=clock.now() + timedelta(days=5))

    certificate_upkeep.keep()

    assert warnings() == [(30, True), (7, False)]


def test_an_authority_and_a_trusted_root_are_warned_of_too() -> None:
    signer = LocalAuthority().signer("stations")
    AuthorityCertificate.objects.filter(role="stations").update(not_after=clock.now() + timedelta(days=3))
    root_certificates.add(signer_root().pem, use="ManufacturerRootCertificate", is_trusted=True)
    RootCertificate.objects.update(not_after=clock.now() + timedelta(days=3))

    certificate_upkeep.keep()

    assert warnings() == [(7, False), (7, False)]
    assert signer.certificate is not None


def signer_root() -> pki.Pair:
    return pki.authority("Maker")


def test_what_has_ended_is_expired(station: ChargingStation) -> None:
    row = held(station, days=0)

    certificate_upkeep.keep()

    row.refresh_from_db()
    assert row.state == "expired"


def test_a_station_is_asked_to_renew_once_a_day_and_lets_operators_pass(station: ChargingStation) -> None:
    held(station, days=20)

    assert [certificate_upkeep.keep() for _ in range(2)] == [1, 0]

    command = Command.objects.get()
    assert (command.action, command.priority, command.requested_by) == (
        "ExtendedTriggerMessage", commands.AUTOMATIC, "renewal",
    )  # fmt: skip
    Row.objects.update(renewal_asked_at=clock.now() - timedelta(days=2))
    assert certificate_upkeep.keep() == 1


@pytest.mark.parametrize(
    ("days", "fields"), [(31, {}), (20, {"state": "replaced"}), (20, {"state": "revoked"})]
)
def test_what_needs_no_renewal_is_left_alone(
    station: ChargingStation, days: int, fields: dict[str, Any]
) -> None:
    held(station, days=days, **fields)

    assert certificate_upkeep.keep() == 0


def test_a_newer_certificate_is_renewal_enough(station: ChargingStation) -> None:
    held(station, days=20)
    held(station, days=300, state="accepted")

    assert certificate_upkeep.keep() == 0


def test_renewal_by_itself_can_be_switched_off(station: ChargingStation, settings: Any) -> None:
    settings.CERTIFICATE_RENEW_DAYS = 0
    held(station, days=2)

    assert certificate_upkeep.keep() == 0


@pytest.mark.parametrize("word", ["Rejected", "NotImplemented"])
def test_a_station_that_will_not_renew_is_told_to_an_operator(station: ChargingStation, word: str) -> None:
    held(station, days=20)
    certificate_upkeep.keep()
    command = commands.claim(station.pk, epoch=0)
    assert command is not None

    commands.answered(command.uid, station_id=station.pk, result={"status": word})

    assert word in ReviewItem.objects.get(kind="certificate_wanted").summary


def test_a_renewal_that_a_person_asked_for_raises_nothing(station: ChargingStation) -> None:
    certificates.renew(station)
    command = commands.claim(station.pk, epoch=0)
    assert command is not None

    commands.answered(command.uid, station_id=station.pk, result={"status": "Rejected"})

    assert not ReviewItem.objects.exists()


@pytest.mark.parametrize(
    ("told", "sent"), [("Somebody", ["ChangeConfiguration"]), (pki.OPERATOR, []), (None, [])]
)
def test_the_operators_name_is_put_right_before_a_renewal(
    station: ChargingStation, told: str | None, sent: list[str]
) -> None:
    Variable.objects.create(station=station, name="CpoName", value=told, reported_at=clock.now())

    certificates.renew(station)

    asked = Command.objects.order_by("id").values_list("action", flat=True)
    assert list(asked) == [*sent, "ExtendedTriggerMessage"]


# --- work that waits


@pytest.fixture
def wanted(station: ChargingStation) -> StationCertificate:
    row = certificates.request(station, csr=pki.csr(), use="ChargingStationCertificate", now=clock.now())
    assert row is not None
    return row


class Away(LocalAuthority):
    """An authority that answers as it was told."""

    outcome: Any = None

    def sign(self, wish: Any) -> Any:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome or super().sign(wish)

    def collect(self, wish: Any, *, reference: str) -> Any:
        return super().sign(wish)


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def answers(outcome: Any) -> None:
        authority = Away()
        authority.outcome = outcome
        monkeypatch.setattr(certificate_authority, "current", lambda: authority)

    return answers


def test_a_request_that_no_nudge_brought_is_found(wanted: StationCertificate) -> None:
    certificate_signing.work(certificate_signing.due())

    wanted.refresh_from_db()
    assert (wanted.state, certificate_signing.due()) == ("sent", [])


def test_an_authority_that_is_away_is_asked_again_ever_later(
    wanted: StationCertificate, away: Callable[[Any], None]
) -> None:
    away(AuthorityUnavailable("no route"))
    waits = []
    for _ in range(7):
        Row.objects.update(next_try_at=clock.now())
        certificate_signing.work([wanted.pk])
        wanted.refresh_from_db()
        assert wanted.next_try_at is not None
        waits.append(round((wanted.next_try_at - clock.now()).total_seconds() / 60))

    assert waits == [1, 5, 30, 120, 720, 720, 720]
    assert "no route" in ReviewItem.objects.get().summary


def test_an_authority_that_refuses_is_not_asked_again_until_somebody_says_so(
    wanted: StationCertificate, away: Callable[[Any], None]
) -> None:
    away(AuthorityRefused("not this one"))
    certificate_signing.work([wanted.pk])
    wanted.refresh_from_db()
    assert (wanted.state, wanted.next_try_at) == ("refused", None)

    away(None)
    certificates.try_again(wanted)
    certificate_signing.work([wanted.pk])

    wanted.refresh_from_db()
    assert wanted.state == "sent"


def test_a_promise_is_asked_for_later(wanted: StationCertificate, away: Callable[[Any], None]) -> None:
    away(Pending("case-1", retry_after_s=300))
    certificate_signing.work([wanted.pk])

    wanted.refresh_from_db()
    assert (wanted.state, wanted.reference, ReviewItem.objects.count()) == ("requested", "case-1", 0)
    assert certificate_signing.due() == []
    Row.objects.update(next_try_at=clock.now())
    certificate_signing.work([wanted.pk])
    wanted.refresh_from_db()
    assert wanted.state == "sent"


def test_a_row_on_which_we_fail_is_taken_out_of_the_way(wanted: StationCertificate) -> None:
    certificate_signing.give_up(wanted.pk, RuntimeError("boom secret=x"))

    wanted.refresh_from_db()
    assert (wanted.state, wanted.next_try_at) == ("refused", None)
    assert "secret" not in ReviewItem.objects.get().summary


def test_another_request_takes_the_place_of_the_open_one(
    wanted: StationCertificate, station: ChargingStation
) -> None:
    certificate_signing.work([wanted.pk])

    certificates.request(station, csr=pki.csr(), use="ChargingStationCertificate", now=clock.now())

    wanted.refresh_from_db()
    assert (wanted.state, wanted.problem) == ("replaced", "another request came")
    assert Command.objects.get().status == "cancelled"
    assert not ReviewItem.objects.exists()


def test_a_command_that_an_operator_took_back_is_not_sent_again(wanted: StationCertificate) -> None:
    certificate_signing.work([wanted.pk])

    commands.cancel(Command.objects.get(), by="user:ada")

    wanted.refresh_from_db()
    assert (wanted.state, wanted.next_try_at) == ("sent", None)
    certificates.send_again(wanted)
    assert Command.objects.filter(status="queued").count() == 1


def test_what_is_accepted_cannot_be_sent_again(wanted: StationCertificate) -> None:
    certificate_signing.work([wanted.pk])
    certificates.answered(wanted.pk, is_accepted=True, word="Accepted")

    for again in (certificates.send_again, certificates.try_again):
        with pytest.raises(NotOpen), transaction.atomic():
            again(wanted)


def test_a_station_cannot_have_anothers_identity_signed_by_telling_it_as_its_serial_number() -> None:
    factories.station("BEA-1")
    thief = factories.station("ADA-1", serial_number="BEA-1", ocpp_version="1.6")

    row = certificates.request(thief, csr=pki.csr("BEA-1"), use="ChargingStationCertificate", now=clock.now())

    assert row is None
    assert "CN is 'BEA-1'" in Row.objects.get().problem


def test_the_id_of_an_evse_names_a_station_to_vehicles_only(station: ChargingStation) -> None:
    station.evses.update(evse_id="NL*OPN*E1")
    for use, is_taken in (("V2GCertificate", True), ("ChargingStationCertificate", False)):
        row = certificates.request(station, csr=pki.csr("NLOPNE1"), use=use, now=clock.now())
        assert (row is not None) is is_taken


def test_without_an_authority_every_request_is_refused(station: ChargingStation, settings: Any) -> None:
    settings.CERTIFICATE_AUTHORITY = ""

    row = certificates.request(station, csr=pki.csr(), use="ChargingStationCertificate", now=clock.now())

    assert row is None


def test_a_plug_and_charge_station_is_asked_about_all_uses(station: ChargingStation) -> None:
    assert len(installed_certificates.read(station)) == 2
    Variable.objects.create(station=station, name="ISO15118PnCEnabled", value="true", reported_at=clock.now())

    assert len(installed_certificates.read(station)) == 5


def test_our_own_roots_are_kept_among_the_known_ones() -> None:
    assert root_certificates.keep_own() == 0
    LocalAuthority().signer("stations")
    LocalAuthority().signer("v2g")

    assert [root_certificates.keep_own() for _ in range(2)] == [2, 0]
    uses = RootCertificate.objects.filter(is_own=True).order_by("use").values_list("use", flat=True)
    assert list(uses) == ["CSMSRootCertificate", "V2GRootCertificate"]


def test_an_ageing_issuing_certificate_is_followed_by_another(settings: Any) -> None:
    first = LocalAuthority().signer("stations").certificate
    AuthorityCertificate.objects.filter(role="stations").update(not_after=clock.now() + timedelta(days=100))

    second = LocalAuthority().signer("stations").certificate

    assert second != first
    assert LocalAuthority().signer("stations").certificate == second
    assert set(LocalAuthority().intermediates("ChargingStationCertificate")) == {first, second}
