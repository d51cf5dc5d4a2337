"""A Starlette application whose requests see what their user may see.

APP_DATABASE_URL=postgres://twinrule_app:PASSWORD@HOST/DATABASE TWINRULE_CONTEXT_KEY=... uvicorn --factory app:main
"""

import os
from contextlib import asynccontextmanager

from authenticate import authenticate  # yours: the Principal of a request that you have verified, or None
from context_token import context_key
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from tenants import CONNECTION, TenantMiddleware, Tenants


async def agents(request):
    return JSONResponse(await request.state.tenant.query("SELECT id::text, name FROM agents ORDER BY name"))


async def rename(request):
    values = [(await request.json())["name"], request.path_params["id"]]
    async with request.state.tenant.transaction() as tenant:
        changed = await tenant.execute("UPDATE agents SET name = %s WHERE id = %s", values)
    return JSONResponse({"changed": changed}, status_code=200 if changed else 404)


def main():
    pool = AsyncConnectionPool(os.environ["APP_DATABASE_URL"], kwargs=CONNECTION, open=False)
    tenants = Tenants(pool, context_key(os.environ["TWINRULE_CONTEXT_KEY"]))

    @asynccontextmanager
    async def opened(_app):
        async with pool:
            yield

    return Starlette(
        routes=[Route("/agents", agents), Route("/agents/{id:uuid}", rename, methods=["PATCH"])],
        middleware=[Middleware(TenantMiddleware, tenants=tenants, principal_of=authenticate)],
        lifespan=opened,
    )
