/** The till's state: orders by their newest view, what is being typed, and what is on its way. Pure. */

import { CONNECTING, reduceConnection } from '../app/connection.js';

/** @typedef {import('../../types/query.js').components['schemas']['OrderView']} Order */
/** @typedef {import('../../types/query.js').components['schemas']['Menu']} Menu */
/** @typedef {import('../../types/query.js').components['schemas']['MenuItem']} Item */
/** @typedef {{sku: string, name: string, price: number, quantity: number, note: string}} DraftLine */
/** @typedef {{table: string, guests: number} | {customer: string, phone: string}} Party */

/**
 * A round that is being typed: of a new order, or of the one with this id. `errors` are what a
 * service refused it for: by line, or as a whole.
 *
 * @typedef {object} Draft
 * @property {string | null} orderId
 * @property {Party} party
 * @property {DraftLine[]} lines
 * @property {Record<number, string>} lineErrors codes
 * @property {string | null} error
 */

/**
 * What a waiter wants done, once. It has one key from when it was touched until it is seen to be
 * done, over retries and reloads.
 *
 * @typedef {object} Intent
 * @property {string} key
 * @property {'place' | 'add' | 'cancel' | 'close'} kind
 * @property {string | null} orderId
 * @property {Party | null} party of a new order
 * @property {DraftLine[]} lines
 * @property {number[] | null} rounds to be cancelled; null for all
 * @property {string} reason
 * @property {number} at server's milliseconds when it was touched
 * @property {'waiting' | 'sending' | 'done'} state
 * @property {string | null} sentBy subject of the token by which it may have been done: its key is that subject's own
 * @property {number} version of the order once it is done, which the view has to reach
 * @property {string} tab of the browser in which it was typed
 * @property {Problem} [refusal] why it was refused where it could not be on the screen again
 */

/** @typedef {'plan' | 'order'} Screen */
/** @typedef {'settings' | 'waiting' | 'cancel' | 'receipt' | null} Panel */
/** @typedef {{word: string, values: Record<string, string | number>}} Notice */

/**
 * @typedef {object} Till
 * @property {import('../app/connection.js').Connection} connection
 * @property {import('../app/connection.js').Connection} menuConnection
 * @property {Item[]} menu
 * @property {Record<string, Order>} orders the active ones
 * @property {Intent[]} intents in the order in which they were touched
 * @property {Draft | null} draft
 * @property {Screen} screen
 * @property {'menu' | 'order'} side which of the two is seen where there is room for one
 * @property {string | null} category
 * @property {string} search
 * @property {number | null} noteOf line of the draft whose note is typed
 * @property {Panel} panel
 * @property {number[]} cancelRounds
 * @property {string} cancelReason
 * @property {Order | null} receipt
 * @property {Notice | null} notice
 * @property {number} tableCount tables of the plan, from 1 on
 * @property {number} now server's milliseconds
 */

/**
 * @typedef {import('../app/connection.js').ConnectionEvent
 *   | {type: 'snapshot', orders: Order[]}
 *   | {type: 'order', order: Order}
 *   | {type: 'menu', menu: Menu}
 *   | {type: 'menu-connection', status: import('../app/feed.js').FeedStatus}
 *   | {type: 'tick', now: number}
 *   | {type: 'kept', kept: Kept}
 *   | {type: 'elsewhere', key: string, intent: Intent | null}
 *   | {type: 'open-table', table: string}
 *   | {type: 'open-takeaway'}
 *   | {type: 'open-order', orderId: string}
 *   | {type: 'leave'}
 *   | {type: 'party', party: Partial<{table: string, guests: number, customer: string, phone: string}>}
 *   | {type: 'add', item: Item}
 *   | {type: 'quantity', line: number, by: number}
 *   | {type: 'note', line: number, note: string}
 *   | {type: 'note-of', line: number | null}
 *   | {type: 'category', category: string | null}
 *   | {type: 'search', search: string}
 *   | {type: 'side', side: Till['side']}
 *   | {type: 'panel', panel: Panel}
 *   | {type: 'tables', count: number}
 *   | {type: 'cancel-round', round: number}
 *   | {type: 'cancel-reason', reason: string}
 *   | {type: 'receipt', order: Order | null}
 *   | {type: 'send', key: string, tab?: string}
 *   | {type: 'want', key: string, kind: 'cancel' | 'close', orderId: string, rounds?: number[] | null, reason?: string}
 *   | {type: 'sending', key: string, by: string}
 *   | {type: 'unanswered', key: string, sentBy?: string | null}
 *   | {type: 'done', key: string, orderId: string, version: number}
 *   | {type: 'refused', key: string, problem: Problem, isOfAnotherTab?: boolean}
 *   | {type: 'drop', key: string}
 *   | {type: 'edit', key: string}
 *   | {type: 'quiet'}} TillEvent
 */

