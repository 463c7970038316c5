"""`manage.py create_api_token NAME [--role ROLE]` prints a new API token and nothing else."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cpo import api_tokens, audit
from cpo.access import Principal
from cpo.models import AuditEvent, Role
from stations.models import Operator


class Command(BaseCommand):
    help = "Create a token for the operator REST API and print it; it is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="whose token it is, shown in the audit record")
        parser.add_argument("--role", choices=Role.values, default=Role.ADMIN)
        parser.add_argument(
            "--operator", action="append", default=[], metavar="NL*ABC", help="limit it to this operator"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        operators = [_operator(text) for text in options["operator"]]
        if not options["name"].strip() or len(options["name"]) > 100:
            raise CommandError("The name has 1 to 100 characters.")
        token, text = api_tokens.issue(options["name"], role=options["role"], operators=operators)
        audit.record(
            Principal(name="shell", role=Role.ADMIN),
            "user.admin",
            object_type="api_token",
            object_id=token.prefix,
            facts={"name": token.name, "role": token.role},
            channel=AuditEvent.Channel.SHELL,
            outcome=201,
        )
        self.stdout.write(text)


def _operator(text: str) -> Operator:
    country_code, _, party_id = text.upper().partition("*")
    operator = Operator.objects.filter(country_code=country_code, party_id=party_id).first()
    if operator is None:
        raise CommandError(f"There is no operator {text}.")
    return operator
