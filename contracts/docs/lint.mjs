// Lints OpenAPI and AsyncAPI documents by the rules of Spectral, OWASP and Redocly; fails if one
// breaks any rule that is not excepted here.
import { readFile } from 'node:fs/promises';
import { createConfig, lint } from '@redocly/openapi-core';
import spectral from '@stoplight/spectral-core';
import owasp from '@stoplight/spectral-owasp-ruleset';
import rulesets from '@stoplight/spectral-rulesets';

// Nobody has said yet under which licence Comanda is, and whom to write to.
const NOBODY = { 'info-contact': 'off', 'info-license': 'off' };

const OPENAPI = {
  ...NOBODY,
  // It knows scopes of OAuth alone; OpenAPI 3.1 has the roles that an operation needs there, too.
  'oas3-operation-security-defined': 'off',
  // What is answered has bounds that nobody promises, and numbers are numbers of JSON. What is sent
  // is bounded in all, body (256 KiB) and headers; its fields mostly are, too.
  'owasp:api4:2023-array-limit': 'off',
  'owasp:api4:2023-integer-format': 'off',
  'owasp:api4:2023-integer-limit': 'off',
  'owasp:api4:2023-string-limit': 'off',
  'owasp:api4:2023-string-restricted': 'off',
  // 429 says when to come again, in Retry-After; other answers do not count down.
  'owasp:api4:2023-rate-limit': 'off',
  // Who is of another origin is told so by a header that depends on the origin (docs/api.md).
  'owasp:api8:2023-define-cors-origin': 'off',
  // The server is wherever the document is: in any environment, for whomever that is open to.
  'owasp:api9:2023-inventory-access': 'off',
  'owasp:api9:2023-inventory-environment': 'off',
};
const REDOCLY = {
  'info-license': 'off', // as above
  'no-unused-components': 'off', // sees no `x-itemSchema`; Spectral has the same rule, and does
};
const ASYNCAPI = {
  'asyncapi-info-contact': 'off',
  'asyncapi-info-license': 'off',
  'asyncapi-latest-version': 'off', // 3.0 is what most tools read
};

async function bySpectral(text, rulesetsOfKind, rules) {
  const linter = new spectral.Spectral();
  linter.setRuleset({ extends: rulesetsOfKind.map((each) => [each, 'recommended']), rules });
  const found = await linter.run(text);
  return found.map(({ code, path, message }) => `${path.join('.')}: ${message} (${code})`);
}

async function byRedocly(file) {
  const config = await createConfig({ extends: ['recommended-strict'], rules: REDOCLY });
  const found = await lint({ ref: file, config });
  return found.map(
    ({ ruleId, location: [{ pointer }], message }) => `${pointer}: ${message} (${ruleId})`,
  );
}

for (const file of process.argv.slice(2)) {
  const text = await readFile(file, 'utf8');
  const problems = /^asyncapi:/m.test(text)
    ? await bySpectral(text, [rulesets.asyncapi], ASYNCAPI)
    : [
        ...(await bySpectral(text, [rulesets.oas, owasp.default ?? owasp], OPENAPI)),
        ...(await byRedocly(file)),
      ];
  for (const problem of problems) console.error(`${file}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`${file} breaks no rule`);
}
