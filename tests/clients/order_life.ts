// An order's life, through the types that openapi-typescript made, and nothing else of ours.
// It is told the services' URLs, and prints what it saw as JSON.
import { setTimeout as sleep } from 'node:timers/promises';
import createClient from 'openapi-fetch';
import type { paths as OrderingPaths } from './ordering.js';
import type { paths as QueryPaths } from './query.js';
import type { paths as ServingPaths } from './serving.js';

const PATIENCE_MS = 60_000;
const { ORDERING = '', SERVING = '', QUERY = '', RESTAURANT = '', TOKEN = '' } = process.env;

const restaurant = RESTAURANT;
const headers = { Authorization: `Bearer ${TOKEN}` };
const ordering = createClient<OrderingPaths>({ baseUrl: ORDERING, headers });
const serving = createClient<ServingPaths>({ baseUrl: SERVING, headers });
const query = createClient<QueryPaths>({ baseUrl: QUERY, headers });

/** The answer, which has to be there. */
function expected<Answer>({ data, error }: { data?: Answer; error?: { code: string } }): Answer {
  if (data === undefined) throw new Error(error?.code ?? 'an answer without a body');
  return data;
}

async function until(ask: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error('it did not come in time');
    await sleep(50);
  }
}

const here = { params: { path: { restaurant } } };
const venue = { name: 'La Piazza', currency: 'EUR', time_zone: 'Europe/Rome', day_begins: '00:00' };
expected(await ordering.PUT('/v1/restaurants/{restaurant}', { ...here, body: venue }));
expected(
  await ordering.PUT('/v1/restaurants/{restaurant}/menu/{sku}', {
    params: { path: { restaurant, sku: 'margherita' } },
    body: { name: 'Margherita', category: 'Pizza', price: 850, available: true },
  }),
);

const { error: refused } = await ordering.POST('/v1/restaurants/{restaurant}/orders', {
  ...here,
  body: { channel: 'takeaway', customer: 'Ada', lines: [{ sku: 'unicorn', quantity: 1 }] },
});

const placed = expected(
  await ordering.POST('/v1/restaurants/{restaurant}/orders', {
    ...here,
    body: { channel: 'dine_in', table: '12', guests: 2, lines: [{ sku: 'margherita', quantity: 2 }] },
  }),
);
const order = { params: { path: { restaurant, order_id: placed.order_id } } };
const round = { params: { path: { ...order.params.path, round: 1 } } };
const ROUND = '/v1/restaurants/{restaurant}/orders/{order_id}/rounds/{round}';
await until(async () => (await serving.GET(ROUND, round)).response.ok);
const kitchen = [
  expected(await serving.POST(`${ROUND}/start`, round)).status,
  expected(await serving.POST(`${ROUND}/ready`, round)).status,
  expected(await serving.POST(`${ROUND}/serve`, round)).status,
];
const ORDER = '/v1/restaurants/{restaurant}/orders/{order_id}';
// Refused until ordering has heard from the kitchen.
await until(async () => (await ordering.POST(`${ORDER}/close`, order)).response.ok);

const second = expected(
  await ordering.POST('/v1/restaurants/{restaurant}/orders', {
    ...here,
    body: { channel: 'takeaway', customer: 'Ada', lines: [{ sku: 'margherita', quantity: 1 }] },
  }),
);
expected(
  await ordering.POST(`${ORDER}/cancel`, {
    params: { path: { restaurant, order_id: second.order_id } },
    body: { reason: 'the guest left' },
  }),
);

/** The status of each order, by its number. */
async function listed(): Promise<Record<string, string>> {
  const { orders } = expected(await query.GET('/v1/restaurants/{restaurant}/orders', here));
  return Object.fromEntries(orders.map(({ number, status }) => [number, status]));
}

await until(async () => {
  const statuses = await listed();
  return statuses[placed.number] === 'closed' && statuses[second.number] === 'cancelled';
});

/** The sales of the evening by day, told from other reports by what they are grouped by. */
async function sales() {
  const answer = await query.GET('/v1/restaurants/{restaurant}/sales', {
    params: {
      path: { restaurant },
      query: { from: placed.business_day, to: second.business_day, by: 'day' },
    },
  });
  const report = expected(answer);
  // openapi-fetch takes away a field that is always null, as `by` is in a report of totals alone.
  if (!('by' in report) || report.by !== 'day') throw new Error('not the report that was asked for');
  return report;
}

await until(async () => (await sales()).totals.orders === 1);
console.log(
  JSON.stringify({
    refused: [refused?.status, refused?.code],
    kitchen,
    listed: await listed(),
    sold: (await sales()).groups.reduce((sum, { revenue }) => sum + revenue, 0),
  }),
);
