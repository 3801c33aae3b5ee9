/** The words of all pages; each page adds its own. */

export const en = {
  'lang.name': 'English',
  'stale.since': 'Not up to date since {time}',
  'stale.never': 'Connecting …',
  'stale.why': 'The connection is being restored. What is shown may be old.',
  'over.title': 'This screen is no longer paired',
  'over.expired': 'Its access has ended.',
  'over.withdrawn': 'Its access was withdrawn.',
  'over.invalid-token': 'Its access has ended, or was withdrawn.',
  'over.forbidden': 'It may not see this.',
  'over.unknown-restaurant': 'There is no such restaurant.',
  'over.unknown-order': 'There is no such order.',
  'over.other': 'The service refused it ({code}).',
  'over.do': 'Open a new pairing link: comanda pair',
  'unpaired.title': 'This screen is not paired yet',
  'unpaired.do': 'Open the link that make up or comanda pair prints.',
  'settings': 'Settings',
  'settings.language': 'Language',
  'settings.theme': 'Appearance',
  'theme.auto': 'As the device',
  'theme.dark': 'Dark',
  'theme.light': 'Light',
  'settings.sound': 'Sounds',
  'on': 'On',
  'off': 'Off',
  'close': 'Close',
  'undo': 'Undo',
  'sound.touch': 'Touch for sound',
  'live': 'Live',
  'channel.dine_in': 'Dine in',
  'channel.takeaway': 'Takeaway',
  'minutes': '{count} min',
  'table': 'Table {table}',
};

/** @typedef {keyof typeof en} Word */

/** @type {Record<Word, string>} */
export const it = {
  'lang.name': 'Italiano',
  'stale.since': 'Non aggiornato dalle {time}',
  'stale.never': 'Connessione …',
  'stale.why': 'Connessione in ripristino. Quanto mostrato può essere vecchio.',
  'over.title': 'Questo schermo non è più abbinato',
  'over.expired': 'L’accesso è scaduto.',
  'over.withdrawn': 'L’accesso è stato revocato.',
  'over.invalid-token': 'L’accesso è scaduto o è stato revocato.',
  'over.forbidden': 'Non può vedere questa pagina.',
  'over.unknown-restaurant': 'Questo ristorante non esiste.',
  'over.unknown-order': 'Questo ordine non esiste.',
  'over.other': 'Il servizio l’ha rifiutato ({code}).',
  'over.do': 'Apri un nuovo link di abbinamento: comanda pair',
  'unpaired.title': 'Questo schermo non è ancora abbinato',
  'unpaired.do': 'Apri il link stampato da make up o comanda pair.',
  'settings': 'Impostazioni',
  'settings.language': 'Lingua',
  'settings.theme': 'Aspetto',
  'theme.auto': 'Come il dispositivo',
  'theme.dark': 'Scuro',
  'theme.light': 'Chiaro',
  'settings.sound': 'Suoni',
  'on': 'Sì',
  'off': 'No',
  'close': 'Chiudi',
  'undo': 'Annulla',
  'sound.touch': 'Tocca per il suono',
  'live': 'In diretta',
  'channel.dine_in': 'Al tavolo',
  'channel.takeaway': 'Da asporto',
  'minutes': '{count} min',
  'table': 'Tavolo {table}',
};

/** @type {Record<Word, string>} */
export const de = {
  'lang.name': 'Deutsch',
  'stale.since': 'Nicht aktuell seit {time}',
  'stale.never': 'Wird verbunden …',
  'stale.why': 'Die Verbindung wird wiederhergestellt. Was hier steht, kann alt sein.',
  'over.title': 'Dieser Bildschirm ist nicht mehr gekoppelt',
  'over.expired': 'Sein Zugang ist abgelaufen.',
  'over.withdrawn': 'Sein Zugang wurde entzogen.',
  'over.invalid-token': 'Sein Zugang ist abgelaufen oder wurde entzogen.',
  'over.forbidden': 'Er darf das nicht sehen.',
  'over.unknown-restaurant': 'Dieses Restaurant gibt es nicht.',
  'over.unknown-order': 'Diese Bestellung gibt es nicht.',
  'over.other': 'Der Dienst hat abgelehnt ({code}).',
  'over.do': 'Öffne einen neuen Kopplungslink: comanda pair',
  'unpaired.title': 'Dieser Bildschirm ist noch nicht gekoppelt',
  'unpaired.do': 'Öffne den Link, den make up oder comanda pair ausgibt.',
  'settings': 'Einstellungen',
  'settings.language': 'Sprache',
  'settings.theme': 'Darstellung',
  'theme.auto': 'Wie das Gerät',
  'theme.dark': 'Dunkel',
  'theme.light': 'Hell',
  'settings.sound': 'Töne',
  'on': 'An',
  'off': 'Aus',
  'close': 'Schließen',
  'undo': 'Rückgängig',
  'sound.touch': 'Für Ton berühren',
  'live': 'Live',
  'channel.dine_in': 'Im Haus',
  'channel.takeaway': 'Zum Mitnehmen',
  'minutes': '{count} Min.',
  'table': 'Tisch {table}',
};

/**
 * Words of one language: `t('table', {table: '7'})`. With a `count` of 1 it is the word's `.one`, if there is such.
 *
 * @template {Record<string, string>} Own
 * @param {string} lang
 * @param {{en: Own, it: Record<keyof Own, string>, de: Record<keyof Own, string>}} own of the page
 * @returns {(word: Word | keyof Own & string, values?: Record<string, string | number>) => string}
 */
export function words(lang, own) {
  /** @type {Record<string, string>} */
  const common = lang === 'it' ? it : lang === 'de' ? de : en;
  /** @type {Record<string, string>} */
  const table = { ...common, ...(lang === 'it' ? own.it : lang === 'de' ? own.de : own.en) };
  return (word, values = {}) =>
    ((values['count'] === 1 ? table[`${word}.one`] : undefined) ?? table[word] ?? word).replaceAll(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}
