"""The ceiling: the least that this web framework can do with the same request.

It reads the same body and answers constant bytes: no parsing, no model, no reasons.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

ANSWER = b'{"probability":0.5}'

app = FastAPI(openapi_url=None)


@app.get("/")
async def ready() -> Response:
    return Response(b'{"ready":true}', media_type="application/json")


@app.post("/")
async def answer(request: Request) -> Response:
    await request.body()
    return Response(ANSWER, media_type="application/json")
