/** Who this device is: what the pairing link said, for as long as the tab is open.
 *
 * A link is `/kitchen#restaurant=la-piazza&token=…`. A fragment is sent to no server; it is taken
 * out of the address at once, so that it is in no history and no photograph of the screen.
 */

/**
 * @typedef {object} Session
 * @property {string} restaurant its slug
 * @property {string} token
 * @property {string | null} order of a guest: the order that is his
 * @property {string} subject whose token it is, by which it is withdrawn; for showing alone
 */

const NAMES = ['restaurant', 'token', 'order'];
export const SETTINGS = ['lang', 'theme', 'locale'];

/**
 * What the address says, else what this tab was told before; null if neither.
 *
 * @param {string} page its name: each page of a browser is paired by itself
 * @param {{location?: Location, history?: History, storage?: Storage}} [browser]
 * @returns {Session | null}
 */
export function openSession(page, { location, history, storage } = window) {
  const at = location ?? window.location;
  const kept = storage ?? window.sessionStorage;
  const name = `comanda.session.${page}`;
  const fragment = new URLSearchParams(at.hash.slice(1));
  if (fragment.has('token')) {
    const told = Object.fromEntries(NAMES.map((each) => [each, fragment.get(each)]));
    kept.setItem(name, JSON.stringify(told));
    (history ?? window.history).replaceState(null, '', at.pathname + at.search);
  }
  const text = kept.getItem(name);
  if (!text) return null;
  const { restaurant, token, order } = JSON.parse(text);
  const claims = claimsOf(token);
  return {
    token,
    restaurant: restaurant ?? onlyRestaurantOf(claims) ?? '',
    order: order ?? null,
    subject: String(claims['sub'] ?? ''),
  };
}

/**
 * Forget it: its token is refused.
 *
 * @param {string} page
 * @param {Storage} [storage]
 */
export function closeSession(page, storage = window.sessionStorage) {
  storage.removeItem(`comanda.session.${page}`);
}

/**
 * What a token says, unverified: that is the services' to do.
 *
 * @param {string} token
 * @returns {Record<string, any>}
 */
export function claimsOf(token) {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
}

/** @param {Record<string, any>} claims @returns {string | null} */
function onlyRestaurantOf(claims) {
  const slugs = Object.keys(claims['comanda'] ?? {}).filter((slug) => slug !== '*');
  return slugs.length === 1 ? (slugs[0] ?? null) : null;
}
