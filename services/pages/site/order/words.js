/** The words of a guest's order. */

const en = {
  'order': 'Your order',
  'step.placed': 'Received',
  'step.preparing': 'Being prepared',
  'step.ready': 'Ready',
  'step.served': 'Served',
  'is.placed': 'We have your order',
  'is.preparing': 'The kitchen is at work',
  'is.ready.takeaway': 'Ready for you to collect',
  'is.ready.dine_in': 'Ready, on its way to you',
  'is.served.takeaway': 'Handed over. Enjoy!',
  'is.served.dine_in': 'Served. Enjoy!',
  'is.cancelling': 'The kitchen is being asked to cancel it',
  'is.cancelled': 'This order was cancelled',
  'since': 'Ordered at {time}',
  'ready.at': 'Ready at {time}',
  'total': 'Total',
  'round': 'Round {round}',
  'voided': 'Cancelled',
  'keep': 'This page follows your order by itself. Keep it open.',
};

/** @type {Record<keyof typeof en, string>} */
const it = {
  'order': 'Il tuo ordine',
  'step.placed': 'Ricevuto',
  'step.preparing': 'In preparazione',
  'step.ready': 'Pronto',
  'step.served': 'Servito',
  'is.placed': 'Abbiamo il tuo ordine',
  'is.preparing': 'La cucina è al lavoro',
  'is.ready.takeaway': 'Pronto da ritirare',
  'is.ready.dine_in': 'Pronto, sta arrivando',
  'is.served.takeaway': 'Consegnato. Buon appetito!',
  'is.served.dine_in': 'Servito. Buon appetito!',
  'is.cancelling': 'Stiamo chiedendo alla cucina di annullarlo',
  'is.cancelled': 'Questo ordine è stato annullato',
  'since': 'Ordinato alle {time}',
  'ready.at': 'Pronto alle {time}',
  'total': 'Totale',
  'round': 'Giro {round}',
  'voided': 'Annullato',
  'keep': 'Questa pagina segue il tuo ordine da sola. Tienila aperta.',
};

/** @type {Record<keyof typeof en, string>} */
const de = {
  'order': 'Deine Bestellung',
  'step.placed': 'Angenommen',
  'step.preparing': 'In Arbeit',
  'step.ready': 'Fertig',
  'step.served': 'Serviert',
  'is.placed': 'Wir haben deine Bestellung',
  'is.preparing': 'Die Küche ist dabei',
  'is.ready.takeaway': 'Fertig zum Abholen',
  'is.ready.dine_in': 'Fertig, gleich bei dir',
  'is.served.takeaway': 'Übergeben. Guten Appetit!',
  'is.served.dine_in': 'Serviert. Guten Appetit!',
  'is.cancelling': 'Die Küche wird gebeten, sie zu stornieren',
  'is.cancelled': 'Diese Bestellung wurde storniert',
  'since': 'Bestellt um {time}',
  'ready.at': 'Fertig seit {time}',
  'total': 'Summe',
  'round': 'Runde {round}',
  'voided': 'Storniert',
  'keep': 'Diese Seite folgt deiner Bestellung von selbst. Lass sie offen.',
};

export const orderWords = { en, it, de };
