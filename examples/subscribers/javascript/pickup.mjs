// Tells takeaway customers that their order is ready. Run: `node pickup.mjs`, settings below.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { jetstream } from '@nats-io/jetstream';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { Events, UnknownType, Unreadable } from './events.mjs';
import { isTooLate, Notices } from './notices.mjs';

const {
  NATS_URL, // nats://host:port, or nats://team:password@host:port with both percent-encoded
  NATS_NKEY, // file with the seed of our key
  NATS_CA, // file with the certificate of a CA: TLS alone, with a server that it has signed for
  TEAM = 'pickup', // name of the durable consumers, which the operator makes; two processes share them
  RECORD = 'pickup.jsonl',
  SCHEMAS, // folder of Comanda's JSON Schemas; by default that of this repository
} = process.env;
const API = '$JS.comanda.API'; // what a team's account knows Comanda's JetStream by

const events = new Events(
  SCHEMAS ? pathToFileURL(`${SCHEMAS}/`) : new URL('../../../contracts/schemas/', import.meta.url),
);
const notices = new Notices(RECORD);
let caughtUp = false; // until everything that was there when we began is known, what we know is old
const server = new URL(NATS_URL);
const client = await connect({
  servers: server.host,
  ...(NATS_NKEY
    ? { authenticator: nkeyAuthenticator(readFileSync(NATS_NKEY)) }
    : {
        user: decodeURIComponent(server.username) || undefined,
        pass: decodeURIComponent(server.password) || undefined,
      }),
  ...(NATS_CA ? { tls: { caFile: NATS_CA, handshakeFirst: true } } : {}),
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
    const id = notices.apply(body);
    if (caughtUp) tell([id]);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error; // not acknowledged: it comes again
    if (!(error instanceof UnknownType)) {
      console.error(`${message.subject} can't be read: ${error.message}`);
      notices.putAside(message.info.stream, message.seq, error.message);
      message.term(error.message);
      return;
    }
  }
  message.ack();
}

const consume = (consumer) =>
  consumer.consume({ max_messages: 100, abort_on_missing_resource: true });

/** Read a stream, for ever, or an archive, until it is stopped. */
async function follow(messages) {
  for await (const message of messages) await hear(message);
}

/**
 * Tell whom we may once no message waits, or was given to us and is not acknowledged. From then on
 * an archive has nothing that its stream has not.
 */
async function catchUp(consumers, archives) {
  while (!caughtUp) {
    await setTimeout(1000);
    const ours = await Promise.all(consumers.map((each) => each.info().catch(() => undefined)));
    caughtUp = ours.every((info) => info?.num_pending + info?.num_ack_pending === 0);
  }
  tell();
  archives.forEach((messages) => messages.stop());
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => client.close().then(() => process.exit(0)));
}
const { consumers: ours } = jetstream(client, { apiPrefix: API });
const bound = (streams) => Promise.all(streams.map((stream) => ours.get(stream, TEAM)));
const past = await bound(['ORDERS_ARCHIVE', 'TICKETS_ARCHIVE']); // what has left the streams
const consumers = await bound(['ORDERS', 'TICKETS']);
const archives = await Promise.all(past.map(consume));
const streams = await Promise.all(consumers.map(consume));
const everything = [...past, ...consumers];
await Promise.all([...[...archives, ...streams].map(follow), catchUp(everything, archives)]);
process.exit(1); // only if a consumer was deleted: whoever runs us starts us again
