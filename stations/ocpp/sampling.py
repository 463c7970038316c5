"""Readings of a message -> facts of the group commit, whatever the version that they were said in."""

from stations import readings
from stations.ocpp.link import KnownSession, Link
from stations.services.ingest import Facts, SessionMeter

LIVE = frozenset(
    {"Power.Active.Import", "SoC", "Display.PresentSOC"}
)  # what a session's row shows, beside its energy


def oddities(parsed: readings.ParsedReadings) -> list[str]:
    """Return what was odd about a message's readings, each word once, for the journal's verdict."""
    if not parsed.faults and not any([reading.flags for reading in parsed.readings]):
        return []
    words = {fault.reason: None for fault in parsed.faults}
    for reading in parsed.readings:
        words.update(dict.fromkeys(reading.flags))
    return list(words)


def store_samples(facts: Facts, session_id: int, evse_id: int, found: list[readings.Reading]) -> None:
    """Add samples of a session (0: of none) to the facts."""
    facts.samples += [
        (session_id, sampled_at, (measurand, phase, location, context, unit), evse_id, value)
        for sampled_at, measurand, phase, location, context, value, unit, _, _ in found
    ]


def store(
    link: Link, facts: Facts, session: KnownSession | None, evse_id: int, found: list[readings.Reading]
) -> None:
    """Add samples to the facts and, for an open session, what its meter says now."""
    session_id = session.id if session else 0
    evse_id = session.evse_id if session else evse_id
    store_samples(facts, session_id, evse_id, found)
    if session is None or session.ended_at is not None:
        return
    for reading in found:
        if reading.unit == "Wh":
            session.register = session.register.step(reading)
    point = readings.latest([reading for reading in found if reading.measurand in LIVE])
    metered = session.register.result()
    facts.meters.append(
        SessionMeter(
            session_id=session_id,
            station_id=link.station_id,
            register_wh=metered.stop_wh,
            energy_wh=metered.energy_wh,
            power_w=point.power_w,
            soc_percent=point.soc_percent,
            at=max([reading.sampled_at for reading in found]),
        )
    )