/** @typedef {{code: string, detail?: string | undefined, errors?: {field?: string | null, detail?: string}[] | undefined}} Problem */
/** @typedef {Pick<Till, 'intents' | 'draft' | 'tableCount'>} Kept what a reload must not lose */

export const GUESTS_MAX = 99;
export const QUANTITY_MAX = 99;
export const TABLES_USUAL = 12;

/** @type {Till} */
export const EMPTY = {
  connection: CONNECTING,
  menuConnection: CONNECTING,
  menu: [],
  orders: {},
  intents: [],
  draft: null,
  screen: 'plan',
  side: 'menu',
  category: null,
  search: '',
  noteOf: null,
  panel: null,
  cancelRounds: [],
  cancelReason: '',
  receipt: null,
  notice: null,
  tableCount: TABLES_USUAL,
  now: 0,
};

/** @param {Till} state @param {TillEvent} event @returns {Till} */
export function reduce(state, event) {
  switch (event.type) {
    case 'connection':
      return { ...state, connection: reduceConnection(state.connection, event.status) };
    case 'snapshot':
      return snapshot(state, event.orders);
    case 'order':
      return merged(state, event.order);
    case 'menu':
      return { ...state, menu: event.menu.items, category: categoryOf(state.category, event.menu.items) };
    case 'menu-connection':
      return { ...state, menuConnection: reduceConnection(state.menuConnection, event.status) };
    case 'tick':
      return { ...state, now: event.now };
    case 'kept':
      return restored(state, event.kept);
    case 'elsewhere':
      return settled(elsewhere(state, event.key, event.intent));
    case 'open-table':
      return openTable(state, event.table);
    case 'open-takeaway':
      return opened(state, { orderId: null, party: { customer: '', phone: '' } });
    case 'open-order': {
      const order = state.orders[event.orderId];
      return order ? opened(state, { orderId: order.order_id, party: partyOf(order) }) : state;
    }
    case 'leave':
      return { ...state, screen: 'plan', draft: null, panel: null, noteOf: null, search: '', side: 'menu' };
    case 'party':
      return withDraft(state, (draft) => ({ ...draft, party: /** @type {Party} */ ({ ...draft.party, ...event.party }), error: null }));
    case 'add':
      return withDraft(state, (draft) => withItem(draft, event.item));
    case 'quantity':
      return { ...withDraft(state, (draft) => withQuantity(draft, event.line, event.by)), noteOf: null };
    case 'note':
      return withDraft(state, (draft) => ({ ...draft, lines: changed(draft.lines, event.line, { note: event.note }) }));
    case 'note-of':
      return { ...state, noteOf: event.line };
    case 'category':
      return { ...state, category: event.category, search: '' };
    case 'search':
      return { ...state, search: event.search };
    case 'side':
      return { ...state, side: event.side };
    case 'panel':
      return { ...state, panel: event.panel, cancelRounds: [], cancelReason: '', receipt: null };
    case 'tables':
      return { ...state, tableCount: Math.min(200, Math.max(0, event.count)) };
    case 'cancel-round': {
      const had = state.cancelRounds.includes(event.round);
      const rounds = had ? state.cancelRounds.filter((each) => each !== event.round) : [...state.cancelRounds, event.round];
      return { ...state, cancelRounds: rounds };
    }
    case 'cancel-reason':
      return { ...state, cancelReason: event.reason };
    case 'receipt':
      return { ...state, receipt: event.order, panel: event.order ? 'receipt' : null };
    case 'send':
      return sent(state, event.key, event.tab ?? '');
    case 'want':
      return wanted(state, event);
    case 'sending':
      return withIntent(state, event.key, { state: 'sending', sentBy: event.by });
    case 'unanswered':
      return withIntent(state, event.key, { state: 'waiting', ...(event.sentBy === undefined ? {} : { sentBy: event.sentBy }) });
    case 'done':
      return settled(withIntent(state, event.key, { state: 'done', orderId: event.orderId, version: event.version }));
    case 'refused':
      return refused(state, event.key, event.problem, event.isOfAnotherTab);
    case 'drop':
      return { ...state, intents: state.intents.filter(({ key }) => key !== event.key) };
    case 'edit': {
      const intent = state.intents.find((each) => each.key === event.key);
      return intent?.refusal ? refused({ ...state, draft: null, panel: null }, event.key, intent.refusal) : state;
    }
    case 'quiet':
      return { ...state, notice: null };
    default:
      throw new Error(`unknown event ${JSON.stringify(/** @type {never} */ (event))}`);
  }
}

