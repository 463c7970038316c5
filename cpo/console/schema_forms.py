"""Forms made from JSON schemas: every field of a request has a control, however deep it lies.

A plain value becomes a field named by its path (`chargingProfile.stackLevel`), an object a group, a list of objects
rows of groups (`chargingSchedulePeriod.0.limit`) with rows of their own where lists lie in lists, a list of words a
text area with one per line. A group or row that is left empty is not sent; one that is begun must be complete. Two
protocols' versions need no code of their own.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

Schema = dict[str, Any]
Choices = Mapping[str, list[tuple[Any, Any]]]

BLANK = (
    "__row{}__"  # stands for the index in a row that the browser copies, by how deep in blank rows it lies
)
MAX_ROWS = 500  # of one list in a form; longer ones are for the API
LONG_TEXT = 500  # characters from which a text gets several lines
OMITTED = frozenset({"customData"})  # vendors' own members: the API takes them
_BLANKS = re.compile(r"__row\d+__")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Lines(forms.CharField):
    """Words, one per line."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (value or "").splitlines() if line.strip()]

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError(self.error_messages["required"], code="required")

    def run_validators(self, value: Any) -> None:
        return None


class Numbers(Lines):
    """Whole numbers, one per line."""

    def to_python(self, value: Any) -> Any:
        try:
            return [int(line) for line in super().to_python(value)]
        except ValueError:
            raise forms.ValidationError(_("Only whole numbers, one per line."), code="invalid") from None


class Exact(json.JSONDecoder):
    """JSON whose numbers keep all their digits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"parse_float": Decimal})


class Json(forms.JSONField):
    """A free object, written as JSON; empty when it is not sent."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        super().__init__(decoder=Exact, **options)

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


class Anything(Json):
    """JSON where it begins like an object, a list or a quoted text; else a text as it stands."""

    def to_python(self, value: Any) -> Any:
        is_json = isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"')
        return super().to_python(value) if is_json else value or None


