"""Which token can a station mean? Pure: uids as stations spoil them on the way (field notes, quirk 23).

Tokens are compared without regard to case (CiString). Everything beyond that is a tolerance with a name, which is kept
with the frame and the session: a token that matched by tolerance was not presented as it is stored.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

BUFFER = 16  # characters of a common buffer; what lies behind it in memory is sometimes sent too
CUT_AFTER = (BUFFER, 20)  # characters: that buffer, and what OCPP 1.6 can say (CiString20Type)
SUFFIX = ";"  # payment terminals add facts of their own behind it
BYTES = (8, 14, 20)  # hexadecimal digits of a card's UID: 4, 7 or 10 bytes

_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffd]")
_STRAY = re.compile(r"[^0-9A-Za-z*\-_.:|@ ;]")  # in no uid that anybody gave out
_SEPARATED = re.compile(r"[0-9A-Fa-f]{2}(?:[ :\-][0-9A-Fa-f]{2})+")
_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class Reading(NamedTuple):
    """A uid that a station may have meant, and the tolerances that lead to it."""

    uid: str
    flags: tuple[str, ...] = ()


def clean(presented: str) -> Reading:
    """Return what stands before the first unprintable character, without spaces around it; '' if nothing does."""
    found = _UNPRINTABLE.search(presented)
    text = presented[: found.start()] if found else presented
    uid = text.strip()
    flags = (("token_garbage",) if found else ()) + (("token_padding",) if uid != text else ())
    return Reading(uid, flags)


def spellings(uid: str, *, is_byte_order_tried: bool = False) -> Iterator[Reading]:
    """Give other spellings of a uid that nobody knows, the likeliest first."""
    if SUFFIX in uid:
        bare = uid.split(SUFFIX)[0].strip()
        if bare:
            yield Reading(bare, ("token_suffix",))
    if len(uid) > BUFFER and _STRAY.search(uid, BUFFER):
        yield Reading(uid[:BUFFER].rstrip(), ("token_garbage",))
    if _SEPARATED.fullmatch(uid):
        yield Reading(re.sub("[ :-]", "", uid), ("token_spelling",))
    if is_byte_order_tried and len(uid) in BYTES and _HEXADECIMAL.fullmatch(uid):
        octets = bytes.fromhex(uid)
        if octets[::-1] != octets:
            yield Reading(octets[::-1].hex().upper(), ("token_byte_order",))


def may_be_cut_off(uid: str) -> bool:
    """Tell whether a station may have cut a longer uid off: it is exactly as long as such buffers are."""
    return len(uid) in CUT_AFTER
