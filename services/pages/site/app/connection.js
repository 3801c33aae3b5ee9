/** Whether what is shown is as it is: part of every page's state. */

/**
 * @typedef {object} Connection
 * @property {boolean} live
 * @property {boolean} loaded whether anything was ever shown
 * @property {number | null} since when it was last heard, if it is not live: server's milliseconds
 * @property {string | null} over the code why it will not come back
 */
/** @typedef {{type: 'connection', status: import('./feed.js').FeedStatus}} ConnectionEvent */

/** @type {Connection} */
export const CONNECTING = { live: false, loaded: false, since: null, over: null };

/** @param {Connection} connection @param {import('./feed.js').FeedStatus} status @returns {Connection} */
export function reduceConnection(connection, status) {
  if (status.live) return { live: true, loaded: true, since: null, over: null };
  return {
    live: false,
    loaded: connection.loaded,
    since: status.since,
    over: 'over' in status ? status.over : null,
  };
}