/** The active orders are these, but for what is known to be newer. @param {Till} state @param {Order[]} orders */
function snapshot(state, orders) {
  /** @type {Record<string, Order>} */
  const found = {};
  for (const order of orders) {
    const known = state.orders[order.order_id];
    found[order.order_id] = known && isNewer(known, order) ? known : order;
  }
  return settled({ ...state, orders: found });
}

/** @param {Till} state @param {Order} order */
function merged(state, order) {
  const known = state.orders[order.order_id];
  if (known && !isNewer(order, known)) return settled(state);
  const notice = known ? (answerOf(known, order) ?? state.notice) : state.notice;
  if (isOver(order)) return settled({ ...closed(state, order), notice });
  return settled({ ...state, orders: { ...state.orders, [order.order_id]: order }, notice });
}

/** It leaves the list, and what was pending of it with it. @param {Till} state @param {Order} order @returns {Till} */
function closed(state, order) {
  const { [order.order_id]: _, ...orders } = state.orders;
  const after = { ...state, orders, intents: state.intents.filter((each) => !isSeenIn(each, order)) };
  if (state.draft?.orderId !== order.order_id) return after;
  if (order.status !== 'closed') return { ...after, screen: 'plan', draft: null, panel: null, noteOf: null };
  return { ...after, screen: 'plan', draft: null, panel: 'receipt', receipt: order, noteOf: null };
}

/** @param {Order} one @param {Order} other whether one is newer, in any part */
export function isNewer(one, other) {
  if (one.version !== other.version) return one.version > other.version;
  return progress(one) > progress(other);
}

/** Versions of its tickets, which only grow. @param {Order} order */
const progress = (order) => order.rounds.reduce((sum, { ticket }) => sum + (ticket ? ticket.version : 0), 0);

/** @param {Order} order */
const isOver = (order) => order.status === 'closed' || order.status === 'cancelled';

/** What the kitchen answered to a cancellation. @param {Order} before @param {Order} after @returns {Notice | null} */
function answerOf(before, after) {
  if (before.status !== 'cancelling' || after.status === 'cancelling') return null;
  const values = { number: after.number };
  if (after.status === 'cancelled') return { word: 'answer.cancelled', values };
  const was = new Set(before.rounds.filter((each) => each.voided).map((each) => each.round));
  const isVoided = after.rounds.some((each) => each.voided && !was.has(each.round));
  const isRefused = after.timeline.some((each) => each.event === 'cancellation-refused' && each.version > before.version);
  if (isRefused) return { word: isVoided ? 'answer.partly' : 'answer.refused', values };
  return { word: 'answer.items', values };
}

/** Intents that the view has reached are over. @param {Till} state @returns {Till} */
function settled(state) {
  const intents = state.intents.filter((each) => {
    const order = each.orderId === null ? undefined : state.orders[each.orderId];
    return !(order && isSeenIn(each, order));
  });
  return intents.length === state.intents.length ? state : { ...state, intents };
}

/** @param {Intent} intent @param {Order} order */
const isSeenIn = (intent, order) =>
  intent.state === 'done' && intent.orderId === order.order_id && order.version >= intent.version;

