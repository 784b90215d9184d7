"""The bare FastAPI application. Imports nothing of ours: what it costs is what anybody pays.

`python -m bench.bare PORT plain|as-it-comes` serves it, with the settings `tenantry run` gives uvicorn.
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

PUBLIC = "/v1/ping"


class Pong(BaseModel):
    """An answer worth the name, and no more."""

    status: str
    number: int


def bare(*, as_it_comes: bool = False) -> FastAPI:
    """FastAPI with one route and nothing looked up on the way; unless `as_it_comes` also without its telemetry."""
    app = FastAPI() if as_it_comes else FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.get(PUBLIC)
    async def ping() -> Pong:
        return Pong(status="ok", number=1)

    return app


def main(port: int, which: str) -> None:
    """Serve a bare one until the process is told to stop."""
    options = {"log_config": None, "access_log": False, "proxy_headers": False, "server_header": False, "ws": "none"}
    uvicorn.run(bare(as_it_comes=which == "as-it-comes"), port=port, **options)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
