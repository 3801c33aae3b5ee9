// Reads AsyncAPI documents with the official parser; fails if one has an error or a warning.
import { readFile } from 'node:fs/promises';
import { DiagnosticSeverity, Parser } from '@asyncapi/parser';

const NEWER_VERSION = 'asyncapi-latest-version'; // 3.0 is what most tools read

for (const file of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(await readFile(file, 'utf8'));
  const problems = diagnostics.filter(
    (each) => each.severity <= DiagnosticSeverity.Warning && each.code !== NEWER_VERSION,
  );
  for (const { range, path, message } of problems) {
    console.error(`${file}:${range.start.line + 1}: ${path.join('.')}: ${message}`);
  }
  if (problems.length > 0 || !document) process.exitCode = 1;
  else {
    const counts = ['channels', 'operations', 'messages'];
    console.log(file, ...counts.map((each) => `${document[each]().all().length} ${each}`));
  }
}
