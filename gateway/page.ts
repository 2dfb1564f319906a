import { createHash } from 'node:crypto';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
summary { cursor: pointer; padding: .3rem 0; }
code, textarea, pre, input { font: 13px/1.4 ui-monospace, monospace; }
label { display: block; margin: .3rem 0; }
input, textarea { width: 100%; box-sizing: border-box; padding: .3rem; }
textarea { height: 8rem; }
pre { background: #8882; max-height: 30rem; overflow: auto; padding: .6rem; white-space: pre-wrap; }
small { opacity: .7; }
`;

/* Makes a form of every operation of /openapi.json. Texts are set as text, never as markup. */
const SCRIPT = `
const make = (name, text, ...inside) => {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  element.append(...inside);
  return element;
};
const field = (label, about, element) => make('label', label + ' ', make('small', about || ''), element);
const token = document.querySelector('#token');

async function show(answer, out) {
  out.textContent = answer.status + ' ' + answer.statusText + '\\n';
  const type = answer.headers.get('content-type') || '';
  if (!type.includes('event-stream')) {
    const text = await answer.text();
    try { out.textContent += JSON.stringify(JSON.parse(text), null, 2); } catch { out.textContent += text; }
    return;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) out.textContent += part.value;
}

function form(path, method, operation) {
  const inputs = (operation.parameters || []).map((parameter) => ({ parameter, input: make('input') }));
  const body = operation.requestBody && make('textarea');
  if (body) body.value = '{}';
  const out = make('pre');
  let stop = new AbortController();
  const button = make('button', 'send');
  button.onclick = async () => {
    stop.abort();
    stop = new AbortController();
    let place = path;
    const query = new URLSearchParams();
    const headers = token.value ? { authorization: 'Bearer ' + token.value } : {};
    for (const { parameter, input } of inputs) {
      if (parameter.in === 'path') place = place.replace('{' + parameter.name + '}', encodeURIComponent(input.value));
      else if (input.value && parameter.in === 'query') query.append(parameter.name, input.value);
      else if (input.value) headers[parameter.name] = input.value;
    }
    if (body) headers['content-type'] = 'application/json';
    const url = place + (query.size ? '?' + query : '');
    try {
      const asked = { method: method.toUpperCase(), headers, body: body && body.value, signal: stop.signal };
      await show(await fetch(url, asked), out);
    } catch (error) {
      if (error.name !== 'AbortError') out.textContent += String(error);
    }
  };
  const fields = inputs.map(({ parameter, input }) =>
    field(parameter.name, parameter.description || (parameter.schema || {}).description, input));
  const head = make('summary', '', make('code', method.toUpperCase() + ' ' + path), ' ' + operation.summary);
  return make('details', '', head, ...fields, ...(body ? [field('body', 'JSON', body)] : []), button, out);
}

fetch('/openapi.json').then((answer) => answer.json()).then((api) => {
  document.querySelector('#version').textContent = api.info.version;
  const list = document.querySelector('#list');
  let tag = '';
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (operation.tags[0] !== tag) list.append(make('h2', (tag = operation.tags[0])));
      list.append(form(path, method, operation));
    }
  }
});
`;

/** A page to try the API with: one file, which loads nothing but /openapi.json. */
export const TRY_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Shoal API</title><style>${STYLE}</style></head>
<body><h1>Shoal <small id="version"></small></h1>
<p>Every route of <a href="/openapi.json">/openapi.json</a>. The token stays on this page.</p>
<label>token <small>of shoal token create</small><input id="token" type="password" autocomplete="off"></label>
<div id="list"></div><script>${SCRIPT}</script></body></html>
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** What a browser may do on the page. */
export const TRY_PAGE_POLICY = [
  "default-src 'none'",
  "connect-src 'self'",
  `script-src ${hashOf(SCRIPT)}`,
  `style-src ${hashOf(STYLE)}`,
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');
