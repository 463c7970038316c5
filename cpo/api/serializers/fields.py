"""Fields that DRF has no like for."""

from decimal import Decimal
from typing import Any

from django.utils.timezone import is_aware
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from cpo.api.exact_json import number


@extend_schema_field(OpenApiTypes.NUMBER)
class ExactNumber(serializers.DecimalField):
    """A decimal as a JSON number: 12345 or 12345.5, exact to its last digit. Money goes as strings instead."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 24)
        kwargs.setdefault("decimal_places", 7)
        super().__init__(**kwargs)

    def to_representation(self, value: Decimal) -> int | Decimal:  # type: ignore[override]
        """Return what the renderer writes as a number."""
        return number(value)


class Instant(serializers.DateTimeField):
    """A moment: read with any offset, without one as UTC; written in UTC with Z."""

    def to_internal_value(self, value: Any) -> Any:
        """Return an aware datetime; a text without offset is refused by nobody: the API speaks UTC."""
        try:
            moment = super().to_internal_value(value)
        except OverflowError:  # the year 1 or 9999 moved by its offset
            self.fail("invalid", format="YYYY-MM-DDThh:mm:ssZ")
        assert is_aware(moment)
        return moment
