"""What lies under /api/v1/ and is no path: 404 in the API's own shape."""

from rest_framework.exceptions import NotFound as NoSuchPath
from rest_framework.request import Request

from cpo.api.endpoint import Endpoint


class NotFound(Endpoint):
    """No path."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Answer any method alike."""
        super().initial(request, *args, **kwargs)
        raise NoSuchPath("There is no such path.")
