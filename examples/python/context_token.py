"""The token with which a transaction says for whom it works. Only the standard library."""

import base64
import hashlib
import hmac
import re
import time
from dataclasses import dataclass, field

KEY = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]{43})")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class ContextKey:
    """A key of `twinrule keys add`. `kid` tells the database which of its keys it is."""

    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Principal:
    """For whom a transaction works: the uuid of a user, and of the tenant in which the user acts."""

    user_id: str
    tenant_id: str


def context_key(text: str) -> ContextKey:
    """Reads the value of TWINRULE_CONTEXT_KEY. The error never holds any of the text."""
    match = KEY.fullmatch(text)
    if match is None:
        raise ValueError("the context key is malformed: it is <kid>:<43 characters of base64url>")
    kid, encoded = match.groups()
    return ContextKey(kid, base64.urlsafe_b64decode(encoded + "="))


def context_token(key: ContextKey, principal: Principal, seconds: int = 60) -> str:
    """A token for `twinrule.set_tenant_context`, valid for `seconds`; the database takes at most 120."""
    user, tenant = str(principal.user_id).lower(), str(principal.tenant_id).lower()
    # safety: ids are parts of the text that is signed, so nothing else may stand in them
    if not (UUID.fullmatch(user) and UUID.fullmatch(tenant)):
        raise ValueError("a context needs the uuid of a user and the uuid of a tenant")
    signed = f"v1.{key.kid}.{tenant}.{user}.{int(time.time()) + seconds}"
    return f"{signed}.{hmac.new(key.secret, signed.encode(), hashlib.sha256).hexdigest()}"
