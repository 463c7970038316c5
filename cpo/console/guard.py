"""Who may open a page or press a button: login, role, method and the audit record, in one decorator each.

A page that is not in the principal's scope answers 404, one that the role may not open answers 403 with the reason.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotFound
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_POST, require_safe

from cpo import access, audit
from cpo.access import Principal

View = Callable[..., HttpResponseBase]


class ConsoleRequest(HttpRequest):
    """What views behind these decorators get."""

    principal: Principal
    htmx: Any
    audit_facts: dict[str, Any]  # what the audit record of this POST shall hold; never a secret
    audit_object: tuple[str, object]  # type and id of what was changed


def page(action: str = "view") -> Callable[[View], View]:
    """Let only people whose role allows `action` read the page; GET and HEAD only."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            _refuse_nul(request, kwargs)
            if not request.user.is_authenticated:
                return _login(request)
            request.principal = Principal.of_user(request.user)
            if not access.may(request.principal, action):
                return _refuse(request, action)
            response = view(request, *args, **kwargs)
            patch_cache_control(response, private=True, no_cache=True)
            return response

        return require_safe(guarded)

    return decorate


def act(action: str, *, atomic: bool = True) -> Callable[[View], View]:
    """Let only people whose role allows `action` do this; POST only, recorded whatever comes of it.

    `atomic=False` is for what speaks to the network: no transaction is held open meanwhile.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            _refuse_nul(request, kwargs)
            if not request.user.is_authenticated:
                return _login(request)
            request.principal = Principal.of_user(request.user)
            request.audit_facts, request.audit_object = {}, ("", next(iter(kwargs.values()), ""))
            if not access.may(request.principal, action):
                response: HttpResponseBase = _refuse(request, action)
                _record(request, action, response)
                return response
            try:
                with transaction.atomic() if atomic else nullcontext():
                    response = view(request, *args, **kwargs)
                    _record(request, action, response)
            except Http404:
                _record(request, action, HttpResponseNotFound())
                raise
            return response

        return require_POST(guarded)

    return decorate


def _refuse_nul(request: HttpRequest, words: dict[str, Any]) -> None:
    """Answer 400 to a NUL character: PostgreSQL has none, so no row can be meant."""
    given = [*request.GET.values(), *request.POST.values(), *words.values()]
    if any("\0" in text for text in given if isinstance(text, str)):
        raise BadRequest("a NUL character")


def _record(request: ConsoleRequest, action: str, response: HttpResponseBase) -> None:
    kind, identifier = request.audit_object
    audit.record(
        request.principal,
        action,
        object_type=kind,
        object_id=identifier,
        facts=request.audit_facts,
        request=request,
        outcome=response.status_code,
    )


def _login(request: ConsoleRequest) -> HttpResponse:
    """Send to the login page; a fragment's refresh takes the whole page there."""
    if not request.htmx:
        return redirect_to_login(request.get_full_path())
    back = request.htmx.current_url_abs_path or "/"
    response = HttpResponse(status=401)
    response["HX-Redirect"] = redirect_to_login(back).url
    return response


def _refuse(request: ConsoleRequest, action: str) -> HttpResponse:
    context = {"action": action, "role": request.principal.role, "principal": request.principal}
    return render(request, "403.html", context, status=403)
