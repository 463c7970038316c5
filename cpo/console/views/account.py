"""Login and logout, both recorded; guessing passwords is slowed down by what the record says."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import views as auth_views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from cpo import audit
from cpo.access import Principal
from cpo.lib import clock
from cpo.models import AuditEvent

FAILURES = 10  # wrong passwords from one address within the window, then no more are tried
WINDOW = timedelta(minutes=5)
OBJECT = "login"


class Login(auth_views.LoginView):
    """Let a person in."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Check the password, unless too many were wrong from this address."""
        if _failures(audit.address(request)) < FAILURES:
            return super().post(request, *args, **kwargs)
        form = AuthenticationForm(request)
        words = _("Too many wrong passwords from your address. Wait five minutes, then try again.")
        response = self.render_to_response(self.get_context_data(form=form, locked=words))
        response.status_code = 429
        response["Retry-After"] = str(int(WINDOW.total_seconds()))
        return response

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Record who came in."""
        _record(self.request, "login", Principal.of_user(form.get_user()), outcome=200)
        return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Record who did not."""
        name = str(form.data.get("username", ""))[:150]
        _record(self.request, "login", Principal(name=f"user:{name}", role=None), outcome=401)
        return super().form_invalid(form)


class Logout(auth_views.LogoutView):
    """Let a person out: POST only."""

    next_page = "login"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Record it, then forget the session."""
        if request.user.is_authenticated:
            _record(request, "logout", Principal.of_user(request.user), outcome=200)
        return super().post(request, *args, **kwargs)


def _record(request: HttpRequest, action: str, actor: Principal, *, outcome: int) -> None:
    address = audit.address(request)
    audit.record(actor, action, object_type=OBJECT, object_id=address, request=request, outcome=outcome)


def _failures(address: str) -> int:
    since = clock.now() - WINDOW
    rows = AuditEvent.objects.filter(object_type=OBJECT, object_id=address, at__gte=since, outcome=401)
    return len(rows.order_by("-id").values_list("pk", flat=True)[:FAILURES])
