"""Query parameters that say what is wrong with them instead of being ignored."""

from datetime import UTC, datetime, timedelta
from typing import Any

import django_filters
from django import forms
from django.utils.dateparse import parse_date, parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class FlagField(forms.CharField):
    """true or false, in the words that callers use for it."""

    def clean(self, value: Any) -> bool | None:
        """Return what it says; None when it says nothing."""
        text = super().clean(value).lower()
        if text and text not in FLAGS:
            raise forms.ValidationError("true or false.")
        return FLAGS.get(text)


@extend_schema_field(OpenApiTypes.BOOL)
class Flag(django_filters.Filter):
    """A yes or no."""

    field_class = FlagField


class MomentField(forms.CharField):
    """A moment in ISO 8601, or a day in UTC; as the end of a span, the day is part of it."""

    def __init__(self, *, ends: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ends = ends

    def clean(self, value: Any) -> datetime | None:
        """Return the moment, UTC where none is said."""
        text = super().clean(value)
        if not text:
            return None
        try:
            day = parse_date(text)
            if day is not None:
                return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=int(self.ends))
            moment = parse_datetime(text.replace(" ", "+"))  # a plus sign that nobody escaped
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            raise forms.ValidationError("A moment such as 2025-03-01T12:00:00Z, or a day such as 2025-03-01.")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@extend_schema_field(OpenApiTypes.STR)
class Moment(django_filters.Filter):
    """A bound of a span of time: `gte` for its beginning, `lt` with `ends=True` for its end."""

    field_class = MomentField
