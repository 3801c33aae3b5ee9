// Tells takeaway customers that their order is ready. Run: `node pickup.mjs`, settings below.
import { pathToFileURL } from 'node:url';
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';
import { Events, Unreadable } from './events.mjs';
import { isTooLate, Notices } from './notices.mjs';

const {
  NATS_URL, // nats://team:password@host:port
  TEAM = 'pickup', // name of the durable consumers; two processes of one name share the work
  RECORD = 'pickup.jsonl',
  SCHEMAS, // folder of Comanda's JSON Schemas; by default that of this repository
} = process.env;
const API = '$JS.comanda.API'; // what a team's account knows Comanda's JetStream by

const events = new Events(
  SCHEMAS ? pathToFileURL(`${SCHEMAS}/`) : new URL('../../../contracts/schemas/', import.meta.url),
);
const notices = new Notices(RECORD);
const server = new URL(NATS_URL);
const client = await connect({
  servers: server.host,
  user: decodeURIComponent(server.username) || undefined,
  pass: decodeURIComponent(server.password) || undefined,
  maxReconnectAttempts: -1, // for as long as it takes
  waitOnFirstConnect: true,
  reconnectTimeWait: 1000,
});

/** Tell every customer who waits; one may hear it twice, if we end right after telling. */
function tell(ids) {
  for (const { order, readyAt } of notices.unsettled(ids)) {
    if (isTooLate(readyAt)) {
      notices.settle(order, 'too late');
      continue;
    }
    const where = order.phone ?? 'at the counter';
    console.log(`${where}: ${order.customer}, ${order.number} is ready`);
    notices.settle(order, 'told');
  }
}

/** Keep what the message says, tell whom it concerns, and only then acknowledge it. */
async function hear(message) {
  try {
    const { body } = await events.read(message);
    tell([notices.apply(body)]);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error; // not acknowledged: it comes again
    console.error(`${message.subject} can't be read: ${error.message}`);
    message.term(error.message);
    return;
  }
  message.ack();
}

/** Read a stream by a durable consumer of our own, from its beginning, for ever. */
async function follow(stream, subject) {
  const manager = await jetstreamManager(client, { apiPrefix: API, checkAPI: false });
  await manager.consumers.add(stream, {
    name: TEAM,
    durable_name: TEAM,
    filter_subject: subject,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(10_000), // many times what one message takes
    max_ack_pending: 1000,
  });
  const consumer = await jetstream(client, { apiPrefix: API }).consumers.get(stream, TEAM);
  const messages = await consumer.consume({ max_messages: 100, abort_on_missing_resource: true });
  for await (const message of messages) await hear(message);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => client.close().then(() => process.exit(0)));
}
tell(); // what was left
await Promise.all([follow('ORDERS', 'orders.v1.>'), follow('TICKETS', 'tickets.v1.>')]);
process.exit(1); // only if a consumer was deleted: whoever runs us starts us again
