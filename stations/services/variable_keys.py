"""Names of settings: an OCPP 1.6 key, or where a 2.x variable stands, and how people write it.

`Connector{1,2}[left]/AvailabilityState[now]/Target` is the component with its EVSE, connector and instance, the
variable with its instance, and the attribute where it is not `Actual`. No identifier of 2.x can hold a slash, a brace
or a bracket (2.1 part 2, identifierString). A name without a slash is a 1.6 key.
"""

import re
from typing import NamedTuple

from stations.models import Variable
from stations.services.errors import InvalidPayload

ACTUAL = Variable.Attribute.ACTUAL.value
ATTRIBUTES = {attribute.value.casefold(): attribute.value for attribute in Variable.Attribute}
LENGTH = 50  # characters of a name, an instance or a 1.6 key
_PLACE = re.compile(
    r"(?P<component>[^/{}\[\]]{1,50})(\{(?P<evse>\d{1,6})(,(?P<connector>\d{1,6}))?\})?(\[(?P<ci>[^\]]{1,50})\])?"
    r"/(?P<name>[^/{}\[\]]{1,50})(\[(?P<instance>[^\]]{1,50})\])?(/(?P<attribute>\w+))?"
)


class VariableKey(NamedTuple):
    """Which setting of a station; a 1.6 key has a name only. Zeros and '' where nothing is said."""

    name: str
    component: str = ""
    component_instance: str = ""
    evse_number: int = 0
    connector_number: int = 0
    instance: str = ""
    attribute: str = ACTUAL

    def __str__(self) -> str:
        """Write it as people do."""
        if not self.component:
            return self.name
        evse = f"{self.evse_number},{self.connector_number}" if self.connector_number else self.evse_number
        where = f"{{{evse}}}" if self.evse_number else ""
        attribute = "" if self.attribute == ACTUAL else f"/{self.attribute}"
        component = f"{self.component}{where}{_bracketed(self.component_instance)}"
        return f"{component}/{self.name}{_bracketed(self.instance)}{attribute}"

    @property
    def folded(self) -> "VariableKey":
        """The form in which two spellings of one name are equal: identifiers compare without case."""
        return self._replace(
            name=self.name.casefold(),
            component=self.component.casefold(),
            component_instance=self.component_instance.casefold(),
            instance=self.instance.casefold(),
        )


def parse(text: str) -> VariableKey:
    """Read what somebody wrote; raise `InvalidPayload` for what can be neither a key nor a variable."""
    text = text.strip()
    if "/" not in text:
        if not 0 < len(text) <= LENGTH:
            raise InvalidPayload("key", f"1 to {LENGTH} characters")
        return VariableKey(text)
    found = _PLACE.fullmatch(text)
    if found is None:
        raise InvalidPayload("key", "a 2.x variable is written Component{evse}[instance]/Variable[instance]")
    attribute = ATTRIBUTES.get((found["attribute"] or ACTUAL).casefold())
    if attribute is None:
        raise InvalidPayload("key", f"the attribute is one of {', '.join(ATTRIBUTES.values())}")
    return VariableKey(
        name=found["name"],
        component=found["component"],
        component_instance=found["ci"] or "",
        evse_number=int(found["evse"] or 0),
        connector_number=int(found["connector"] or 0),
        instance=found["instance"] or "",
        attribute=attribute,
    )


def of(row: Variable) -> VariableKey:
    """Return the key of a row."""
    return VariableKey(**{field: getattr(row, field) for field in Variable.KEY})


def _bracketed(text: str) -> str:
    return f"[{text}]" if text else ""
