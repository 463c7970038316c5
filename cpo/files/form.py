"""The one file in a multipart form (RFC 7578), piece by piece: some stations upload as a browser would."""

from typing import Any

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

MAX_OVERHEAD = 64 * 1024  # bytes of boundaries, headers and other fields


class BadForm(Exception):
    """The body is no form with exactly one file; the text says why."""


def boundary(content_type: str) -> bytes | None:
    """Return the boundary of a form body, None for any other body; raise `BadForm` when it has none."""
    kind, options = parse_options_header(content_type)
    if kind.lower() != b"multipart/form-data":
        return None
    found = options.get(b"boundary", b"")
    if not 0 < len(found) <= 200:
        raise BadForm("a form without a boundary")
    return found


class Form:
    """Feed it the body; it gives back the bytes of the file."""

    def __init__(self, boundary: bytes) -> None:
        self.filename = ""
        self.content_type = ""
        self.is_complete = False
        self._files = 0
        self._other = 0
        self._is_file = False
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._out: list[bytes] = []
        callbacks: Any = {
            "on_part_begin": self._part_begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    @property
    def has_file(self) -> bool:
        return self._files == 1

    def feed(self, body: bytes) -> bytes:
        """Return what of the file is in this piece of the body; raise `BadForm`."""
        try:
            self._parser.write(body)
        except MultipartParseError as error:
            raise BadForm("a form that cannot be read") from error
        found = b"".join(self._out)
        self._out.clear()
        return found

    def _part_begin(self) -> None:
        self._headers.clear()
        self._is_file = False

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        kind = self._headers.get(b"content-type", b"")
        self._is_file = b"filename" in options or (kind != b"" and not kind.startswith(b"text/plain"))
        if not self._is_file:
            return
        self._files += 1
        if self._files > 1:
            raise BadForm("more than one file")
        self.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self.content_type = kind.decode("latin-1")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._out.append(data[start:end])
            return
        self._other += end - start
        if self._other > MAX_OVERHEAD:
            raise BadForm("too much beside the file")

    def _end(self) -> None:
        self.is_complete = True
