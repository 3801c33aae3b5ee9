"""Messaging by FastStream on NATS JetStream: broker, subscribers, dead letters, set-up, documents.

A service declares what it consumes and publishes in a router:

    def order_router(tickets: Tickets, clock: Clock) -> Router:
        router = Router()
        router.publishes(TicketQueued, TicketVoided)

        @router.batch_subscriber(
            ORDERS, durable="serving", filter_subjects=[subjects.order("*", "*", "placed")]
        )
        async def on_orders(batch: list[Received]) -> None:
            ...  # settle each message by itself: await received.message.ack()

        return router

and joins it in its bootstrap, which connects to nothing yet:

    broker = Broker(settings.nats_servers, "serving", [order_router(...)])
    app = application(..., [Component("orders", broker.watching(ORDERS), required=False)],
                      messaging=partial(running, broker))
    app.include_router(asyncapi_routes(broker, title=..., description=..., version=...))

Whatever else speaks NATS in the process does so over `await broker.client()`. Nothing that runs
makes a stream or a durable: `python -m <service> set-up` does, by `set_up(broker, ...)`.
"""
