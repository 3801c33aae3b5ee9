/** Why a service refused something, in words: by the problem's code, whatever its English detail says. */

/** Codes that only a program would meet, by a mistake in a page. Their detail is for whoever mends it. */
export const OF_PROGRAMS = [
  'answer-too-large', 'cross-origin', 'cursor-expired', 'malformed-json', 'malformed-path', 'malformed-request',
  'method-not-allowed', 'misdirected-request', 'not-found', 'refused', 'request-header-fields-too-large', 'request-timeout',
  'unsupported-media-type',
];

const en = {
  'behind': 'The news of it has not arrived yet. Try again in a moment.',
  'cannot-order': 'Some of it can’t be ordered.',
  'command-expired': 'It came too late.',
  'content-too-large': 'That is too much at once.',
  'currency-is-fixed': 'The currency can’t be changed once there are prices.',
  'damaged-view': 'It can’t be shown until it is repaired.',
  'forbidden': 'This screen may not do that.',
  'idempotency-key-reused': 'It was sent before, otherwise.',
  'internal-error': 'Something went wrong at the service.',
  'invalid-request': 'Something is missing or not as it should be.',
  'job-running': 'That is being done already.',
  'keys-unavailable': 'The service can’t check who this is now.',
  'no-answer': 'No answer. Try once more.',
  'not-operable': 'This service was not told how to do that.',
  'order-not-open': 'The order is not open any more.',
  'order-not-over': 'The order is not over yet.',
  'order-too-large': 'That is more than one order can hold.',
  'still-in-the-kitchen': 'Not everything is served yet.',
  'store-unavailable': 'The service can’t do that now. Try again in a moment.',
  'too-late-to-cancel': 'Too late: the kitchen has begun all of it.',
  'too-late-to-recall': 'It was served too long ago.',
  'too-many-feeds': 'Too many screens are open.',
  'too-many-requests': 'Too much at once. Try again in a moment.',
  'too-many-withdrawals': 'Too many devices are withdrawn already.',
  'too-slow': 'That takes too long now.',
  'unauthenticated': 'This screen is not paired any more.',
  'unknown-event': 'There is no such event any more.',
  'unknown-item': 'It is not on the menu any more.',
  'unknown-job': 'There is no such job any more.',
  'unknown-letter': 'There is no such letter any more.',
  'unknown-order': 'There is no such order.',
  'unknown-restaurant': 'There is no such restaurant.',
  'unknown-round': 'That round is cancelled already.',
  'unknown-ticket': 'There is no such ticket any more.',
  'version-mismatch': 'Somebody else has changed it meanwhile. Look again.',
  'withdrawn-item': 'This was taken off the menu for good.',
  'wrong-status': 'Somebody else has moved it already.',
};

/** @type {Record<keyof typeof en, string>} */
const it = {
  'behind': 'La notizia non è ancora arrivata. Riprova tra un attimo.',
  'cannot-order': 'Qualcosa non si può ordinare.',
  'command-expired': 'È arrivato troppo tardi.',
  'content-too-large': 'È troppo in una volta.',
  'currency-is-fixed': 'La valuta non si può cambiare quando ci sono prezzi.',
  'damaged-view': 'Non si può mostrare finché non è riparato.',
  'forbidden': 'Questo schermo non può farlo.',
  'idempotency-key-reused': 'Era già stato inviato, diverso.',
  'internal-error': 'Qualcosa è andato storto nel servizio.',
  'invalid-request': 'Qualcosa manca o non è come dovrebbe.',
  'job-running': 'È già in corso.',
  'keys-unavailable': 'Il servizio ora non può verificare chi sei.',
  'no-answer': 'Nessuna risposta. Riprova.',
  'not-operable': 'A questo servizio non è stato detto come farlo.',
  'order-not-open': 'L’ordine non è più aperto.',
  'order-not-over': 'L’ordine non è ancora finito.',
  'order-too-large': 'È più di quanto un ordine contenga.',
  'still-in-the-kitchen': 'Non tutto è servito.',
  'store-unavailable': 'Il servizio ora non può farlo. Riprova tra un attimo.',
  'too-late-to-cancel': 'Troppo tardi: la cucina ha già iniziato tutto.',
  'too-late-to-recall': 'È stato servito da troppo tempo.',
  'too-many-feeds': 'Troppi schermi aperti.',
  'too-many-requests': 'Troppo in una volta. Riprova tra un attimo.',
  'too-many-withdrawals': 'Troppi dispositivi sono già revocati.',
  'too-slow': 'Ora ci vuole troppo.',
  'unauthenticated': 'Questo schermo non è più abbinato.',
  'unknown-event': 'Questo evento non c’è più.',
  'unknown-item': 'Non è più nel menu.',
  'unknown-job': 'Questo lavoro non c’è più.',
  'unknown-letter': 'Questo messaggio non c’è più.',
  'unknown-order': 'Questo ordine non esiste.',
  'unknown-restaurant': 'Questo ristorante non esiste.',
  'unknown-round': 'Quel giro è già annullato.',
  'unknown-ticket': 'Questa comanda non c’è più.',
  'version-mismatch': 'Qualcun altro l’ha cambiato nel frattempo. Guarda di nuovo.',
  'withdrawn-item': 'È stato tolto dal menu per sempre.',
  'wrong-status': 'Qualcun altro l’ha già spostato.',
};

