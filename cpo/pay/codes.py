"""QR codes as SVG, and what stands in those on stickers."""

import io

import segno
from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from stations.models import Evse


def sticker_url(evse: Evse) -> str:
    """Return the address in the code on an EVSE's sticker."""
    return f"{settings.PUBLIC_URL}{reverse('pay-sticker', args=[evse.uid])}"


def svg(text: str, *, scale: int = 6) -> SafeString:
    """Draw a QR code, dark on light whatever the theme: error correction Q, for stickers get scratched."""
    out = io.BytesIO()
    code = segno.make(text, error="q", micro=False)
    code.save(
        out,
        kind="svg",
        scale=scale,
        border=4,
        dark="#000",
        light="#fff",
        xmldecl=False,
        svgns=True,
        title="QR",
    )
    return mark_safe(out.getvalue().decode())  # noqa: S308 - made of numbers by the library
