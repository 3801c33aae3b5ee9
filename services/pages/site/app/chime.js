/** Sounds that need no file. A browser is silent until somebody has touched the page. */

/** @typedef {'new' | 'changed' | 'voided' | 'ready'} Chime */

/** Frequencies in Hz with when they begin and how long they sound, in seconds. @type {Record<Chime, [number, number, number][]>} */
const NOTES = {
  new: [[659.3, 0, 0.16], [880, 0.13, 0.3]],
  changed: [[784, 0, 0.12], [784, 0.16, 0.2]],
  voided: [[523.3, 0, 0.2], [392, 0.18, 0.36]],
  ready: [[783.99, 0, 0.2], [1046.5, 0.14, 0.2], [1318.5, 0.28, 0.5]],
};
const LOUDNESS = 0.28;

export class Chimes {
  /** @type {AudioContext | null} */
  #context = null;
  #last = 0;
  played = 0;

  /** Whether it could be heard now. */
  get isAwake() {
    return this.#context?.state === 'running';
  }

  /** Call it when somebody touches the page. */
  wake() {
    this.#context ??= new AudioContext();
    if (this.#context.state === 'suspended') void this.#context.resume();
  }

  /** At most one at a time. @param {Chime} chime */
  play(chime) {
    const context = this.#context;
    if (!context || context.state !== 'running' || context.currentTime - this.#last < 0.4) return;
    this.#last = context.currentTime;
    this.played += 1;
    for (const [hertz, after, lasting] of NOTES[chime]) {
      const [tone, volume, from] = [context.createOscillator(), context.createGain(), context.currentTime + after];
      tone.type = 'triangle';
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(LOUDNESS, from + 0.015);
      volume.gain.exponentialRampToValueAtTime(0.001, from + lasting);
      tone.connect(volume).connect(context.destination);
      tone.start(from);
      tone.stop(from + lasting);
    }
  }
}
