"""What the Python client does, for test/client/python.test.ts: one JSON question on stdin, one JSON answer on stdout."""

import asyncio
import json
import random
import sys
import time
from contextlib import asynccontextmanager

import httpx
import psycopg
from context_token import Principal, context_key, context_token
from tenants import CONNECTION, NotMember, Tenants

OWN = "SELECT tenant_id::text, name FROM agents WHERE sharing_mode <> 'global'"
SLOW = f"{OWN} AND (SELECT pg_sleep(0.003)) IS NOT NULL"


class OfTheApplication(Exception):
    pass


class Pool:
    """What is used of psycopg_pool, with a fixed number of connections."""

    def __init__(self, url, size):
        self._url, self._free = url, asyncio.LifoQueue()
        for _ in range(size):
            self._free.put_nowait(None)

    @asynccontextmanager
    async def connection(self):
        connection = await self._free.get()
        try:
            if connection is None or connection.closed:
                connection = await psycopg.AsyncConnection.connect(self._url, **CONNECTION)
            yield connection
        finally:
            self._free.put_nowait(connection)


def tokens(question):
    """Tokens at a given time."""
    time.time = lambda: question["now"]
    return [token(each) for each in question["tokens"]]


def token(each):
    try:
        principal = Principal(each["user"], each["tenant"])
        return context_token(context_key(each["key"]), principal, each["seconds"])
    except ValueError as error:
        return str(error)


async def app(question):
    """Answers of the example application, sent all at once."""
    import app as example

    application = example.main()
    transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
    async with application.router.lifespan_context(application):
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:

            async def ask(method, path, user, body):
                answer = await client.request(method, path, headers={"x-verified": user}, json=body)
                return [answer.status_code, answer.json() if answer.status_code < 400 else None]

            return await asyncio.gather(*(ask(*request) for request in question["requests"]))


async def interleave(question):
    """Requests of many tenants by some clients over one pool, in the ways in which applications ask."""
    chance = random.Random(question["seed"])
    pool = Pool(question["url"], question["clients"])
    tenants = Tenants(pool, context_key(question["key"]))
    tally = {"right": 0, "wrong": [], "leftovers": 0, "disturbed": 0, "cancelled": 0}
    left = iter(range(question["requests"]))

    async def one():
        tenant, kind = chance.randrange(len(question["tenants"])), chance.randrange(12)
        try:
            if chance.randrange(10) == 0:
                # somebody who forgot the transaction, on a connection that others used
                async with pool.connection() as connection:
                    tally["leftovers"] += len(await (await connection.execute(OWN)).fetchall())
                return
            wait = 0.002 if chance.randrange(20) == 0 else 30
            known = Principal(*question["tenants"][tenant])
            wrong = await asyncio.wait_for(request(tenants, known, tenant + 1, kind), wait)
            if wrong is None:
                tally["right"] += 1
            else:
                tally["wrong"].append(wrong)
        except asyncio.TimeoutError:
            tally["cancelled"] += 1
        except psycopg.OperationalError:
            # cancelled or terminated
            tally["disturbed"] += 1
        except psycopg.DatabaseError as error:
            # not from the server: the connection went away
            if error.sqlstate is None:
                tally["disturbed"] += 1
            else:
                tally["wrong"].append(f"{error!r} (kind {kind})")
        except Exception as error:
            tally["wrong"].append(f"{error!r} (kind {kind})")

    async def client():
        for _ in left:
            await one()

    await asyncio.gather(*(client() for _ in range(question["clients"])))
    return tally


async def request(tenants, principal, count, kind):
    """One request of a tenant that has `count` rows; says what was wrong with it."""

    def judge(rows):
        right = len(rows) == count and all(row["tenant_id"] == principal.tenant_id for row in rows)
        return None if right else f"tenant {count} got {rows}"

    async def fails(error, work):
        try:
            await work
        except error:
            return None
        return "an error did not come out"

    async def work(*statements, error=None):
        async with tenants.transaction(principal) as tenant:
            wrong = [judge(await tenant.query(statement)) for statement in statements]
            if error is not None:
                raise error
            return next((one for one in wrong if one is not None), None)

    async def ignored():
        async with tenants.transaction(principal) as tenant:
            try:
                await tenant.query("SELECT 1 / 0")
            except psycopg.errors.DivisionByZero:
                pass

    if kind == 0:
        return await fails(psycopg.errors.DivisionByZero, tenants.query(principal, "SELECT 1 / 0"))
    if kind == 1:
        return await fails(OfTheApplication, work(OWN, error=OfTheApplication()))
    if kind == 2:
        return await fails(RuntimeError, ignored())
    if kind == 3:
        return judge(await tenants.query(principal, SLOW))
    if kind == 4:
        return await work(OWN, SLOW)
    if kind == 5:
        stranger = Principal(principal.user_id, "00000000-0000-0000-0000-000000000001")
        return await fails(NotMember, tenants.query(stranger, OWN))
    if kind < 8:
        return await work(OWN)
    return judge(await tenants.query(principal, OWN))


async def ended(question):
    """What becomes of a transaction that somebody keeps for later."""
    tenants = Tenants(Pool(question["url"], 1), context_key(question["key"]))
    async with tenants.transaction(Principal(*question["principal"])) as kept:
        inside = len(await kept.query(OWN))
    try:
        await kept.query(OWN)
    except RuntimeError as error:
        return [inside, str(error)]


question = json.loads(sys.stdin.read())
works = {"tokens": tokens, "app": app, "interleave": interleave, "ended": ended}
answer = works[question["ask"]](question)
print(json.dumps(asyncio.run(answer) if asyncio.iscoroutine(answer) else answer))
