"""Stands in for what the application of the example has of its own."""

import json
import os

from context_token import Principal

USERS = json.loads(os.environ.get("TEST_USERS", "{}"))


def authenticate(request):
    user = USERS.get(request.headers["x-verified"])
    return Principal(*user) if user else None
