"""What stations are set to: read, stored, changed, wished for (OCPP 1.6 sections 5.3, 5.8, chapter 9; 2.1 B05 to B08).

One door for every version: a 1.6 key is a name, a 2.x variable is written as `variable_keys` says.

What a station reports is stored as it says it; what the operator wishes stands beside it, and a difference is drift.
Nothing is written to a station by itself, unless a template of the operator's says so (`configuration_templates`).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from cpo.lib import clock, events, redact
from stations.events import VariablesChanged
from stations.models import ChargingStation, Command, Variable
from stations.services import commands, device_model, requests, variable_keys, variable_rows
from stations.services.errors import InvalidPayload, NotConfirmed, SecretKey
from stations.services.guarded_keys import is_guarded, is_secret
from stations.services.variable_keys import VariableKey
from stations.services.variable_rows import is_drifting, lock, upsert

__all__ = ["is_drifting", "lock", "upsert"]  # rows are compared and written in one way in every version

READ, CHANGE = "GetConfiguration", "ChangeConfiguration"
AFTER_BOOT = "boot"  # who asked, where nobody did
MAX_KEYS = "GetConfigurationMaxKeys"  # how many keys a station takes in one question
CHUNK = 20  # keys in one question to a station that never told how many it takes
KEYS_AT_MOST = 1000  # of one answer that are stored
KEY_LENGTH = 50  # characters of a key that we send, CiString50Type
VALUE_LENGTH = 500  # characters of a value that we send, CiString500Type
NAME_LENGTH = 255  # characters of a name that a station told; the standard's 50 are not always kept
READ_AGAIN_AFTER = timedelta(
    hours=1
)  # a station that did not answer is asked again at a boot after this time
RECENT = 50  # commands looked at to know what was asked lately
REPORTED = ["value", "is_readonly", "is_supported", "reported_at", "changed_at", "is_drifting"]

# What every 1.6 station must know (chapter 9.1, required keys): asked by name when its list looks cut off.
REQUIRED = (
    "AuthorizeRemoteTxRequests", "ClockAlignedDataInterval", "ConnectionTimeOut", "ConnectorPhaseRotation",
    "GetConfigurationMaxKeys", "HeartbeatInterval", "LocalAuthorizeOffline", "LocalPreAuthorize",
    "MeterValuesAlignedData", "MeterValuesSampledData", "MeterValueSampleInterval", "NumberOfConnectors",
    "ResetRetries", "StopTransactionOnEVSideDisconnect", "StopTransactionOnInvalidId", "StopTxnAlignedData",
    "StopTxnSampledData", "SupportedFeatureProfiles", "TransactionMessageAttempts",
    "TransactionMessageRetryInterval", "UnlockConnectorOnEVSideDisconnect",
)  # fmt: skip


@transaction.atomic(savepoint=False)
def store(station_id: int, *, keys: list[dict[str, Any]], unknown: list[str], now: datetime) -> None:
    """Store what a station reported: `keys` of `key`, `value` (None: not set or not told) and `readonly`.

    `unknown` names what it does not know. Values of secret keys are dropped, passwords in addresses blanked.
    """
    lock(station_id)
    known = _by_name(station_id)
    rows: dict[str, Variable] = {}
    for key in keys[:KEYS_AT_MOST]:
        name = key["key"][:NAME_LENGTH].casefold()
        row = rows[name] = known.get(name) or _new(station_id, key["key"])
        variable_rows.take(row, key["value"], at=now)
        row.is_readonly = key["readonly"]
    for text in unknown[:KEYS_AT_MOST]:
        name = text[:NAME_LENGTH].casefold()
        if name not in rows:
            row = rows[name] = known.get(name) or _new(station_id, text)
            row.value, row.is_supported, row.reported_at = None, False, now
    for row in rows.values():
        row.is_drifting = is_drifting(row)
    if rows:
        upsert(rows.values(), fields=REPORTED)
        events.publish(VariablesChanged(station_id))


def read(
    station: ChargingStation,
    *,
    keys: Iterable[str] | None = None,
    requested_by: str = "",
    user: Any = None,
    queue_offline: bool = False,
    priority: int = 0,
) -> list[Command]:
    """Queue a reading: of everything, or of these keys in as many questions as the station needs (5.8; B06, B07).

    Raise what `requests.queue` raises.
    """
    options: dict[str, Any] = {
        "requested_by": requested_by, "user": user, "queue_offline": queue_offline, "priority": priority,
    }  # fmt: skip
    is_modelled = device_model.is_spoken(station)
    if keys is None:
        if is_modelled:
            return [device_model.ask_base(station, **options)]
        return [requests.queue(station, "read_variables", facts={"keys": []}, **options)]
    wanted = [variable_keys.parse(key) for key in keys]
    if is_modelled:
        return device_model.read(station, wanted, **options)
    once: dict[VariableKey, VariableKey] = {}
    for key in wanted:
        once.setdefault(key.folded, key)
    names = list(once.values())
    size = _chunk_size(station.pk)
    parts = [names[start : start + size] for start in range(0, len(names), size)]
    return [requests.queue(station, "read_variables", facts={"keys": part}, **options) for part in parts]


def change(
    station: ChargingStation,
    *,
    key: str,
    value: str,
    requested_by: str = "",
    user: Any = None,
    confirmed: bool = False,
    queue_offline: bool = False,
) -> Command:
    """Queue ChangeConfiguration (5.3) or SetVariables (B05); once the station accepts, the key is read again.

    Whether the key can be written the station decides: what it says about that is not always true. Raise
    `NotConfirmed` for a guarded key without `confirmed`, and what `requests.queue` raises.
    """
    if redact.BLANK in value:
        raise InvalidPayload("value", "the blanks stand for a secret that is not kept: write it out")
    row, wanted = _find(station.pk, key)
    if not confirmed and is_guarded(wanted.name, value, row.value if row else None):
        raise NotConfirmed(f"a wrong {key} can cut the station off: confirm the change")
    return requests.queue(
        station,
        "change_variables",
        facts={"changes": [(wanted, value)]},
        requested_by=requested_by,
        user=user,
        queue_offline=queue_offline,
    )


@transaction.atomic(savepoint=False)
def desire(station: ChargingStation, *, key: str, value: str | None) -> None:
    """Keep what the operator wants a key of this station to be, from now on; None forgets it. Nothing is sent.

    It stands above the templates. Raise `SecretKey` for a secret, `InvalidPayload` for what cannot be a key or value.
    """
    lock(station.pk)
    row, wanted = _find(station.pk, key)
    if value is not None and is_secret(wanted.name):
        raise SecretKey(f"{key} is a secret: it is kept nowhere")
    if value is None and (row is None or row.template_id is not None):
        return
    row = row or Variable(station_id=station.pk, **wanted._asdict())
    row.desired, row.template = value, None
    row.is_drifting = is_drifting(row)
    upsert([row], fields=["desired", "template", "is_drifting"])
    kept_nowhere = variable_keys.of(row)._asdict()
    Variable.objects.filter(
        station=station, desired=None, reported_at=None, answer="", **kept_nowhere
    ).delete()
    events.publish(VariablesChanged(station.pk))


def drift(station: ChargingStation) -> list[Variable]:
    """Return what the station reported otherwise than it is wished."""
    return [
        row for row in Variable.objects.filter(station=station, desired__isnull=False) if is_drifting(row)
    ]


def changed(station_id: int, *, key: str, status: str) -> None:
    """Take the station's answer to a change: read an accepted key again, note an unknown one.

    What needs a reboot is read after the boot. Nobody can read a secret.
    """
    known = Variable.objects.filter(station_id=station_id, component="", name__iexact=key)
    known.update(answer=status[:40], answer_reason="")
    if status == "NotSupported":
        store(station_id, keys=[], unknown=[key], now=clock.now())
    elif status == "Accepted" and not is_secret(key):
        station = ChargingStation.objects.get(pk=station_id)
        read(
            station, keys=[key], requested_by="verification", queue_offline=True, priority=commands.AUTOMATIC
        )


def complete(station_id: int, *, told: Iterable[str]) -> list[Command]:
    """Ask by name for what must be there when a list of everything looks cut off; return the questions.

    It does when GetConfigurationMaxKeys is not in it, or when it holds exactly as many keys as that (quirk 24).
    """
    names = {name.casefold() for name in told}
    known = _by_name(station_id)
    limit = known.get(MAX_KEYS.casefold())
    is_cut = MAX_KEYS.casefold() not in names or (limit is not None and limit.value == str(len(names)))
    missing = [name for name in _wanted(known) if name.casefold() not in names]
    if not is_cut or not missing:
        return []
    station = ChargingStation.objects.get(pk=station_id)
    return read(
        station, keys=missing, requested_by="incomplete list", queue_offline=True, priority=commands.AUTOMATIC
    )


@transaction.atomic(savepoint=False)
def after_boot(station: ChargingStation, *, is_new_firmware: bool) -> Command | None:
    """Queue one reading of everything if the station was never read, has new firmware, or applied a change by booting.

    None: it is not needed, or it is on its way already. A station that did not answer is left alone for an hour, so
    that one which cannot bear the question does not boot for ever (quirk 9), and is then asked key by key, for some
    answer only that (quirk 24).
    """
    if device_model.is_spoken(station):
        return device_model.after_boot(station, is_new_firmware=is_new_firmware)
    if not settings.OCPP_READ_CONFIGURATION_AFTER_BOOT:
        return None
    lately = _lately(station)
    if lately.is_asked or not (is_new_firmware or lately.is_reboot_awaited or _is_unread(station, lately)):
        return None
    keys = _wanted(_by_name(station.pk)) if lately.is_whole_in_vain and not is_new_firmware else None
    return read(station, keys=keys, requested_by=AFTER_BOOT, queue_offline=True, priority=commands.AUTOMATIC)[
        0
    ]


class Lately(NamedTuple):
    """What became of the newest reading of everything; key by key after a boot counts as one."""

    at: datetime | None = None
    is_asked: bool = False  # it waits, or its answer does
    is_whole_in_vain: bool = False  # everything in one question got no good answer
    is_reboot_awaited: bool = False  # a change since then was accepted for after the next boot


def _lately(station: ChargingStation) -> Lately:
    is_reboot_awaited = False
    recent = Command.objects.filter(station=station).order_by("-id").values_list(
        "action", "status", "created_at", "requested_by", "payload__key", "result__status"
    )  # fmt: skip
    for action, status, created_at, requested_by, key, answer in recent[:RECENT]:
        if action == READ and (not key or requested_by == AFTER_BOOT):
            return Lately(
                at=created_at,
                is_asked=status in (Command.Status.QUEUED, Command.Status.SENT),
                is_whole_in_vain=bool(key) or status in (Command.Status.TIMED_OUT, Command.Status.FAILED),
                is_reboot_awaited=is_reboot_awaited,
            )
        is_reboot_awaited |= action == CHANGE and answer == "RebootRequired"
    return Lately(is_reboot_awaited=is_reboot_awaited)


def _is_unread(station: ChargingStation, lately: Lately) -> bool:
    if lately.at is not None and clock.now() - lately.at < READ_AGAIN_AFTER:
        return False
    return not Variable.objects.filter(station=station, component="", reported_at__isnull=False).exists()


def _wanted(known: dict[str, Variable]) -> list[str]:
    """Name what the station must know by the standard, and what it once told."""
    wanted = {name.casefold(): name for name in REQUIRED}
    wanted |= {name: row.name for name, row in known.items() if row.is_supported and row.reported_at}
    return [name for name in wanted.values() if len(name) <= KEY_LENGTH]


def _find(station_id: int, key: str) -> tuple[Variable | None, VariableKey]:
    """Find what somebody means by a key, as the station spells it: one that it told, or one that may be."""
    row = _by_name(station_id).get(key.strip().casefold())
    if row is not None:
        return row, variable_keys.of(row)
    wanted = variable_keys.parse(key)
    if wanted.component:
        wanted = device_model.spelt(station_id, wanted)
        row = Variable.objects.filter(station_id=station_id, **wanted._asdict()).first()
    return row, wanted


def _by_name(station_id: int) -> dict[str, Variable]:
    rows = Variable.objects.filter(station_id=station_id, component="", instance="")
    return {row.name.casefold(): row for row in rows}


def _new(station_id: int, name: str) -> Variable:
    return Variable(station_id=station_id, name=name[:NAME_LENGTH])


def _chunk_size(station_id: int) -> int:
    row = _by_name(station_id).get(MAX_KEYS.casefold())
    if row is None or not row.value or not row.value.isascii() or not row.value.isdigit():
        return CHUNK
    return max(1, min(int(row.value[:6]), KEYS_AT_MOST))
