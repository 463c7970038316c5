"""A small network with one row of everything that a page can show."""

import json
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from billing.models import Payment
from billing.services import cdrs
from cpo.lib import clock, keyring
from roaming.models import Connection, Exchange, Push, RemoteParty
from stations.models import (
    ChargingStation,
    Command,
    ConnectionEvent,
    Connector,
    CustomerRequest,
    FirmwareCampaign,
    FirmwarePublication,
    FirmwareUpdate,
    Frame,
    HandshakeRejection,
    InstalledCertificate,
    OnboardingStation,
    PasswordChange,
    SecurityProfileChange,
    StationAlias,
    StationCertificate,
    UnknownToken,
    UnlistedToken,
    WebPaymentCode,
)
from stations.services import (
    authorization,
    availability,
    configuration,
    configuration_templates,
    customer_information,
    diagnostics,
    files,
    firmware,
    firmware_library,
    firmware_publications,
    load_balancer,
    local_list,
    local_list_contents,
    profile_templates,
    remote,
    reservations,
    review,
    root_certificates,
    security,
    site_power,
    smart_charging,
    token_groups,
)
from tests import factories, pki, signing

ZEROES = "0" * 8


def build(**texts: Any) -> SimpleNamespace:
    """Make the rows; `texts` may hold `hostile`, which is put wherever a charger or partner names something."""
    hostile = texts.get("hostile", "")
    now = clock.now()
    site = factories.location(name=f"Depot {hostile}")
    factories.tariff(at=site)
    station = factories.station(
        "ADA-1", connectors=2, location=site, is_online=True, epoch=3, last_seen_at=now
    )
    ChargingStation.objects.filter(pk=station.pk).update(
        vendor=hostile or "Volt", model=hostile or "Max", online_changed_at=now - timedelta(hours=2)
    )
    Connector.objects.filter(evse__station=station, evse__number=2).update(
        status="Faulted", error_code=hostile[:64] or "GroundFailure", status_info=hostile, status_at=now
    )
    factories.token("BO-1", name=hostile or "Bo")
    running = factories.session(
        station, started_at=now - timedelta(minutes=30), id_token=hostile or "BO-1", power_w=Decimal(11000),
        energy_wh=Decimal(3000), register_wh=Decimal(4000), last_reading_at=now - timedelta(minutes=10),
    )  # fmt: skip
    factories.samples(running, (0, "1000"), (10, "2500"), (20, "4000"))
    factories.samples(running, (10, "9000"), (20, "11000"), measurand="Power.Active.Import", unit="W")
    ended = factories.session(station, number=2, ended=True, id_token=hostile or "BO-1", party="NL*ABC")
    factories.samples(ended, (0, "1000"), (60, "13345.5"))
    cdr = cdrs.issue(ended)
    item = review.raise_item(
        "odd_readings",
        key="1",
        summary=f"odd {hostile}"[:255],
        station=station,
        session=ended,
        facts={"a": hostile},
    )
    security.record(
        station, type=hostile or "TamperDetectionActivated", at=now, tech_info=hostile or "lid", now=now
    )
    configuration.store(
        station.pk,
        keys=[{"key": hostile or "HeartbeatInterval", "value": hostile or "300", "readonly": False}],
        unknown=[f"BlinkRepeat{hostile}"],
        now=now,
    )
    template = configuration_templates.save(
        name=f"{hostile} all"[:100],
        location=site,
        values=[configuration_templates.Value("HeartbeatInterval", "9")],
    )
    configuration_templates.fit_template(template.pk)
    library = profile_templates.save(
        operator=site.operator, name=f"{hostile} evening"[:100], periods=[{"start_s": 0, "limit": "16"}]
    )
    lying = smart_charging.install_template(
        station, template=library, source=hostile[:32] or "operator", requested_by=hostile
    )
    lying.detail = hostile[:255]
    lying.save()
    reservation = reservations.reserve(
        station, id_token="BO-1", expires_at=now + timedelta(hours=1), requested_by=hostile
    ).reservation
    remote.answered(
        remote.stop(running, requested_by=hostile), kind="stop", state="accepted", session=running
    )
    availability.change(station, is_operative=True, requested_by=hostile)
    token = authorization.save_token("CY-1", name=hostile[:100], group_id="FLEET", max_sessions=2)[0]
    group = token_groups.save("FLEET", name=hostile[:100], status="Blocked")[0]
    authorization.authorize(hostile or "DI-1", station=station)
    local_list.switch(station, mode="on")
    local_list_contents.refresh()
    fuse = f"Main {hostile}"[:100].strip()
    site_power.save(
        site,
        site_power.Plan(
            [site_power.FusePlan(fuse, (Decimal(32), Decimal(32), Decimal(16)))],
            [site_power.OutletPlan(each, fuse) for each in station.evses.order_by("number")],
        ),
    )
    load_balancer.balance(site)
    root, certificate, held = _certificates(station, hostile)
    return SimpleNamespace(
        root=root,
        certificate=certificate,
        held=held,
        token=token,
        group=group,
        unknown=UnknownToken.objects.get(),
        reservation=reservation,
        library=library,
        installed=lying,
        wish=station.availability_wishes.get(),
        template=template,
        site=site,
        station=station,
        running=running,
        ended=ended,
        cdr=cdr,
        item=item,
        **_security(station, hostile),
        **_files(station, hostile),
        **_edges(station, cdr, hostile),
        payment=_payment(station, cdr, hostile),
    )


