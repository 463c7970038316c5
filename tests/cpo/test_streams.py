"""Long answers in pieces, under both kinds of server."""

import io

from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory

from cpo import streams

FILE = {"content_type": "text/csv", "filename": "a.csv"}


def pieces(made: list[int]):
    for number in range(3):
        made.append(number)
        yield b"%d" % number


def test_it_makes_each_piece_when_it_is_due():
    made: list[int] = []
    body = iter(streams.response(RequestFactory().get("/"), pieces(made), **FILE))

    assert (next(body), made) == (b"0", [0])


async def test_it_makes_each_piece_when_it_is_due_under_asgi():
    made: list[int] = []
    request = ASGIRequest({"type": "http", "method": "GET", "path": "/", "headers": []}, io.BytesIO())
    body = aiter(streams.response(request, pieces(made), **FILE))

    assert (await anext(body), made) == (b"0", [0])
    assert [piece async for piece in body] == [b"1", b"2"]


def test_it_names_the_file_to_be_saved():
    answer = streams.response(RequestFactory().get("/"), [], **FILE)

    assert answer["Content-Disposition"] == 'attachment; filename="a.csv"'
