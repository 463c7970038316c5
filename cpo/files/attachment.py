"""A stored file on its way to an operator's browser or program: saved, never shown (SECURITY.md 3.4 row 12, C7)."""

import re

from django.http import Http404, HttpRequest, StreamingHttpResponse

from cpo import streams
from cpo.files.request import SAFE_HEADERS
from stations.models import StoredFile
from stations.services import file_store


def response(request: HttpRequest, file: StoredFile) -> StreamingHttpResponse:
    """Stream the file as an attachment that no browser runs; raise 404 when it is not on the disk any more."""
    if not file_store.path(file.stored_as).is_file():
        raise Http404
    answer = streams.response(
        request,
        file_store.pieces(file.stored_as),
        content_type="application/octet-stream",
        filename=re.sub(r"[^A-Za-z0-9 ._()+@,=-]", "_", file.name),
    )
    for name, value in SAFE_HEADERS.items():
        answer[name] = value
    answer["Content-Length"] = str(file.size)
    return answer
