// What this subscriber knows of orders and tickets, and whom it has told: a file of JSON lines.
//
// Events may come twice, late or out of order: of each order and each ticket only the newest
// version counts, so that does not matter.
import { closeSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';

/** Whoever's order was ready longer ago, as on the first run over an old stream, is not told. */
const WORTH_TELLING = 60 * 60 * 1000;

export class Notices {
  #orders = new Map(); // by order id
  #tickets = new Map(); // by order id, then by round
  #outcomes = new Map(); // 'told' or 'too late' by order id
  #file;

  constructor(path) {
    this.#file = openSync(path, 'a+');
    const lines = readFileSync(path, 'utf8').split('\n');
    const torn = lines.pop(); // empty, unless we were killed while writing
    if (torn) truncateSync(path, Buffer.byteLength(lines.map((line) => `${line}\n`).join('')));
    lines.forEach((line) => this.#remember(JSON.parse(line)));
  }

  /** Keep the state after an event, if it is newer. Returns the order's id. */
  apply({ order, ticket }) {
    if (order && this.#isNews(order, this.#orders.get(order.order_id))) this.#write({ order });
    if (ticket && this.#isNews(ticket, this.#ticketsOf(ticket.order_id).get(ticket.round))) {
      this.#write({ ticket });
    }
    return (order ?? ticket)?.order_id;
  }

  /** The orders that are ready and whose customers we have not told. */
  unsettled(ids = this.#orders.keys()) {
    return [...ids]
      .filter((id) => !this.#outcomes.has(id) && this.#orders.has(id))
      .map((id) => ({
        order: this.#orders.get(id),
        readyAt: readyAt(this.#orders.get(id), this.#ticketsOf(id)),
      }))
      .filter(({ readyAt }) => readyAt);
  }

  settle(order, outcome) {
    this.#write({ notice: { order_id: order.order_id, outcome } });
  }

  /** Remember where a message is that can't be read. */
  putAside(stream, sequence, why) {
    this.#write({ aside: { stream, sequence, why } });
  }

  close() {
    closeSync(this.#file);
  }

  #isNews(state, known) {
    return !known || state.version > known.version;
  }

  #write(entry) {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    fsyncSync(this.#file); // before the message is acknowledged
    this.#remember(entry);
  }

  #remember({ order, ticket, notice }) {
    if (order) this.#orders.set(order.order_id, order);
    if (ticket) this.#ticketsOf(ticket.order_id).set(ticket.round, ticket);
    if (notice) this.#outcomes.set(notice.order_id, notice.outcome);
  }

  #ticketsOf(id) {
    if (!this.#tickets.has(id)) this.#tickets.set(id, new Map());
    return this.#tickets.get(id);
  }
}

/** When a takeaway order became ready as a whole; undefined if it is not, or is cancelled. */
export function readyAt(order, tickets) {
  if (order.channel !== 'takeaway' || order.status === 'cancelled') return undefined;
  const times = order.rounds
    .filter((round) => !round.voided)
    .map((round) => tickets.get(round.round))
    .map((ticket) => (['ready', 'served'].includes(ticket?.status) ? ticket.ready_at : undefined));
  if (times.length === 0 || !times.every(Boolean)) return undefined;
  return new Date(Math.max(...times.map(Date.parse)));
}

export function isTooLate(readyAt, now = Date.now()) {
  return now - readyAt > WORTH_TELLING;
}
