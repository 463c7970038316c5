"""What the caller may do here: each endpoint names one action of `cpo.access.ACTIONS` per HTTP method."""

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from cpo import access


class RolePermission(BasePermission):
    """Lets a method through when the principal's role and scope allow the action that the endpoint names for it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return True, or raise 401 (nobody) or 403 (with the reason)."""
        if not isinstance(request.auth, access.Principal):
            raise NotAuthenticated("Send an API token: Authorization: Bearer <token>.")
        actions: dict[str, str] = getattr(view, "actions", {})
        fallback = actions.get("GET") if request.method in SAFE_METHODS else None
        action = actions.get(request.method or "", fallback)
        if action is None and request.method in SAFE_METHODS:
            action = "view"
        if action is None:
            return (request.method or "").lower() not in view.http_method_names or not hasattr(
                view, (request.method or "").lower()
            )  # let DRF answer 405
        require(request.auth, action)
        return True


def require(principal: access.Principal, action: str) -> None:
    """Raise 403 with the reason unless the principal may do it."""
    if access.may(principal, action):
        return
    if principal.role in access.ACTIONS[action]:
        raise PermissionDenied(f"{action} needs a token that is not limited to operators or locations.")
    raise PermissionDenied(f"The role {principal.role} may not do this: {action}.")
