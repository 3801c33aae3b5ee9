"""Gives every request an id, and says it in the answer."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.runtime.request_id import REQUEST_ID, REQUEST_ID_HEADER, request_id_of


class RequestIds:
    """ASGI middleware: `Request-Id`, as the client sent it or made anew, in whatever is answered.

    A request has a task, and so a context, of its own: the id is set for as long as that lasts, so
    that the server's own line about a failure has it, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])
        REQUEST_ID.set(request_id)
        header = (REQUEST_ID_HEADER, request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self.app(scope, receive, send_with_id)
