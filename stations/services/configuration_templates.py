"""Desired values by model, site and operator: fitted onto stations, held against what they report, brought in line.

The wishes of all templates that fit a station are merged onto its `Variable` rows, so that drift is a column and the
fleet's list costs what is shown. A wish for one station alone stays above them. Guarded keys are never sent by
themselves: somebody confirms them at the station.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet

from cpo.lib import clock, events, nudge
from stations.events import VariablesChanged
from stations.models import (
    ChargingStation,
    Command,
    ConfigurationTemplate,
    Location,
    Operator,
    TemplateValue,
    Variable,
)
from stations.services import commands, configuration, device_model, requests, variable_keys
from stations.services.errors import InvalidPayload, SecretKey
from stations.services.guarded_keys import is_guarded, is_secret
from stations.services.variable_keys import VariableKey

STATIONS_AT_ONCE = 500  # of one template that one task fits
ENFORCED_EVERY = timedelta(
    hours=24
)  # a station that takes a value and drops it again is not asked more often
VALUES_AT_MOST = 500  # of one template
FIT = "stations.tasks.fit_templates"


class Value(NamedTuple):
    """One desired value; 1.6 keys have no component. Of a 2.x variable it is the attribute `Actual`."""

    name: str
    value: str
    component: str = ""
    instance: str = ""
    component_instance: str = ""
    evse_number: int = 0
    connector_number: int = 0


@transaction.atomic(savepoint=False)
def save(
    template: ConfigurationTemplate | None = None,
    *,
    name: str,
    values: Iterable[Value],
    operator: Operator | None = None,
    location: Location | None = None,
    vendor: str = "",
    model: str = "",
    is_enforced: bool = False,
) -> ConfigurationTemplate:
    """Create or change a template; its stations follow within seconds.

    Raise `SecretKey` for a value that is a secret, `InvalidPayload` for a name or value that no station takes.
    """
    once = {_key_of(v).folded: _checked(v) for v in values}
    if len(once) > VALUES_AT_MOST:
        raise InvalidPayload("values", f"at most {VALUES_AT_MOST}")
    if (
        ConfigurationTemplate.objects.filter(name=name)
        .exclude(pk=(template.pk or 0) if template else 0)
        .exists()
    ):
        raise InvalidPayload("name", "another template has this name")
    former = _reach(template) if template is not None else None
    template = template or ConfigurationTemplate()
    template.name, template.operator, template.location = name, operator, location
    template.vendor, template.model, template.is_enforced = vendor.strip(), model.strip(), is_enforced
    if former is not None and former != _reach(template):
        _forget(template)
    template.updated_at, template.applied_at, template.applied_through = clock.now(), None, 0
    template.save()
    template.values.all().delete()
    TemplateValue.objects.bulk_create(TemplateValue(template=template, **v._asdict()) for v in once.values())
    nudge.task(FIT, template.pk)
    return template


@transaction.atomic(savepoint=False)
def delete(template: ConfigurationTemplate) -> None:
    """Take a template and its wishes away; less particular ones step in."""
    _forget(template)
    template.delete()


def stations_of(template: ConfigurationTemplate) -> QuerySet[ChargingStation]:
    """Return the stations that the template fits."""
    rows = ChargingStation.objects.all()
    if template.location_id is not None:
        rows = rows.filter(location_id=template.location_id)
    if template.operator_id is not None:
        rows = rows.filter(location__operator_id=template.operator_id)
    if template.vendor:
        rows = rows.filter(vendor__iexact=template.vendor)
    if template.model:
        rows = rows.filter(model__iexact=template.model)
    return rows


def fitting(station: ChargingStation) -> list[ConfigurationTemplate]:
    """Return the templates that fit a station, the least particular first."""
    operator_id = station.location.operator_id if station.location else None
    rows = ConfigurationTemplate.objects.filter(
        Q(location=None) | Q(location_id=station.location_id),
        Q(operator=None) | Q(operator_id=operator_id),
        Q(vendor="") | Q(vendor__iexact=station.vendor),
        Q(model="") | Q(model__iexact=station.model),
    )
    return sorted(rows.prefetch_related("values"), key=lambda template: template.rank)


@transaction.atomic(savepoint=False)
def fit(station: ChargingStation) -> int:
    """Lay the wishes of all templates onto one station; return how many of its values changed."""
    configuration.lock(station.pk)
    wishes: dict[VariableKey, tuple[ConfigurationTemplate, TemplateValue]] = {}
    for template in fitting(station):
        for value in template.values.all():
            wishes[_key_of(value).folded] = (template, value)
    rows = {variable_keys.of(row).folded: row for row in Variable.objects.filter(station=station)}
    changed: list[Variable] = []
    for key, row in rows.items():
        if row.template_id is not None and key not in wishes:
            row.template, row.desired, row.is_drifting = None, None, False
            changed.append(row)
    for key, (template, value) in wishes.items():
        found = rows.get(key)
        if found is not None and found.template_id is None and found.desired is not None:
            continue  # wished for this station alone
        if found is not None and (found.template_id, found.desired) == (template.pk, value.value):
            continue
        row = found or Variable(station=station, **_key_of(value)._asdict())
        row.template, row.desired = template, value.value
        row.is_drifting = configuration.is_drifting(row)
        changed.append(row)
    if changed:
        configuration.upsert(changed, fields=["desired", "template", "is_drifting"])
        unheard = Variable.objects.filter(station=station, desired=None, reported_at=None, template=None)
        unheard.filter(pk__in=[row.pk for row in changed if row.pk]).delete()
        events.publish(VariablesChanged(station.pk))
    return len(changed)


def fit_template(template_id: int) -> bool:
    """Fit the next stations of a template that changed; True when that was the last of them.

    What was done is kept after each station, so that a killed worker begins where it stopped.
    """
    template = ConfigurationTemplate.objects.filter(pk=template_id, applied_at=None).first()
    if template is None:
        return True
    same = ConfigurationTemplate.objects.filter(pk=template.pk, updated_at=template.updated_at)
    next_ones = stations_of(template).filter(pk__gt=template.applied_through).select_related("location")
    batch = list(next_ones.order_by("pk")[:STATIONS_AT_ONCE])
    for station in batch:
        fit(station)
        if not same.update(applied_through=station.pk):
            return False  # changed meanwhile: from the beginning, by the nudge of that change
    if len(batch) == STATIONS_AT_ONCE:
        return False
    return bool(same.update(applied_at=clock.now()))


def unfitted() -> list[int]:
    """Return the templates that some stations do not follow yet."""
    return list(ConfigurationTemplate.objects.filter(applied_at=None).values_list("pk", flat=True))


def bring_in_line(
    station: ChargingStation,
    *,
    requested_by: str,
    user: Any = None,
    queue_offline: bool = True,
    template: ConfigurationTemplate | None = None,
) -> list[Command]:
    """Queue changes of what drifts, as wished; each is read again once accepted.

    Guarded keys, read-only ones, those of another version's words and those on their way already are left out. Raise
    what `commands.queue` raises.
    """
    rows = _of_its_words(Variable.objects.filter(is_drifting=True, is_readonly=False), station)
    if template is not None:
        rows = rows.filter(template=template)
    open_subjects = set(
        Command.objects.filter(
            station=station,
            subject__startswith="variable:",
            status__in=[Command.Status.QUEUED, Command.Status.SENT],
        ).values_list("subject", flat=True)
    )
    return [
        _send(station, row, requested_by=requested_by, user=user, queue_offline=queue_offline)
        for row in rows
        if not is_guarded(row.name, row.value, row.desired) and f"variable:{row.pk}" not in open_subjects
    ]


def enforce(station_id: int) -> list[Command]:
    """Correct by itself what drifts from templates that say so, each value once a day at most."""
    horizon = clock.now() - ENFORCED_EVERY
    enforced = Variable.objects.filter(is_drifting=True, is_readonly=False, template__is_enforced=True)
    station = ChargingStation.objects.get(pk=station_id)
    rows = _of_its_words(enforced, station)
    sent = []
    for row in rows:
        tried = Command.objects.filter(subject=f"variable:{row.pk}", created_at__gt=horizon).exists()
        if not tried and row.is_supported and not is_guarded(row.name, row.value, row.desired):
            sent.append(
                _send(station, row, requested_by="template", priority=commands.AUTOMATIC, queue_offline=True)
            )
    return sent


def _of_its_words(rows: QuerySet[Variable], station: ChargingStation) -> QuerySet[Variable]:
    """Leave out what another version knew the station by: it may have come back with a newer one."""
    rows = rows.filter(station=station)
    return rows.exclude(component="") if device_model.is_spoken(station) else rows.filter(component="")


def _send(station: ChargingStation, row: Variable, **options: Any) -> Command:
    return requests.queue(
        station,
        "change_variables",
        facts={"changes": [(variable_keys.of(row), row.desired)]},
        subject=f"variable:{row.pk}",
        **options,
    )


def _checked(value: Value) -> Value:
    if is_secret(value.name):
        raise SecretKey(f"{value.name} is a secret: it is kept nowhere")
    if not 0 < len(value.name.strip()) <= configuration.KEY_LENGTH:
        raise InvalidPayload("name", f"1 to {configuration.KEY_LENGTH} characters")
    if len(value.value) > configuration.VALUE_LENGTH:
        raise InvalidPayload("value", f"at most {configuration.VALUE_LENGTH} characters")
    return value._replace(name=value.name.strip())


def _key_of(value: Value | TemplateValue) -> VariableKey:
    return VariableKey(
        name=value.name,
        component=value.component,
        component_instance=value.component_instance,
        evse_number=value.evse_number,
        connector_number=value.connector_number,
        instance=value.instance,
    )


def _reach(template: ConfigurationTemplate) -> tuple[Any, ...]:
    return template.location_id, template.operator_id, template.vendor.casefold(), template.model.casefold()


def _forget(template: ConfigurationTemplate) -> None:
    """Take the template's wishes from all stations; the other templates are fitted again."""
    rows = Variable.objects.filter(template=template)
    station_ids = set(rows.values_list("station_id", flat=True))
    rows.filter(reported_at=None).delete()
    rows.update(template=None, desired=None, is_drifting=False)
    for other_id in ConfigurationTemplate.objects.exclude(pk=template.pk).values_list("pk", flat=True):
        ConfigurationTemplate.objects.filter(pk=other_id).update(applied_at=None, applied_through=0)
        nudge.task(FIT, other_id)
    for station_id in station_ids:
        events.publish(VariablesChanged(station_id))
