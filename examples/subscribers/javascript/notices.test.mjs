import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { isTooLate, Notices } from './notices.mjs';

const READY_AT = '2026-05-04T18:41:00.250Z';
const placed = { order: { order_id: 'o', version: 1, channel: 'takeaway', status: 'open', rounds: [{ round: 1 }] } };
const queued = { ticket: { order_id: 'o', round: 1, version: 1, status: 'queued' } };
const ready = { ticket: { ...queued.ticket, version: 3, status: 'ready', ready_at: READY_AT } };

const folder = mkdtempSync(join(tmpdir(), 'pickup-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const file = () => join(folder, `notices-${files++}.jsonl`);
const heard = (path, ...events) => {
  const notices = new Notices(path);
  events.forEach((event) => notices.apply(event));
  return notices;
};

test('a customer is to be told whatever the order of the events', () => {
  for (const events of [[placed, queued, ready], [ready, queued, placed], [ready, placed, queued]]) {
    const [notice] = heard(file(), ...events, ...events).unsettled();
    assert.deepEqual(notice, { order: placed.order, readyAt: new Date(READY_AT) });
  }
});

test('who was told is not told again by the next process', () => {
  const path = file();
  heard(path, placed, ready).settle(placed.order, 'told');
  assert.deepEqual(heard(path, ready).unsettled(), []);
});

test('a round in the kitchen, a cancelled order and a table are not waited for', () => {
  const second = { ...placed.order, version: 2, rounds: [{ round: 1 }, { round: 2 }] };
  const cancelled = { ...placed.order, version: 2, status: 'cancelled' };
  const table = { ...placed.order, version: 2, channel: 'dine_in' };
  for (const order of [second, cancelled, table]) {
    assert.deepEqual(heard(file(), placed, ready, { order }).unsettled(), []);
  }
});

test('what was half written when we were killed is forgotten', () => {
  const path = file();
  heard(path, placed).close();
  appendFileSync(path, '{"ticket":{"order_id":"o","rou');
  const [notice] = heard(path, ready).unsettled();
  assert.equal(notice.order.order_id, 'o');
  assert.equal(readFileSync(path, 'utf8').split('\n').length, 3);
});

test("nobody is told of yesterday's orders", () => {
  const at = Date.parse(READY_AT);
  assert.equal(isTooLate(new Date(at), at + 5 * 60_000), false);
  assert.equal(isTooLate(new Date(at), at + 24 * 60 * 60_000), true);
});
