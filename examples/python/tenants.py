"""Transactions of tenants on a pool of psycopg 3, and a Starlette middleware that gives one to each request."""

import inspect
from contextlib import asynccontextmanager, suppress

from context_token import Principal, context_token
from psycopg import Error, errors, pq
from psycopg.rows import dict_row
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

# safety: who is no member must end the pipeline here, or what is behind it would run as nobody
CONTEXT = "SELECT 1 / twinrule.set_tenant_context(%s)::integer"


class NotMember(HTTPException):
    """The user is no active member of an active tenant; Starlette answers 403."""

    def __init__(self):
        super().__init__(403, "the user is no active member of the tenant")


class Nobody(HTTPException):
    """A request without a user wants something from the database; Starlette answers 401."""

    def __init__(self):
        super().__init__(401, "nobody is logged in")


class Tenants:
    """Opens transactions of tenants on a pool of connections of the login twinrule_app.

    The pool is `psycopg_pool.AsyncConnectionPool(..., kwargs=CONNECTION)`, or whatever else has `connection()`.
    """

    def __init__(self, pool, key):
        self._pool = pool
        self._key = key

    async def query(self, principal: Principal, statement: str, values=None):
        """One statement in a transaction of its own, in one round trip. Gives the rows, as dicts."""
        async with self._connection() as connection:
            cursor = await self._send(connection, principal, (statement, values), ("COMMIT", None))
            return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def transaction(self, principal: Principal):
        """A transaction of a user in a tenant: COMMIT when the block ends, ROLLBACK when it raises."""
        async with self._connection() as connection:
            await self._send(connection, principal)
            work = Transaction(connection)
            try:
                yield work
            finally:
                work.end()
            # PostgreSQL would answer COMMIT with ROLLBACK, and no error
            if connection.info.transaction_status == pq.TransactionStatus.INERROR:
                raise RuntimeError("nothing was committed: a statement of the transaction had failed")
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def _connection(self):
        """A connection that goes back to its pool without a transaction, or not at all."""
        async with self._pool.connection() as connection:
            idle = False
            try:
                yield connection
                idle = _is_idle(connection)
            except Exception:
                if not connection.closed and not _is_busy(connection):
                    with suppress(Error):
                        await connection.execute("ROLLBACK")
                    idle = _is_idle(connection)
                raise
            finally:
                # safety: after a cancelled task or a broken connection nobody knows what it is in the middle of
                if not idle:
                    await connection.close()

    async def _send(self, connection, principal, *statements):
        """BEGIN, the context and statements in one write. Gives the cursor of the first statement, if any."""
        token = context_token(self._key, principal)
        context, cursors = connection.cursor(), []
        try:
            async with connection.pipeline():
                await connection.execute("BEGIN")
                await context.execute(CONTEXT, [token])
                for statement, values in statements:
                    cursor = connection.cursor(row_factory=dict_row)
                    cursors.append(cursor)
                    await cursor.execute(statement, values)
        except errors.DivisionByZero:
            # a statement behind the context may divide by zero as well
            if context.pgresult is None:
                raise NotMember() from None
            raise
        return cursors[0] if cursors else None


# pool.connection() must not begin transactions; PgBouncer before 1.21 does not know prepared statements
CONNECTION = {"autocommit": True, "prepare_threshold": None}


class Transaction:
    """What a transaction of a tenant can be asked, as long as it lasts."""

    def __init__(self, connection):
        self._connection = connection

    async def query(self, statement: str, values=None):
        """The rows of a statement, as dicts."""
        cursor = await self._execute(statement, values)
        return await cursor.fetchall() if cursor.description else []

    async def execute(self, statement: str, values=None) -> int:
        """How many rows a statement touched."""
        return (await self._execute(statement, values)).rowcount

    async def _execute(self, statement, values):
        # safety: the connection may be in the middle of another tenant's transaction by now
        if self._connection is None:
            raise RuntimeError("the transaction of the tenant has ended")
        return await self._connection.cursor(row_factory=dict_row).execute(statement, values)

    def end(self):
        """Refuses what is asked from now on."""
        self._connection = None


class RequestTenant:
    """The database as the user of one request may see it. Nothing is asked before it is used."""

    def __init__(self, tenants, request, principal_of):
        self._tenants, self._request, self._principal_of = tenants, request, principal_of
        self._principal = None

    async def query(self, statement: str, values=None):
        """One statement, in a transaction of its own and in one round trip."""
        return await self._tenants.query(await self._known(), statement, values)

    @asynccontextmanager
    async def transaction(self):
        """Several statements in one transaction."""
        async with self._tenants.transaction(await self._known()) as work:
            yield work

    async def _known(self) -> Principal:
        if self._principal is None:
            known = self._principal_of(self._request)
            self._principal = await known if inspect.isawaitable(known) else known
        # safety: without a user there is no context, and no statement is sent in somebody else's
        if self._principal is None:
            raise Nobody()
        return self._principal


class TenantMiddleware:
    """Gives every request `request.state.tenant`.

    `principal_of(request)` says who is asking, from what you have verified: a Principal or None, at once or awaited.
    """

    def __init__(self, app, tenants, principal_of):
        self._app, self._tenants, self._principal_of = app, tenants, principal_of

    async def __call__(self, scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            request = HTTPConnection(scope)
            request.state.tenant = RequestTenant(self._tenants, request, self._principal_of)
        await self._app(scope, receive, send)


def _is_idle(connection):
    return connection.info.transaction_status == pq.TransactionStatus.IDLE


def _is_busy(connection):
    busy = (pq.TransactionStatus.ACTIVE, pq.TransactionStatus.UNKNOWN)
    return connection.info.transaction_status in busy
