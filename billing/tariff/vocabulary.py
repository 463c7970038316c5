"""The words of OCPI tariffs: enumerations, newest version."""

from enum import StrEnum


class Dimension(StrEnum):
    """OCPI 2.3.0 mod_tariffs#TariffDimensionType."""

    FLAT = "FLAT"
    ENERGY = "ENERGY"
    TIME = "TIME"
    PARKING_TIME = "PARKING_TIME"


class TariffType(StrEnum):
    """OCPI 2.3.0 mod_tariffs#TariffType."""

    AD_HOC_PAYMENT = "AD_HOC_PAYMENT"
    PROFILE_CHEAP = "PROFILE_CHEAP"
    PROFILE_FAST = "PROFILE_FAST"
    PROFILE_GREEN = "PROFILE_GREEN"
    REGULAR = "REGULAR"


class TaxIncluded(StrEnum):
    """OCPI 2.3.0 mod_tariffs#TaxIncluded."""

    YES = "YES"
    NO = "NO"
    NOT_APPLICABLE = "N/A"


class DayOfWeek(StrEnum):
    """OCPI 2.3.0 mod_tariffs#DayOfWeek, in the order of `datetime.weekday()`."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class ReservationRestriction(StrEnum):
    """OCPI 2.3.0 mod_tariffs#ReservationRestrictionType, and what the bookings module adds to it."""

    RESERVATION = "RESERVATION"
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"
    BOOKING = "BOOKING"
    BOOKING_EXPIRES = "BOOKING_EXPIRES"
    BOOKING_CANCELLATION_FEES = "BOOKING_CANCELLATION_FEES"
    BOOKING_OVERTIME = "BOOKING_OVERTIME"


RESERVATION_KINDS = (ReservationRestriction.RESERVATION, ReservationRestriction.RESERVATION_EXPIRES)
