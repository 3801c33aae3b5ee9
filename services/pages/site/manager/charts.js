/** Charts as SVG templates: bars along an axis, each beside the table that says the same. */

import { html, nothing, svg } from '../vendor/lit-html/lit-html.js';

/** @typedef {{label: string, value: number, text: string, second?: number}} Bar */

/** Units across: fewer where there is less room, so that text keeps its size. */
const WIDE = 720;
const MEDIUM = 560;
const NARROW = 380;
const HEIGHT = 240;
const TELEPHONE_PX = 600;
const TABLET_PX = 1280;
const LEFT = 8;
const BOTTOM = 26;
const TOP = 24;

/** @param {number} px of the page @returns {number} units across */
export function chartWidthIn(px) {
  if (px < TELEPHONE_PX) return NARROW;
  return px < TABLET_PX ? MEDIUM : WIDE;
}

/** Columns over time. @param {string} title @param {Bar[]} bars @param {number} width */
export function columns(title, bars, width) {
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const step = (width - 2 * LEFT) / Math.max(1, bars.length);
  const thickness = Math.min(56, step * 0.72);
  const every = Math.ceil(bars.length / Math.floor(width / 60));
  return html`<svg class="chart" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label=${title}>
    ${[0.25, 0.5, 0.75, 1].map((part) => svg`<line class="grid" x1=${LEFT} x2=${width - LEFT} y1=${y(part)} y2=${y(part)} />`)}
    <line class="axis" x1=${LEFT} x2=${width - LEFT} y1=${HEIGHT - BOTTOM} y2=${HEIGHT - BOTTOM} />
    ${bars.map(({ label, value, text }, at) => {
      const middle = LEFT + step * (at + 0.5);
      const top = y(value / most);
      return svg`<g>
        <rect class="bar-shape" x=${middle - thickness / 2} y=${top} width=${thickness} height=${Math.max(0, HEIGHT - BOTTOM - top)} rx="4"><title>${label}: ${text}</title></rect>
        ${value === most && value > 0 ? svg`<text class="peak" x=${Math.min(width - 50, Math.max(50, middle))} y=${top - 7} text-anchor="middle">${text}</text>` : nothing}
        ${at % every === 0 ? svg`<text class="tick" x=${middle} y=${HEIGHT - 7} text-anchor="middle">${label}</text>` : nothing}
      </g>`;
    })}
  </svg>`;
}

/** @param {number} part of the height */
const y = (part) => HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP);

const ROW = 34;

/** Rows by size, the largest first. @param {string} title @param {Bar[]} bars @param {number} width */
export function rows(title, bars, width) {
  const from = Math.round(width * 0.32);
  const letters = Math.floor(from / 8);
  const room = width - from - 110;
  const most = Math.max(1, ...bars.map(({ value, second }) => Math.max(value, second ?? 0)));
  const height = Math.max(ROW, bars.length * ROW);
  return html`<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label=${title}>
    ${bars.map(({ label, value, second, text }, at) => {
      const wide = room * (value / most);
      const wider = second === undefined ? 0 : room * (second / most);
      const top = at * ROW;
      return svg`<g>
        <text class="row-label" x="0" y=${top + 22}>${label.length > letters ? `${label.slice(0, letters - 1)}…` : label}</text>
        ${wider ? svg`<rect class="bar-behind" x=${from} y=${top + 7} width=${wider} height="20" rx="4" />` : nothing}
        <rect class="bar-shape" x=${from} y=${top + 7} width=${Math.max(2, wide)} height="20" rx="4"><title>${label}: ${text}</title></rect>
        <text class="row-value" x=${from + 10 + Math.max(wide, wider)} y=${top + 22}>${text}</text>
      </g>`;
    })}
  </svg>`;
}

/**
 * The same as a table.
 *
 * @param {string} caption
 * @param {string[]} heads
 * @param {(string | number)[][]} body the first of a row heads it
 */
export function table(caption, heads, body) {
  return html`<div class="scrolls" tabindex="0" role="region" aria-label=${caption}><table class="figures">
    <caption class="visually-hidden">${caption}</caption>
    <thead><tr>${heads.map((head, at) => html`<th scope="col" class=${at ? 'number' : ''}>${head}</th>`)}</tr></thead>
    <tbody>
      ${body.map((row) => html`<tr>${row.map((cell, at) => (at ? html`<td class="number">${cell}</td>` : html`<th scope="row">${cell}</th>`))}</tr>`)}
    </tbody>
  </table></div>`;
}