def _payment(station: ChargingStation, cdr: Any, hostile: str) -> Payment:
    """Make a payment that was captured, with a refund, a notice and a worry, and codes on the display."""
    now = clock.now()
    made = Payment.objects.create(
        source="dynamic", station=station, evse=station.evses.get(number=2), session=cdr.session, cdr=cdr,
        provider="gateway", reference=hostile[:255] or "pay-1", details={"PaymentBrand": hostile[:100] or "VISA"},
        currency="EUR", amount=50, authorised_amount=50, capture_amount=3, captured_amount=3, state="captured",
        reason=hostile[:100], last_error=hostile[:255], created_at=now, authorised_at=now, settled_at=now,
        last_updated=now,
    )  # fmt: skip
    made.refunds.create(amount=1, reason=hostile[:255], asked_by=hostile[:100] or "ada", created_at=now)
    made.notices.create(
        provider="gateway", event_id=hostile[:255] or "1", kind=hostile[:100] or "x", received_at=now
    )
    review.raise_item(
        "billing_failed", key=f"payment:{made.uid}:differs", summary=hostile[:255], station=station
    )
    WebPaymentCode.objects.create(
        station=station, secret="", validity_s=60, length=8, url_template=hostile[:2000] or "x", reason=hostile[:255],
        requested_by=hostile[:100], changed_at=now,
    )  # fmt: skip
    return made


def _files(station: ChargingStation, hostile: str) -> dict[str, Any]:
    """Make a log that came, an image that was refused, an update that goes on, a campaign and a signer."""
    log = diagnostics.request(station, requested_by=hostile or "ada")
    file = files.store([hostile.encode() or b"log"], kind="log", name=hostile or "a.log", uploaded_by="ADA-1")
    diagnostics.file_arrived(log.link, file)
    diagnostics.status(station, status=hostile or "Zipping", request_id=9, now=clock.now())
    image = firmware_library.describe(
        vendor=hostile or "Volt", version=hostile or "2", notes=hostile, added_by="ada"
    )
    firmware_library.attach(image, file)
    now = clock.now()
    update = FirmwareUpdate.objects.create(
        station=station, image=image, version=image.version, request_id=1, retrieve_at=now,
        planned_at=now, changed_at=now,
    )  # fmt: skip
    firmware.status(station, status="Downloading", request_id=1, now=now)
    firmware.status(station, status=hostile or "Polishing", request_id=1, now=now)
    campaign = FirmwareCampaign.objects.create(
        name=hostile[:100] or "spring", image=image, reason=hostile, created_at=now, changed_at=now
    )
    campaign.stations.create(station=station, position=0, update=update, skipped=hostile)
    maker = signing.maker(hostile[:50] or "Volt")
    signer = firmware_library.trust(
        hostile or "Volt", name=hostile or "root", certificate=maker.root, added_by="ada"
    )
    found = {"log": log, "image": image, "update": update, "campaign": campaign, "signer": signer}
    return found | _of_2x(station, image, hostile)


def _of_2x(station: ChargingStation, image: Any, hostile: str) -> dict[str, Any]:
    """Make a publication, a question about a customer that was answered, and a token that is not listed."""
    now = clock.now()
    publication = FirmwarePublication.objects.create(
        station=station, image=image, checksum="a" * 32, request_id=1, requested_at=now, changed_at=now,
        requested_by=hostile[:100],
    )  # fmt: skip
    firmware_publications.status(
        station, status="Published", request_id=1, locations=[f"https://192.0.2.7/{hostile}"], now=now
    )
    firmware_publications.status(station, status=hostile or "Baking", request_id=1, locations=[], now=now)
    customer = CustomerRequest.objects.create(
        station=station, request_id=1, reference_kind="identifier", requested_at=now, changed_at=now,
        reference=keyring.encrypt(json.dumps({"identifier": hostile or "Bo"})), reason=hostile[:255],
    )  # fmt: skip
    customer_information.take_part(
        station, request_id=1, seq_no=0, is_last=True, text=hostile or "Bo", generated_at=now
    )
    unlisted = UnlistedToken.objects.create(station=station, uid=hostile[:255] or "BO-1", since=now)
    return {"publication": publication, "customer": customer, "unlisted": unlisted}