/** @param {Till} state @param {Kept} kept @returns {Till} */
const restored = (state, kept) => ({ ...state, ...kept, screen: kept.draft ? 'order' : state.screen });

/**
 * Another tab has touched it, sent it, or seen it done; null: it is gone there. What was done stays
 * until this tab's own view has it.
 *
 * @param {Till} state
 * @param {string} key
 * @param {Intent | null} intent
 * @returns {Till}
 */
function elsewhere(state, key, intent) {
  const known = state.intents.find((each) => each.key === key);
  if (intent === null) return known && known.state !== 'done' ? { ...state, intents: state.intents.filter((each) => each !== known) } : state;
  if (known) return { ...state, intents: state.intents.map((each) => (each === known ? intent : each)) };
  return { ...state, intents: [...state.intents, intent].sort((a, b) => a.at - b.at) };
}

/** The table's only order, or a new one. @param {Till} state @param {string} table */
function openTable(state, table) {
  const [only, ...others] = ordersAt(state, table);
  if (only && others.length === 0) return opened(state, { orderId: only.order_id, party: partyOf(only) });
  return opened(state, { orderId: null, party: { table, guests: 2 } });
}

/** @param {Till} state @param {Pick<Draft, 'orderId' | 'party'>} of @returns {Till} */
function opened(state, { orderId, party }) {
  const draft = { orderId, party, lines: [], lineErrors: {}, error: null };
  const side = orderId === null ? 'menu' : 'order';
  return { ...state, screen: 'order', draft, side, panel: null, noteOf: null, search: '', notice: null };
}

/** @param {Order} order @returns {Party} */
export function partyOf(order) {
  if (order.table !== null) return { table: order.table, guests: order.guests ?? 1 };
  return { customer: order.customer ?? '', phone: order.phone ?? '' };
}

/** @param {Till} state @param {(draft: Draft) => Draft} change @returns {Till} */
const withDraft = (state, change) => (state.draft ? { ...state, draft: change(state.draft) } : state);

/** One more of it: on the last line without a note, or on a line of its own. @param {Draft} draft @param {Item} item @returns {Draft} */
function withItem(draft, item) {
  if (!item.available) return draft;
  const at = draft.lines.findIndex((each) => each.sku === item.sku && each.note === '');
  if (at >= 0) return withQuantity(draft, at, 1);
  const line = { sku: item.sku, name: item.name, price: item.price, quantity: 1, note: '' };
  return { ...draft, lines: [...draft.lines, line], error: null };
}

/** @param {Draft} draft @param {number} at @param {number} by @returns {Draft} */
function withQuantity(draft, at, by) {
  const line = draft.lines[at];
  if (!line) return draft;
  const quantity = Math.min(QUANTITY_MAX, line.quantity + by);
  if (quantity > 0) return { ...draft, lines: changed(draft.lines, at, { quantity }), error: null };
  return { ...draft, lines: draft.lines.filter((_, index) => index !== at), lineErrors: {}, error: null };
}

/** @param {DraftLine[]} lines @param {number} at @param {Partial<DraftLine>} fields */
const changed = (lines, at, fields) => lines.map((line, index) => (index === at ? { ...line, ...fields } : line));

/** Whether it can be sent. @param {Draft} draft */
export function isComplete({ party, lines }) {
  if (lines.length === 0) return false;
  return 'table' in party ? party.table !== '' && party.guests >= 1 : party.customer.trim() !== '';
}

/** The draft becomes an intent, once: then there is nothing to be sent a second time. @param {Till} state @param {string} key @param {string} tab @returns {Till} */
function sent(state, key, tab) {
  const { draft } = state;
  if (!draft || !isComplete(draft) || state.intents.some((each) => each.key === key)) return state;
  /** @type {Intent} */
  const intent = {
    key,
    kind: draft.orderId === null ? 'place' : 'add',
    orderId: draft.orderId,
    party: draft.orderId === null ? draft.party : null,
    lines: draft.lines,
    rounds: null,
    reason: '',
    at: state.now,
    state: 'waiting',
    sentBy: null,
    version: 0,
    tab,
  };
  const after = { ...state, intents: [...state.intents, intent], noteOf: null, search: '' };
  if (draft.orderId === null) return { ...after, screen: 'plan', draft: null, side: 'menu' };
  return { ...after, draft: { ...draft, lines: [], lineErrors: {}, error: null }, side: 'order' };
}

