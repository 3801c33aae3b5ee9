"""An endpoint that does nothing: what the HTTP server and its framework cost."""

from fastapi import FastAPI, Response

app = FastAPI()


@app.get("/")
async def nothing() -> Response:
    return Response(b"{}", media_type="application/json")
