"""What a station says its display can do (OCPP 2.1 part 2, chapter 2.14: DisplayMessageCtrlr)."""

from typing import Any, NamedTuple

from stations.models import ChargingStation, DisplayMessage, Variable
from stations.services import variable_keys
from stations.services.errors import NotDisplayable

CONTROLLER = "DisplayMessageCtrlr"
ENGLISH = "en"


class Limits(NamedTuple):
    """What the station told; an empty list or None is what it did not tell, and then nothing is refused for it."""

    is_available: bool | None = None
    is_enabled: bool | None = None
    formats: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()  # the first is the default one
    most: int | None = None  # messages at once
    lying: int | None = None  # messages that are there, as it told


def of(station: ChargingStation) -> Limits:
    """Read what the station told of its display."""
    rows = Variable.objects.filter(
        station=station, component__iexact=CONTROLLER, attribute=variable_keys.ACTUAL, is_supported=True,
    )  # fmt: skip
    told = {row.name.casefold(): row for row in rows}
    count = told.get("displaymessages")
    language = told.get("language")
    return Limits(
        is_available=_switch(told.get("available")),
        is_enabled=_switch(told.get("enabled")),
        formats=_list(told.get("supportedformats")),
        priorities=_list(told.get("supportedpriorities")),
        states=_list(told.get("supportedstates")),
        languages=_languages(language),
        most=int(count.max_limit) if count is not None and count.max_limit is not None else None,
        lying=int(count.value[:9]) if count is not None and (count.value or "").isdigit() else None,  # type: ignore[index]
    )


def check(station: ChargingStation, document: dict[str, Any], *, is_new: bool) -> None:
    """Raise `NotDisplayable` for what the station says it cannot show (O01.FR.01 to FR.03, FR.11, FR.18)."""
    limits = of(station)
    if limits.is_available is False or limits.is_enabled is False:
        raise NotDisplayable("its display takes no messages, or they are switched off")
    _one_of(document["priority"], limits.priorities, "priority")
    _one_of(document["when"], limits.states, "state")
    for one in document["contents"]:
        _one_of(one["format"], limits.formats, "format")
        if limits.languages and one["language"]:
            _language(one["language"], limits.languages)
    if is_new and limits.most is not None:
        there = DisplayMessage.objects.filter(station=station, shown__isnull=False).count()
        if there >= limits.most:
            raise NotDisplayable(f"it keeps {limits.most} messages and has them: clear one, or replace one")


def _one_of(word: str, known: tuple[str, ...], name: str) -> None:
    if word and known and word.casefold() not in {one.casefold() for one in known}:
        raise NotDisplayable(f"it does not know the {name} {word}, only {', '.join(known)}")


def _language(tag: str, known: tuple[str, ...]) -> None:
    """Let `de` pass where `de-DE` is known, and the other way round: stations compare as they like."""
    main = tag.casefold().partition("-")[0]
    if main not in {one.casefold().partition("-")[0] for one in known}:
        raise NotDisplayable(f"it does not know the language {tag}, only {', '.join(known)}")


def _languages(row: Variable | None) -> tuple[str, ...]:
    if row is None:
        return ()
    named = tuple(part.strip() for part in row.values_list.split(",") if part.strip())
    default = (row.value or "").strip()
    return (default, *(one for one in named if one != default)) if default and named else named


def _list(row: Variable | None) -> tuple[str, ...]:
    """Read a MemberList: what it takes is its values list, or its value where that is all it told."""
    if row is None:
        return ()
    text = row.value or row.values_list
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _switch(row: Variable | None) -> bool | None:
    return None if row is None or row.value is None else row.value.strip().casefold() == "true"