/** @param {Till} state @param {Extract<TillEvent, {type: 'want'}>} event @returns {Till} */
function wanted(state, { key, kind, orderId, rounds = null, reason = '' }) {
  const isAsked = state.intents.some((each) => each.kind === kind && each.orderId === orderId);
  if (isAsked) return state;
  /** @type {Intent} */
  const intent = { key, kind, orderId, party: null, lines: [], rounds, reason, at: state.now, state: 'waiting', sentBy: null, version: 0, tab: '' };
  return { ...state, intents: [...state.intents, intent], panel: null, cancelRounds: [], cancelReason: '' };
}

/** @param {Till} state @param {string} key @param {Partial<Intent>} fields @returns {Till} */
const withIntent = (state, key, fields) => ({
  ...state,
  intents: state.intents.map((each) => (each.key === key ? { ...each, ...fields } : each)),
});

/**
 * A service said no. What was typed is on the screen again, with what is wrong beside its line; if
 * something else is being typed there, it is not taken away, and the order is told of. So it is if it
 * was typed in another tab: whoever typed it looks there.
 *
 * @param {Till} state
 * @param {string} key
 * @param {Problem} problem
 * @param {boolean} [isOfAnotherTab]
 * @returns {Till}
 */
function refused(state, key, problem, isOfAnotherTab = false) {
  const intent = state.intents.find((each) => each.key === key);
  if (!intent) return state;
  const intents = state.intents.filter((each) => each.key !== key);
  const values = { code: problem.code, detail: problem.detail ?? '', who: whoseOf(state, intent) };
  if (intent.lines.length === 0) return { ...state, intents, notice: { word: `went.${problem.code}`, values } };
  const isFree = !isOfAnotherTab && (state.draft === null || (state.draft.lines.length === 0 && state.draft.orderId === intent.orderId));
  if (!isFree) {
    /** @type {Intent} */
    const kept = { ...intent, state: 'waiting', sentBy: null, refusal: problem };
    return { ...state, intents: [...intents, kept], notice: { word: 'went.later', values } };
  }
  const order = intent.orderId === null ? undefined : state.orders[intent.orderId];
  const party = intent.party ?? (order ? partyOf(order) : { customer: '', phone: '' });
  return { ...state, intents, screen: 'order', side: 'order', draft: draftOf(intent, party, problem), notice: null };
}

/** @param {Intent} intent @param {Party} party @param {Problem} problem @returns {Draft} */
function draftOf(intent, party, problem) {
  /** @type {Record<number, string>} */
  const lineErrors = {};
  for (const { field } of problem.errors ?? []) {
    const at = /^lines\.(\d+)/.exec(field ?? '')?.[1];
    if (at !== undefined) lineErrors[Number(at)] = problem.code;
  }
  const error = Object.keys(lineErrors).length ? null : problem.code;
  return { orderId: intent.orderId, party, lines: intent.lines, lineErrors, error };
}

/** @param {Till} state @param {Intent} intent */
function whoseOf(state, intent) {
  if (intent.orderId !== null) return state.orders[intent.orderId]?.number ?? '';
  if (intent.party === null) return '';
  return 'table' in intent.party ? intent.party.table : intent.party.customer;
}

/** For which what another subject's tab has perhaps sent is left to that tab. */
export const LEFT_TO_OTHERS_MS = 120_000;

/**
 * What can be sent now: the first that waits, unless one is being sent.
 *
 * @param {Till} state
 * @param {string} subject of our token
 */
export function nextToSend(state, subject) {
  if (state.intents.some((each) => each.state === 'sending')) return null;
  return state.intents.find((each) => each.state === 'waiting' && !each.refusal && !isLeftToOthers(each, subject, state.now)) ?? null;
}

/** @param {Intent} intent @param {string} subject @param {number} now */
const isLeftToOthers = (intent, subject, now) => isAnothers(intent, subject) && now - intent.at < LEFT_TO_OTHERS_MS;

