/** The board's words. */

const en = {
  'board': 'Board',
  'preparing': 'Preparing',
  'ready': 'Ready',
  'ready.hint': 'Please collect',
  'minutes.range': '{from}–{to} min',
  'soon': 'Soon',
  'none.preparing': 'No orders in the kitchen',
  'none.ready': 'Nothing to collect yet',
  'more': '+{count} more',
};

/** @type {Record<keyof typeof en, string>} */
const it = {
  'board': 'Tabellone',
  'preparing': 'In preparazione',
  'ready': 'Pronti',
  'ready.hint': 'Da ritirare',
  'minutes.range': '{from}–{to} min',
  'soon': 'A breve',
  'none.preparing': 'Nessun ordine in cucina',
  'none.ready': 'Ancora niente da ritirare',
  'more': '+{count} altri',
};

/** @type {Record<keyof typeof en, string>} */
const de = {
  'board': 'Anzeige',
  'preparing': 'In Arbeit',
  'ready': 'Fertig',
  'ready.hint': 'Bitte abholen',
  'minutes.range': '{from}–{to} Min.',
  'soon': 'Gleich',
  'none.preparing': 'Keine Bestellungen in der Küche',
  'none.ready': 'Noch nichts abzuholen',
  'more': '+{count} weitere',
};

export const boardWords = { en, it, de };
