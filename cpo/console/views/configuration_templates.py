"""The fleet's configuration: what differs from what is wanted, and the templates that say what is wanted where."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cpo import access
from cpo.console.guard import ConsoleRequest, act, page
from cpo.console.paging import page as page_of
from cpo.console.parts import Part, render
from cpo.console.schema_forms import SchemaForm
from cpo.console.views import stations as station_pages
from stations.models import ConfigurationTemplate
from stations.services import configuration_templates, variable_keys
from stations.services.configuration_templates import Value
from stations.services.errors import InvalidPayload, SecretKey, StationOffline, UnknownAction
from stations.services.guarded_keys import is_guarded

LABELS = {
    "name": gettext_lazy("Name"),
    "location": gettext_lazy("Only at this location"),
    "operator": gettext_lazy("Only of this operator"),
    "vendor": gettext_lazy("Only of this vendor, as its stations say"),
    "model": gettext_lazy("Only of this model, as its stations say"),
    "is_enforced": gettext_lazy("Correct drift by itself"),
    "values": gettext_lazy("Wanted values"),
    "value": gettext_lazy("Value"),
    "component": gettext_lazy("Component (OCPP 2.x)"),
    "instance": gettext_lazy("Instance of the variable"),
    "evse_number": gettext_lazy("EVSE"),
    "connector_number": gettext_lazy("Connector"),
    "component_instance": gettext_lazy("Instance of the component"),
}
HINTS = {
    "component": gettext_lazy("Empty: a key of OCPP 1.6."),
    "evse_number": gettext_lazy("Of the component; empty: it belongs to the station."),
    "connector_number": gettext_lazy("Of that EVSE; empty: it belongs to the EVSE."),
}


def text(length: int) -> dict[str, Any]:
    """Give the schema of a text of at most so many characters."""
    return {"type": "string", "maxLength": length}


NUMBER = {"type": "integer", "minimum": 0, "maximum": 999}
VALUE = ("name", "value", "instance", "component", "evse_number", "connector_number", "component_instance")
NONE = (0, "")  # of what is not said


class TemplateForm(SchemaForm):
    """A template with its rows of values."""

    schema = {  # noqa: RUF012
        "required": ["name", "is_enforced", "values"],
        "properties": {
            "name": text(100),
            "location": {"type": "integer"},
            "operator": {"type": "integer"},
            "vendor": text(255),
            "model": text(255),
            "is_enforced": {"type": "string", "enum": ["no", "yes"]},
            "values": {
                "type": "array",
                "items": {
                    "required": ["name"],
                    "properties": {
                        "name": text(50), "value": text(500), "instance": text(50), "component": text(50),
                        "evse_number": NUMBER, "connector_number": NUMBER, "component_instance": text(50),
                    },
                },
            },
        },
    }  # fmt: skip
    empty = gettext_lazy("any")
    label = staticmethod(lambda name: LABELS[name])
    hint = staticmethod(lambda name: HINTS.get(name, ""))


@page()
def overview(request: ConsoleRequest) -> HttpResponse:
    """List what drifts, and the templates."""
    return render(
        request,
        "console/fleet_configuration.html",
        parts={
            "drift": Part("console/_drift.html", lambda: _drift(request)),
            "templates": Part("console/_configuration_templates.html", lambda: _templates(request)),
        },
        filters=request.GET,
    )


@page("configuration.write")
def new(request: ConsoleRequest) -> HttpResponse:
    """Show the form of a new template."""
    return _show(request, _form(request)(), None)


@act("configuration.write")
def add(request: ConsoleRequest) -> HttpResponse:
    """Add a template."""
    return _save(request, None)


@page()
def edit(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Show a template and what drifts from it."""
    template = get_object_or_404(access.configuration_templates(request.principal), pk=pk)
    return _show(request, _form(request)(_as_data(template)), template)


