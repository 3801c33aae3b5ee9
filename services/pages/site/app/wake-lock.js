/** A screen on the wall does not go dark. */

/** Keep the screen on while the page is seen, where the browser can. */
export function keepAwake() {
  if (!('wakeLock' in navigator)) return;
  const ask = () => {
    if (document.visibilityState === 'visible') navigator.wakeLock.request('screen').catch(() => {});
  };
  document.addEventListener('visibilitychange', ask);
  ask();
}
