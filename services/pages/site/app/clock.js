/** The server's clock: a tablet's own may be wrong by hours. */

const HALF_A_SECOND_MS = 500; // `Date` is cut off to the second

/**
 * Counts on from the time of the last answer by a counter that no setting of the clock moves.
 */
export class ServerClock {
  /**
   * @param {() => number} [elapsedMs] such as `performance.now`
   * @param {() => number} [localMs] believed until the first answer
   */
  constructor(elapsedMs = () => performance.now(), localMs = () => Date.now()) {
    this.elapsedMs = elapsedMs;
    this.startMs = localMs() - elapsedMs();
    this.isSet = false;
  }

  /** Take the time from an answer's headers. @param {Headers} headers */
  hear(headers) {
    const at = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(at)) return;
    this.startMs = at + HALF_A_SECOND_MS - this.elapsedMs();
    this.isSet = true;
  }

  /** Milliseconds since 1970, by the server. */
  now() {
    return this.startMs + this.elapsedMs();
  }
}