class Instant(forms.DateTimeField):
    """A date and time in UTC, sent as RFC 3339 text."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S")
        super().__init__(**{"help_text": _("In UTC."), **options}, widget=widget)

    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(found, datetime) else None


@dataclass(slots=True)
class Field:
    """A control; `bound` is how a template draws it."""

    name: str
    path: str
    is_required: bool
    form: forms.BaseForm

    kind = "field"

    @property
    def bound(self) -> BoundField:
        return self.form[self.path]


@dataclass(slots=True)
class Group:
    """The members of an object."""

    name: str
    path: str
    label: Any
    is_required: bool
    nodes: "list[Node]" = field(default_factory=list)
    is_open: bool = True  # an optional one is folded until it is begun

    kind = "group"


@dataclass(slots=True)
class Rows:
    """A list of objects: the rows that are there, and a blank one for the browser to copy."""

    name: str
    path: str
    label: Any
    is_required: bool
    rows: list[Group]
    blank: Group

    kind = "rows"


Node = Field | Group | Rows


class SchemaForm(forms.Form):
    """The form of one schema; `layout` is what a template walks, `payload()` the object that was filled in."""

    schema: Schema = {}
    choices: Choices = {}
    empty: Any = _("not sent")  # what a choice that is left open says
    label: Callable[[str], Any] = staticmethod(lambda name: words(name))
    hint: Callable[[str], Any] = staticmethod(lambda name: "")  # when a member is needed, and in what unit
    choice: Callable[[str], Any] = staticmethod(lambda word: word)  # how a word of an enumeration is said

    def __init__(self, data: Any = None, *args: Any, **options: Any) -> None:
        super().__init__(data, *args, **options)
        self._blanks = forms.Form(auto_id=self.auto_id)
        self.layout: list[Node] = list(self._nodes(self.schema, "", self))

    def payload(self) -> dict[str, Any]:
        """Return the object without what was left empty."""
        return self._values(self.layout)

    def clean(self) -> dict[str, Any]:
        self._check(self.layout)
        return self.cleaned_data

    def _nodes(self, schema: Schema, prefix: str, form: forms.BaseForm) -> Iterator[Node]:
        required = set(schema.get("required", ()))
        for name, raw in schema.get("properties", {}).items():
            if name in OMITTED:
                continue
            spec, path = self._resolved(raw), f"{prefix}{name}"
            items = self._resolved(spec.get("items", {}))
            if spec.get("properties"):
                nodes = list(self._nodes(spec, f"{path}.", form))
                is_needed = name in required
                is_open = is_needed or self._is_begun(path)
                yield Group(name, path, self.label(name), is_needed, nodes, is_open)
            elif spec.get("type") == "array" and items.get("properties"):
                yield self._rows(name, path, items, form, is_required=name in required)
            else:
                # What is missing inside an optional group is judged by `clean`.
                is_needed = name in required and not prefix
                open_word = _("choose") if name in required else self.empty
                form.fields[path] = self._field(path, spec, items, is_required=is_needed, open_word=open_word)
                yield Field(name, path, name in required, form)

    def _rows(self, name: str, path: str, items: Schema, form: forms.BaseForm, *, is_required: bool) -> Rows:
        label, mark = self.label(name), BLANK.format(len(_BLANKS.findall(path)))
        indices = self._indices(path) or ([0] if is_required else [])
        rows = [
            Group(str(i), f"{path}.{i}", label, False, list(self._nodes(items, f"{path}.{i}.", form)))
            for i in indices
        ]
        copied = list(self._nodes(items, f"{path}.{mark}.", self._blanks))
        blank = Group(mark, f"{path}.{mark}", label, False, copied)
        return Rows(name, path, label, is_required, rows, blank)

    def _is_begun(self, path: str) -> bool:
        """Whether the browser sent something inside, or a link gave a value for it."""
        sent = any(self.data[name] for name in self.data if name.startswith(f"{path}."))
        return sent or any(name.startswith(f"{path}.") for name in self.initial)

    def _indices(self, path: str) -> list[int]:
        """Return which rows of a list the browser sent, in order."""
        start = re.compile(re.escape(path) + r"\.(\d{1,6})\.")
        found = {int(match[1]) for name in self.data for match in [start.match(name)] if match}
        return sorted(found)[:MAX_ROWS]

    def _resolved(self, spec: Schema) -> Schema:
        if "$ref" not in spec:
            return spec
        target: Schema = self.schema.get("definitions", {}).get(spec["$ref"].rpartition("/")[2], {})
        return target

    def _field(
        self, path: str, spec: Schema, items: Schema, *, is_required: bool, open_word: Any
    ) -> forms.Field:
        name = path.rpartition(".")[2]
        shared: dict[str, Any] = {"label": self.label(name), "required": is_required}
        if hint := self.hint(name):
            shared["help_text"] = hint
        kind = spec.get("type")
        empty = [] if is_required else [("", open_word)]
        choices = self._choices_of(path) if kind in ("integer", "string") else None
        if choices is not None:
            coerce = int if kind == "integer" else str
            return forms.TypedChoiceField(
                choices=[*empty, *choices], coerce=coerce, empty_value=None, **shared
            )
        if "enum" in spec:
            return forms.ChoiceField(choices=[*empty, *self._worded(spec["enum"])], **shared)
        if kind in ("integer", "number"):
            build = forms.IntegerField if kind == "integer" else forms.DecimalField
            return build(min_value=spec.get("minimum"), max_value=spec.get("maximum"), **shared)
        if kind == "boolean":
            return forms.TypedChoiceField(
                choices=[*empty, ("true", _("yes")), ("false", _("no"))],
                coerce=lambda text: text == "true",
                empty_value=None,
                **shared,
            )
        if kind == "array" and items.get("type") == "string" and "enum" in items:
            return forms.MultipleChoiceField(choices=self._worded(items["enum"]), **shared)
        if kind == "array" and items.get("type") == "string":
            return Lines(**{"help_text": _("One per line; none means all."), **shared}, widget=_area(3))
        if kind == "array" and items.get("type") == "integer":
            return Numbers(**{"help_text": _("One per line; none means all."), **shared}, widget=_area(3))
        if kind == "string":
            return self._text(name, spec, shared)
        if kind is None:
            return Anything(**{"help_text": _("A text, or JSON."), **shared}, widget=_area(4))
        return Json(**{"help_text": _("JSON, as in the OCPP specification."), **shared}, widget=_area(4))

    def _worded(self, options: list[str]) -> list[tuple[str, Any]]:
        return [(word, self.choice(word)) for word in options]

    def _choices_of(self, path: str) -> list[tuple[Any, Any]] | None:
        """Return the choices of a member: those of its name, or of its name in what holds it (`evse.id`)."""
        holder, _dot, name = path.rpartition(".")
        return self.choices.get(f"{holder.rpartition('.')[2]}.{name}") or self.choices.get(name)

    def _text(self, name: str, spec: Schema, shared: dict[str, Any]) -> forms.Field:
        if spec.get("format") == "date-time":
            return Instant(**shared)
        longest = spec.get("maxLength")
        widget: forms.Widget = _area(6) if (longest or 0) > LONG_TEXT else forms.TextInput()
        if spec.get("format") == "uri":
            widget = forms.TextInput(attrs={"inputmode": "url", "placeholder": "https://"})
        return forms.CharField(max_length=longest, strip=name != "value", widget=widget, **shared)

    def _values(self, nodes: list[Node]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for node in nodes:
            value: Any
            if isinstance(node, Field):
                value = self.cleaned_data.get(node.path)
            elif isinstance(node, Group):
                value = self._values(node.nodes)
            else:
                value = [row for row in (self._values(group.nodes) for group in node.rows) if row]
            if value not in (None, "", [], {}):
                found[node.name] = value
        if found or nodes is self.layout:  # a group that must be there may be empty
            for node in nodes:
                if isinstance(node, Group) and node.is_required:
                    found.setdefault(node.name, {})
        return found

    def _check(self, nodes: list[Node]) -> None:
        """Ask for what is missing in every group that was begun or that must be there."""
        for node in nodes:
            if isinstance(node, Field):
                if node.is_required and self.cleaned_data.get(node.path) in (None, "", []):
                    self._missing(node.path)
            elif isinstance(node, Group):
                if node.is_required or self._values(node.nodes):
                    self._check(node.nodes)
            else:
                begun = [group for group in node.rows if self._values(group.nodes)]
                for group in begun:
                    self._check(group.nodes)
                if node.is_required and not begun and node.rows:
                    self._check(node.rows[0].nodes)

    def _missing(self, path: str) -> None:
        if path not in self.errors:
            self.add_error(path, forms.ValidationError(_("This field is required."), code="required"))


def words(name: str) -> str:
    """Write a member's name as words: `chargingRateUnit` is Charging rate unit."""
    text = _WORDS.sub(" ", name.replace("_", " of "))
    return (text[:1].upper() + text[1:].lower()) if text else text


def _area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})