def _certificates(station: ChargingStation, hostile: str) -> tuple[Any, Any, Any]:
    """Make a root, a certificate that was issued and a root that the station reported."""
    pair = pki.authority("Root")
    root = root_certificates.add(pair.pem, use="CSMSRootCertificate", name=hostile[:100], by=hostile)
    certificate = StationCertificate.objects.create(
        station=station, state="rejected", csr=hostile, common_name=hostile[:100], problem=hostile[:255] or "no",
        chain=pki.leaf(pair).pem, serial_number="abc", fingerprint="f", issuer=hostile[:255], key_label="EC",
        requested_at=clock.now(), not_after=clock.now() + timedelta(days=9),
    )  # fmt: skip
    installed = InstalledCertificate.objects.create(
        station=station, use=hostile[:32] or "CSMSRootCertificate", hash_algorithm="SHA256", issuer_name_hash="a",
        issuer_key_hash="b", serial_number=hostile[:40] or "c", reported_at=clock.now(),
    )  # fmt: skip
    return root, certificate, installed


def _security(station: ChargingStation, hostile: str) -> dict[str, Any]:
    """Make a change of the security profile and of the password, and a second spelling."""
    now = clock.now()
    steps = [{"step": "profile", "state": "failed", "note": hostile, "at": now.isoformat()}]
    PasswordChange.objects.create(
        station=station, status="failed", form="hex", reason=hostile[:255], requested_by=hostile[:100],
        created_at=now,
    )  # fmt: skip
    change = SecurityProfileChange.objects.create(
        station=station, from_profile=1, to_profile=2, steps=steps, reason=hostile[:255],
        requested_by=hostile[:100], created_at=now,
    )  # fmt: skip
    alias = StationAlias.objects.create(station=station, alias=f"ADA/1{hostile}"[:255])
    return {"profile_change": change, "alias": alias}


def _edges(station: ChargingStation, cdr: Any, hostile: str) -> dict[str, Any]:
    """Make what lies at the two borders: frames, connections, commands, partners."""
    now = clock.now()
    ConnectionEvent.objects.create(
        station=station, epoch=3, opened_at=now, user_agent=hostile, subprotocol="ocpp1.6"
    )
    for number, (direction, kind, text) in enumerate(
        [
            ("i", 2, '[2,"m1","Heartbeat",{}]'),
            ("o", 3, '[3,"m1",{"currentTime":"x"}]'),
            ("i", 0, hostile or "?"),
        ]
    ):
        Frame.objects.create(
            id=number + 1, at=now + timedelta(milliseconds=number), station_id=station.pk, epoch=3,
            direction=direction, message_type=kind, message_id="m1", action="Heartbeat" if kind else "",
            text=text, verdict="" if kind else "FormationViolation",
        )  # fmt: skip
    command = Command.objects.create(
        station=station, action="Reset", payload={"type": "Soft"}, created_at=now, expires_at=now
    )
    knock = OnboardingStation.objects.create(
        identity="CY-9", remote_address="192.0.2.1", user_agent=hostile, first_at=now, last_at=now
    )
    HandshakeRejection.objects.create(
        identity=hostile[:255] or "CY-9",
        remote_address="192.0.2.1",
        reason="bad_password",
        first_at=now,
        last_at=now,
    )
    partner = Connection.objects.create(
        name=f"ABC {hostile}"[:100], status="registered", version="2.2.1", created_at=now
    )
    RemoteParty.objects.create(
        connection=partner, role="EMSP", country_code="NL", party_id="ABC", key="NL*ABC", name=hostile[:100]
    )
    push = Push.objects.create(
        connection=partner, module="cdrs", object_key=cdr.uid, object_id=cdr.pk, state="dead", dirty_version=1,
        next_try_at=now, marked_at=now, last_error=hostile[:255] or "2001: no",
    )  # fmt: skip
    Exchange.objects.create(
        connection=partner, direction="out", at=now, module="cdrs", method="POST", url="https://abc.example/cdrs",
        request_body=hostile, response_body=hostile, http_status=200, status_code=2001,
    )  # fmt: skip
    return {"command": command, "knock": knock, "partner": partner, "push": push}
