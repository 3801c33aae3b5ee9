/** Keys of a bump bar: which key does what. Pure. */

export const ACTIONS = /** @type {const} */ ([
  'bump', 'start', 'left', 'right', 'up', 'down', 'first', 'last', 'undo', 'recall', 'all-day', 'view',
]);

/** @typedef {typeof ACTIONS[number]} Action */

/** The usual keys; cards 1 to 9 have the digits, unless `slot-1` … are set. @type {Record<Action, string>} */
export const USUAL = {
  bump: 'Enter',
  start: 's',
  left: 'ArrowLeft',
  right: 'ArrowRight',
  up: 'ArrowUp',
  down: 'ArrowDown',
  first: 'Home',
  last: 'End',
  undo: 'u',
  recall: 'r',
  'all-day': 'a',
  view: 'p',
};

/**
 * What a key does here; null if nothing.
 *
 * @param {string} key such as `ArrowLeft`
 * @param {Record<string, string>} mapped keys of actions that have another than the usual
 * @returns {Action | {slot: number} | null}
 */
export function actionOf(key, mapped) {
  const pressed = nameOf(key);
  for (let slot = 1; slot <= 9; slot += 1) {
    if ((mapped[`slot-${slot}`] ?? String(slot)) === pressed) return { slot };
  }
  return ACTIONS.find((action) => (mapped[action] ?? USUAL[action]) === pressed) ?? null;
}

/** A letter is the same with the shift key. @param {string} key */
export const nameOf = (key) => (key.length === 1 ? key.toLowerCase() : key);

/**
 * The place to which an arrow leads from another, in a grid that is filled by rows.
 *
 * @param {number} from -1 for none
 * @param {Action} action
 * @param {number} columns
 * @param {number} count
 */
export function moveBy(from, action, columns, count) {
  if (from < 0) return 0;
  const steps = { left: -1, right: 1, up: -columns, down: columns };
  const to = from + (steps[/** @type {keyof typeof steps} */ (action)] ?? 0);
  return to < 0 || to >= count ? from : to;
}
