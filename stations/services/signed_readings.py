"""Signed meter values: stored untouched with their session, written out for transparency software.

Calibration law (Eichrecht) lets a driver check his bill against what the meter signed: not one character of a blob
may change between the meter and him.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from xml.etree import ElementTree

from stations import readings
from stations.models import ChargingSession, ChargingStation, SignedReading
from stations.readings import signed
from stations.services import keys


def keep(
    station: ChargingStation,
    found: Sequence[readings.SignedReading],
    *,
    session_id: int | None,
    received_at: datetime,
    evse_id: int | None = None,
) -> int:
    """Store signed values, those of a session or of none; return how many were sent. The same blob is one row."""
    rows = [
        SignedReading(
            key=keys.of(station.pk, session_id, reading.context, reading.text),
            station=station,
            evse_id=evse_id or None,
            session_id=session_id or None,
            sampled_at=reading.sampled_at,
            received_at=received_at,
            context=reading.context[:32],
            measurand=reading.measurand[:64],
            location=reading.location[:32],
            phase=reading.phase[:16],
            encoding=signed.unwrap(reading.text).encoding,
            text=reading.text,
        )
        for reading in found
    ]
    SignedReading.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def of_session(session: ChargingSession) -> list[SignedReading]:
    """Return a session's signed values in the order of time."""
    return list(SignedReading.objects.filter(session=session).order_by("sampled_at", "id"))


def as_xml(rows: Iterable[SignedReading]) -> bytes:
    """Write signed values as the XML container that the S.A.F.E. transparency software opens."""
    values = ElementTree.Element("values")
    for row in rows:
        found = signed.printable(signed.unwrap(row.text))
        value = ElementTree.SubElement(values, "value", transactionId=_transaction(row), context=row.context)
        data = ElementTree.SubElement(
            value, "signedData", format=found.encoding, encoding="base64" if found.is_base64 else "plain"
        )
        data.text = found.data
        if found.public_key:
            ElementTree.SubElement(value, "publicKey", encoding="plain").text = _bare(found.public_key)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(values, encoding="utf-8")


def _transaction(row: SignedReading) -> str:
    return row.session.transaction_id if row.session is not None else ""


def _bare(public_key: str) -> str:
    """Take the key out of the white paper's `oca:base16:asn1:…`."""
    return public_key.rpartition(":")[2] if public_key.startswith("oca:") else public_key
