/** Another order of the same events, some of them twice; the same one for the same seed. */

/** @param {number} seed @returns {() => number} numbers from 0 on, below 1 (mulberry32) */
export function chosenBy(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** @template T @param {T[]} events @param {() => number} random @returns {T[]} */
export function shuffledTwice(events, random) {
  const all = events.flatMap((event) => (random() < 0.3 ? [event, event] : [event]));
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [all[at], all[other]] = [/** @type {T} */ (all[other]), /** @type {T} */ (all[at])];
  }
  return all;
}
