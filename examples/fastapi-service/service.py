"""A FastAPI service: users see and place their own orders, with the scope `orders`.

pip install '../../clients/python[fastapi]' uvicorn
ISSUER=http://127.0.0.1:8000 AUDIENCE=https://orders.example uvicorn service:app --port 8001
"""

import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from fastapi import Depends, FastAPI

from jeton_client import AccessToken, AsyncVerifier, ClientError
from jeton_client.fastapi import Bearer

log: Final = logging.getLogger("uvicorn.error")


def report(why: ClientError) -> None:
    """Log the reason, which the caller is not told."""
    log.info("refused: %s: %s", type(why).__name__, why)


ISSUER: Final = os.environ.get("ISSUER", "http://127.0.0.1:8000")
AUDIENCE: Final = os.environ.get("AUDIENCE", "https://orders.example")
verifier: Final = AsyncVerifier(ISSUER, AUDIENCE)
bearer: Final = Bearer(verifier, realm="orders", report=report)
placed: Final = defaultdict[str, list[str]](list)

MayOrder = Annotated[AccessToken, Depends(bearer.requiring("orders"))]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await verifier.close()


app: Final = FastAPI(lifespan=lifespan)


@app.get("/orders")
async def orders(token: MayOrder) -> list[str]:
    return placed[token.subject]


@app.post("/orders", status_code=201)
async def place(item: str, token: MayOrder) -> list[str]:
    placed[token.subject].append(item)
    return placed[token.subject]
