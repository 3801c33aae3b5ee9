// Renders asyncapi.yaml as one HTML file that needs neither a server nor the network.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createRequire } from 'node:module';

const [document, page] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const part = (path) => readFile(require.resolve(`@asyncapi/react-component/${path}`), 'utf8');
const inScript = (text) => text.replaceAll('</script', '<\\/script');

const config = {
  show: { sidebar: true, errors: true },
  expand: { messageExamples: true },
  sidebar: { showOperations: 'byDefault' },
};

const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Comanda: the events</title>
<style>${await part('styles/default.min.css')}</style>
<style>${await readFile(new URL('page.css', import.meta.url), 'utf8')}</style>
</head>
<body>
<div id="page"></div>
<script>${inScript(await part('browser/standalone/index.js'))}</script>
<script>
AsyncApiStandalone.render(
  { schema: ${inScript(JSON.stringify(await readFile(document, 'utf8')))}, config: ${JSON.stringify(config)} },
  window.document.getElementById('page'),
);
</script>
</body>
</html>
`;

await mkdir(dirname(page), { recursive: true });
await writeFile(page, html);
console.log(`${page}: ${Math.round(html.length / 1024)} kB`);
