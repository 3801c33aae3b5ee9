// Compiles JSON Schemas with Ajv in strict mode, and holds the examples in them against them.
import { readFile } from 'node:fs/promises';
import Ajv from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

for (const file of process.argv.slice(2)) {
  const ajv = new Ajv.default({ strict: true, allErrors: true });
  formats.default(ajv);
  try {
    const schema = JSON.parse(await readFile(file, 'utf8'));
    const validate = ajv.compile(schema);
    for (const example of schema.examples ?? []) {
      if (!validate(example)) throw new Error(ajv.errorsText(validate.errors));
    }
  } catch (error) {
    console.error(`${file}: ${error.message}`);
    process.exitCode = 1;
  }
}