@act("configuration.write")
def change(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Change a template; its stations follow within seconds."""
    template = get_object_or_404(access.writable_templates(request.principal), pk=pk)
    return _save(request, template)


@act("configuration.write")
def delete(request: ConsoleRequest, pk: int) -> HttpResponse:
    """Delete a template with its wishes."""
    template = get_object_or_404(access.writable_templates(request.principal), pk=pk)
    request.audit_object, request.audit_facts = ("configuration_template", pk), {"name": template.name}
    configuration_templates.delete(template)
    messages.success(request, _("%(name)s is deleted; nothing was sent to any station.") % {"name": template})
    return redirect("fleet-configuration")


@act("command.dangerous")
def bring_in_line(request: ConsoleRequest, identity: str) -> HttpResponse:
    """Send one station what it shall be set to where it is not."""
    station = station_pages.find(request.principal, identity)
    request.audit_object = ("station", identity)
    back = redirect(reverse("station", args=[identity], query={"tab": "configuration"}))
    try:
        with transaction.atomic():  # a refusal must leave the request's own transaction good for the record
            sent = configuration_templates.bring_in_line(
                station, requested_by=request.principal.name, user=request.principal.user
            )
    except (StationOffline, UnknownAction, InvalidPayload) as error:
        messages.error(request, str(error))
        return back
    request.audit_facts = {"commands": [command.uid for command in sent]}
    if sent:
        messages.success(request, _("%(count)d changes are on their way.") % {"count": len(sent)})
    else:
        messages.info(request, _("Nothing to send: guarded and read-only keys are changed one by one."))
    return back


def _drift(request: ConsoleRequest) -> dict[str, Any]:
    rows = access.variables(request.principal).filter(is_drifting=True)
    rows = rows.select_related("station__location", "template")
    if request.GET.get("key"):
        rows = rows.filter(name__iexact=request.GET["key"])
    if request.GET.get("template", "").isdecimal():
        rows = rows.filter(template_id=int(request.GET["template"][:18]))
    shown = page_of(rows, by=("station_id", "id"), after=request.GET.get("after", ""), newest_first=False)
    for row in shown:
        row.is_guarded = is_guarded(row.name, row.value, row.desired)
        row.key = str(variable_keys.of(row))
    return {"drift": shown}


def _templates(request: ConsoleRequest) -> dict[str, Any]:
    rows = access.configuration_templates(request.principal).select_related("location", "operator")
    counted = rows.annotate(
        wishes=Count("values", distinct=True),
        drifting=Count("variables", filter=Q(variables__is_drifting=True), distinct=True),
    )
    return {"templates": page_of(counted, by=("name", "id"), after="", newest_first=False, size=200)}


def _form(request: ConsoleRequest) -> type[TemplateForm]:
    choices: dict[str, list[tuple[Any, Any]]] = {
        "location": [
            (row.pk, row.name) for row in access.locations(request.principal).order_by("name")[:1000]
        ],
        "operator": [(row.pk, str(row)) for row in access.operators(request.principal)[:1000]],
    }
    return type("ScopedTemplateForm", (TemplateForm,), {"choices": choices})


def _as_data(template: ConfigurationTemplate) -> dict[str, Any]:
    """Write a template as the fields of its form."""
    data: dict[str, Any] = {
        "name": template.name, "location": template.location_id or "", "operator": template.operator_id or "",
        "vendor": template.vendor, "model": template.model, "is_enforced": "yes" if template.is_enforced else "no",
    }  # fmt: skip
    for number, value in enumerate(template.values.all()):
        told = {name: getattr(value, name) for name in VALUE}
        data |= {f"values.{number}.{name}": told[name] for name in VALUE if told[name] not in NONE}
    return data


def _save(request: ConsoleRequest, template: ConfigurationTemplate | None) -> HttpResponse:
    form = _form(request)(request.POST)
    request.audit_object = ("configuration_template", template.pk if template else "")
    if not form.is_valid():
        return _show(request, form, template, status=422)
    facts = form.payload()
    location_id, operator_id = facts.get("location"), facts.get("operator")
    if not access.may_write_template(request.principal, location_id=location_id, operator_id=operator_id):
        form.add_error(
            "location", _("Choose a location or an operator of yours: you may not set all stations.")
        )
        return _show(request, form, template, status=422)
    try:
        with transaction.atomic():
            saved = configuration_templates.save(
                template,
                name=facts["name"],
                location=access.locations(request.principal).filter(pk=location_id or 0).first(),
                operator=access.operators(request.principal).filter(pk=operator_id or 0).first(),
                vendor=facts.get("vendor", ""),
                model=facts.get("model", ""),
                is_enforced=facts["is_enforced"] == "yes",
                values=[Value(**{"value": "", **row}) for row in facts["values"]],
            )
    except (InvalidPayload, SecretKey) as error:
        form.add_error("name" if getattr(error, "path", "") == "name" else None, str(error))
        return _show(request, form, template, status=422)
    request.audit_object = ("configuration_template", saved.pk)
    request.audit_facts = {name: value for name, value in facts.items() if name != "values"}
    request.audit_facts["values"] = {row["name"]: row.get("value", "") for row in facts["values"]}
    messages.success(
        request, _("%(name)s is saved; its stations are compared with it now.") % {"name": saved}
    )
    return redirect("configuration-template", pk=saved.pk)


def _show(
    request: ConsoleRequest, form: TemplateForm, template: ConfigurationTemplate | None, *, status: int = 200
) -> HttpResponse:
    reach = configuration_templates.stations_of(template).count() if template else 0
    may_write = access.may(request.principal, "configuration.write") and (
        template is None or access.writable_templates(request.principal).filter(pk=template.pk).exists()
    )
    return render(
        request,
        "console/configuration_template.html",
        form=form,
        wishes=template,
        reach=reach,
        may_write=may_write,
        status=status,
    )
