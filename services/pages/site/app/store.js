/** One state, changed by events alone, shown once a frame. */

/**
 * @template S, E
 * @param {object} parts
 * @param {S} parts.initial
 * @param {(state: S, event: E) => S} parts.reduce pure
 * @param {(state: S) => void} parts.show called before the next frame whenever the state changed
 * @param {(before: S, after: S, event: E) => void} [parts.effects] sounds, commands, what is kept
 */
export function createStore({ initial, reduce, show, effects }) {
  let state = initial;
  let isDue = false;

  const draw = () => {
    isDue = false;
    show(state);
  };

  return {
    get state() {
      return state;
    },
    /** @param {E} event */
    dispatch(event) {
      const before = state;
      state = reduce(state, event);
      if (state === before) return;
      effects?.(before, state, event);
      if (isDue) return;
      isDue = true;
      // a tab that nobody sees has no frames, and must be right when it is seen
      if (document.visibilityState === 'visible') requestAnimationFrame(draw);
      else setTimeout(draw, 0);
    },
    show: draw,
  };
}
