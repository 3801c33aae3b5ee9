// Reads Comanda's events with nothing but their JSON Schemas.
import { readFile } from 'node:fs/promises';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

/** A message that can't be read; its text says why. */
export class Unreadable extends Error {}

/** A message of a type that is not known here: newer than we are, and to be skipped. */
export class UnknownType extends Unreadable {}

export class Events {
  #ajv = formats.default(new Ajv.default({ strict: true }));
  #validators = new Map();

  /** `folder` is the URL of the published schemas. */
  constructor(folder) {
    this.folder = folder;
  }

  /** The event in a message: `{ type, body }`. Throws Unreadable, or UnknownType. */
  async read(message) {
    const type = message.headers?.get('ce-type') ?? '';
    const validate = await this.#validator(type);
    const body = json(message);
    if (!validate(body)) throw new Unreadable(this.#ajv.errorsText(validate.errors));
    return { type, body };
  }

  /** Compiled once, also for two that ask at the same time. */
  #validator(type) {
    if (!this.#validators.has(type)) {
      const compiled = this.#schema(type).then((schema) => this.#ajv.compile(schema));
      this.#validators.set(type, compiled);
      compiled.catch(() => this.#validators.delete(type));
    }
    return this.#validators.get(type);
  }

  async #schema(type) {
    if (!type) throw new Unreadable('header ce-type is missing');
    if (!/^[a-z0-9.-]+$/.test(type)) throw new UnknownType(`ce-type ${type} is not known`);
    try {
      return JSON.parse(await readFile(new URL(`${type}.json`, this.folder), 'utf8'));
    } catch (error) {
      if (error.code === 'ENOENT') throw new UnknownType(`ce-type ${type} is not known`);
      throw error;
    }
  }
}

function json(message) {
  try {
    return message.json();
  } catch (error) {
    throw new Unreadable(`not JSON: ${error.message}`);
  }
}
