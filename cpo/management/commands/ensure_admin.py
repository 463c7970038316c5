"""`manage.py ensure_admin`: the first administrator, with a password made once and kept in a private file."""

import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from cpo.lib.embedded.secrets import write_once

ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without look-alikes
LENGTH = 20  # characters, about 115 bits


class Command(BaseCommand):
    help = "Create the administrator if there is none and print how to sign in; changes no existing password."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", default="admin")
        parser.add_argument(
            "--password-file", type=Path, required=True, help="read it, or make it, mode 0600"
        )
        parser.add_argument(
            "--reset", action="store_true", help="give an existing account the password of the file"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["password_file"]
        user, is_new = get_user_model().objects.get_or_create(
            username=options["username"], defaults={"is_staff": True, "is_superuser": True}
        )
        if (is_new or options["reset"]) and not file.exists():
            write_once(file, "".join(secrets.choice(ALPHABET) for _ in range(LENGTH)) + "\n")
        password = file.read_text().strip() if file.exists() else ""
        if is_new or options["reset"]:
            user.set_password(password)
            user.save(update_fields=["password"])
        known = bool(password) and user.check_password(password)
        how = password if known else "(a password that was set elsewhere; see `manage.py changepassword`)"
        self.stdout.write(f"{user.get_username()} / {how}")
