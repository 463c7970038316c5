"""What a browser sends when somebody fills in a form made from a schema, to the last field or only what must be."""

from typing import Any

from django import forms

from cpo.console import schema_forms
from cpo.console.schema_forms import Field, Group, Node, SchemaForm


def in_full(build: type[SchemaForm], *, only_needed: bool = False) -> dict[str, Any]:
    """Fill in a form: every field and one row of every list, or only what is marked as needed."""
    given: dict[str, Any] = {}
    while (more := _values(build(given).layout, only_needed=only_needed)) != given:
        given = more
    return given


def _values(nodes: list[Node], *, only_needed: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in nodes:
        if only_needed and not node.is_required:
            continue
        if isinstance(node, Field):
            found[node.path] = _value(node.form.fields[node.path])
        elif isinstance(node, Group):
            found |= _values(node.nodes, only_needed=only_needed)
        else:
            row = node.rows[0].nodes if node.rows else node.blank.nodes
            filled = _values(row, only_needed=only_needed)
            found |= {
                name.replace(node.blank.path, f"{node.path}.0"): value for name, value in filled.items()
            }
    return found


def _value(field: forms.Field) -> Any:
    if isinstance(field, forms.MultipleChoiceField):
        return [field.choices[-1][0]]
    if isinstance(field, forms.ChoiceField):
        return str(field.choices[-1][0])
    if isinstance(field, schema_forms.Instant):
        return "2026-11-21T06:30"
    if isinstance(field, forms.DecimalField | forms.IntegerField):
        return str(min(max(field.min_value or 0, 1), 1 if field.max_value is None else int(field.max_value)))
    if isinstance(field, schema_forms.Anything):
        return "as it stands"
    if isinstance(field, schema_forms.Numbers):
        return "1\r\n2"
    return "A1"[: getattr(field, "max_length", None) or 2]
