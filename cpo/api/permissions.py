"""What the caller may do here: each endpoint names one action of `cpo.access.ACTIONS` per HTTP method."""

from typing import Any

from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from cpo import access


class RolePermission(BasePermission):
    """Lets a method through when the principal's role and scope allow the action that the endpoint names for it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return True, or raise 401 (nobody), 403 (with the reason) or 405 (no action, so no such method)."""
        if not isinstance(request.auth, access.Principal):
            raise NotAuthenticated("Send an API token: Authorization: Bearer <token>.")
        method = request.method or ""
        action = view.actions.get(method)
        if action is None and method in SAFE_METHODS:
            action = view.actions.get("GET", "view")
        if action is None:
            raise MethodNotAllowed(method)
        require(request.auth, action)
        return True


def require(principal: access.Principal, action: str) -> None:
    """Raise 403 with the reason unless the principal may do it."""
    if access.may(principal, action):
        return
    if principal.role in access.ACTIONS[action]:
        raise PermissionDenied(f"{action} needs a token that is not limited to operators or locations.")
    raise PermissionDenied(f"The role {principal.role} may not do this: {action}.")