/** Whether another has perhaps had it done: sent by us it could be done a second time. @param {Intent} intent @param {string} subject */
export const isAnothers = ({ sentBy, lines }, subject) => lines.length > 0 && sentBy !== null && sentBy !== subject;

/** @param {Till} state @param {string} table */
export const ordersAt = (state, table) => Object.values(state.orders).filter((each) => each.table === table).sort(byAge);

/** @param {Order} a @param {Order} b */
const byAge = (a, b) => compare(a.placed_at, b.placed_at) || compare(a.order_id, b.order_id);

/** @param {Order} a @param {Order} b */
const byAwaited = (a, b) => Number(a.status === 'served') - Number(b.status === 'served') || byAge(a, b);

/** @param {string} a @param {string} b */
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** The most urgent first, as query has it. */
const URGENCY = ['ready', 'cancelling', 'placed', 'preparing', 'served'];

/**
 * The plan: the tables there are, and those that have another name and guests.
 *
 * @param {Till} state
 * @returns {{table: string, orders: Order[], pending: Intent[], status: string | null, since: string | null, total: number, guests: number}[]}
 */
export function plan(state) {
  const names = new Set(Array.from({ length: state.tableCount }, (_, at) => String(at + 1)));
  for (const { table } of Object.values(state.orders)) if (table !== null) names.add(table);
  for (const { party } of state.intents) if (party && 'table' in party) names.add(party.table);
  return [...names].sort(naturally).map((table) => {
    const orders = ordersAt(state, table);
    const pending = state.intents.filter(({ party }) => party !== null && 'table' in party && party.table === table);
    const statuses = orders.map(({ status }) => status).sort((a, b) => URGENCY.indexOf(a) - URGENCY.indexOf(b));
    return {
      table,
      orders,
      pending,
      status: statuses[0] ?? null,
      since: orders[0]?.placed_at ?? null,
      total: orders.reduce((sum, { total }) => sum + total, 0),
      guests: orders.reduce((sum, { guests }) => sum + (guests ?? 0), 0),
    };
  });
}

/** Table 2 before table 10. @param {string} a @param {string} b */
const naturally = (a, b) => a.localeCompare(b, 'en', { numeric: true });

/** Orders to be fetched, the oldest first, then those that were; and those on their way. @param {Till} state */
export function takeaways(state) {
  const orders = Object.values(state.orders).filter(({ table }) => table === null).sort(byAwaited);
  const pending = state.intents.filter(({ party }) => party !== null && 'customer' in party);
  return { orders, pending };
}

/** @param {Till} state */
export const categories = (state) => [...new Set(state.menu.map(({ category }) => category))].sort(naturally);

/** @param {string | null} chosen @param {Item[]} menu */
const categoryOf = (chosen, menu) => (menu.some(({ category }) => category === chosen) ? chosen : null);

/** What is offered: of the category, or found, whatever the case and accents. @param {Till} state @returns {Item[]} */
export function offered(state) {
  const words = plain(state.search).split(' ').filter(Boolean);
  const found = words.length
    ? state.menu.filter(({ name, category, sku }) => {
        const text = plain(`${name} ${category} ${sku}`);
        return words.every((word) => text.includes(word));
      })
    : state.menu.filter(({ category }) => state.category === null || category === state.category);
  return [...found].sort((a, b) => naturally(a.category, b.category) || naturally(a.name, b.name));
}

/** @param {string} text */
const plain = (text) => text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().trim();

/** @param {Till} state @param {string} sku */
export const isSoldOut = (state, sku) => state.menu.length > 0 && !state.menu.some((each) => each.sku === sku && each.available);

/** @param {DraftLine[]} lines */
export const totalOf = (lines) => lines.reduce((sum, { price, quantity }) => sum + price * quantity, 0);

/** Whether what is shown is as it is: the orders, and what is sold out. @param {Till} state */
export const connectionOf = ({ connection, menuConnection }) => (connection.live ? menuConnection : connection);

/** What was done, and is not seen to be yet. @param {Till} state */
export const unseen = (state) => state.intents.filter((each) => each.state === 'done');

/** @param {Till} state @param {string} orderId */
export const intentsOf = (state, orderId) => state.intents.filter((each) => each.orderId === orderId);