/** @type {Record<keyof typeof en, string>} */
const de = {
  'behind': 'Die Nachricht davon ist noch nicht da. Gleich noch einmal versuchen.',
  'cannot-order': 'Etwas davon ist nicht zu bestellen.',
  'command-expired': 'Es kam zu spät.',
  'content-too-large': 'Das ist zu viel auf einmal.',
  'currency-is-fixed': 'Die Währung ist nicht zu ändern, sobald es Preise gibt.',
  'damaged-view': 'Es ist erst nach einer Reparatur zu zeigen.',
  'forbidden': 'Dieser Bildschirm darf das nicht.',
  'idempotency-key-reused': 'Es wurde schon gesendet, aber anders.',
  'internal-error': 'Im Dienst ging etwas schief.',
  'invalid-request': 'Etwas fehlt oder ist nicht, wie es sein soll.',
  'job-running': 'Das läuft schon.',
  'keys-unavailable': 'Der Dienst kann gerade nicht prüfen, wer das ist.',
  'no-answer': 'Keine Antwort. Noch einmal versuchen.',
  'not-operable': 'Dieser Dienst ist dafür nicht eingerichtet.',
  'order-not-open': 'Die Bestellung ist nicht mehr offen.',
  'order-not-over': 'Die Bestellung ist noch nicht zu Ende.',
  'order-too-large': 'Das ist mehr, als eine Bestellung fasst.',
  'still-in-the-kitchen': 'Noch ist nicht alles serviert.',
  'store-unavailable': 'Der Dienst kann das gerade nicht. Gleich noch einmal versuchen.',
  'too-late-to-cancel': 'Zu spät: Die Küche hat schon alles begonnen.',
  'too-late-to-recall': 'Es ist zu lange serviert.',
  'too-many-feeds': 'Zu viele Bildschirme sind offen.',
  'too-many-requests': 'Zu viel auf einmal. Gleich noch einmal versuchen.',
  'too-many-withdrawals': 'Zu viele Geräte sind schon entzogen.',
  'too-slow': 'Das dauert gerade zu lange.',
  'unauthenticated': 'Dieser Bildschirm ist nicht mehr gekoppelt.',
  'unknown-event': 'Dieses Ereignis gibt es nicht mehr.',
  'unknown-item': 'Das steht nicht mehr auf der Karte.',
  'unknown-job': 'Diesen Auftrag gibt es nicht mehr.',
  'unknown-letter': 'Diese Nachricht gibt es nicht mehr.',
  'unknown-order': 'Diese Bestellung gibt es nicht.',
  'unknown-restaurant': 'Dieses Restaurant gibt es nicht.',
  'unknown-round': 'Diese Runde ist schon storniert.',
  'unknown-ticket': 'Diesen Bon gibt es nicht mehr.',
  'version-mismatch': 'Jemand anders hat es inzwischen geändert. Noch einmal ansehen.',
  'withdrawn-item': 'Das wurde für immer von der Karte genommen.',
  'wrong-status': 'Jemand anders hat es schon bewegt.',
};

const tables = { en, it, de };

/**
 * Why it was refused, in the language of the page; of a code that is unknown, what the service says.
 *
 * @param {string} lang
 * @param {{code: string, detail?: string | undefined}} problem
 * @returns {string}
 */
export function whyRefused(lang, { code, detail }) {
  /** @type {Record<string, string>} */
  const table = tables[/** @type {keyof typeof tables} */ (lang)] ?? en;
  return table[code] ?? detail ?? code;
}
