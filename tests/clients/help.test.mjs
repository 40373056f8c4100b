// The code on the help pages, copied as a reader copies it, and run: OpenFeature, Flagr and Farfetched.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { allSettled, fork } from 'effector';
import { binary, databaseFile, flagrClientToken, serverUrl } from './support/environment.mjs';
import { makeFlag } from './support/flagr.mjs';
import { token } from './support/openfeature.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const generated = (name) => here(`.generated/${name}`);
/** Whose pages they are. */
const reader = { username: 'reader', password: 'a quiet harbour' };

let cookie;
before(async () => {
  await mkdir(generated(''), { recursive: true });
  const words = ['user', 'add', reader.username, '--email', 'reader@shop.example', '--role', 'viewer', '--password-stdin'];
  const adding = run(binary, [...words, '--db', databaseFile]);
  adding.child.stdin.end(reader.password);
  await adding;
  const form = await fetch(`${serverUrl}/signin`);
  const csrf = /name="csrf" value="([^"]+)"/.exec(await form.text())?.[1];
  const cookies = (answer) => answer.headers.getSetCookie().map((one) => one.split(';')[0]);
  const before = cookies(form);
  const answer = await fetch(`${serverUrl}/signin`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Cookie: before.join('; '), Origin: serverUrl },
    body: new URLSearchParams({ ...reader, ...(csrf && { csrf }) }),
  });
  assert.equal(answer.status, 303, await answer.text());
  cookie = [...before, ...cookies(answer)].join('; ');
});

/** The block of code with this id on a help page, for a reader who chose this environment. */
async function block(page, id, at) {
  const answer = await fetch(`${serverUrl}/help/${page}?at=${encodeURIComponent(at)}`, { headers: { Cookie: cookie } });
  const html = await answer.text();
  assert.equal(answer.status, 200, html);
  const code = new RegExp(`<pre[^>]* id="${id}"[^>]*>(.*?)</pre>`, 's').exec(html)?.[1];
  assert.ok(code, `no ${id} on ${page}`);
  const named = { lt: '<', gt: '>', quot: '"', amp: '&' };
  return code.replace(/<[^>]+>/g, '').replace(/&(lt|gt|quot|amp);/g, (_, name) => named[name]);
}

/** Runs a program with the reader's token; what it prints. */
async function printed(command, args, secret) {
  const environment = { ...process.env, FEATURED_TOKEN: secret };
  const { stdout } = await run(command, args, { cwd: here('.'), env: environment, timeout: 120_000 });
  return stdout.trim();
}

async function script(name, text, secret) {
  await writeFile(generated(name), text);
  return name.endsWith('.py') ? printed(here('.venv/bin/python'), ['-B', generated(name)], secret) : printed('node', [generated(name)], secret);
}

test('OpenFeature for Node and Python, as printed', async () => {
  // The reader's first feature is one that is on for the user of the examples.
  assert.equal(await script('help-openfeature.mjs', await block('openfeature', 'c-js', 'openfeature/prod'), token), 'true');
  assert.equal(await script('help-openfeature.py', await block('openfeature', 'c-python', 'openfeature/prod'), token), 'True');
});

test('OpenFeature for Go, as printed inside a function', async () => {
  const code = await block('openfeature', 'c-go', 'openfeature/prod');
  const folder = here('openfeature-go/help');
  await mkdir(folder, { recursive: true });
  try {
    const imports = ['context', 'fmt', 'log', 'os', 'github.com/open-feature/go-sdk-contrib/providers/ofrep', 'github.com/open-feature/go-sdk/openfeature'];
    const body = code.split('\n').map((line) => `\t${line}`).join('\n');
    await writeFile(`${folder}/main.go`,
      `package main\n\nimport (\n${imports.map((name) => `\t"${name}"`).join('\n')}\n)\n\nfunc main() {\n${body}\n\tfmt.Println(value, err)\n}\n`);
    assert.equal(await printed('go', ['-C', here('openfeature-go'), 'run', './help'], token), 'true <nil>');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('Flagr for Node and Python, as printed', async () => {
  await makeFlag('a-help');
  const node = await block('flagr', 'c-flagr-node', 'flagr/prod');
  assert.match(node, /flagKey: 'a-help'/);
  assert.equal(await script('help-flagr.mjs', `${node}\nconsole.log(variantKey);`, flagrClientToken), 'on');
  assert.equal(await script('help-flagr.py', await block('flagr', 'c-flagr-python', 'flagr/prod'), flagrClientToken), 'on');
});

test('the Farfetched service is word for word the file that the suite runs, and its use works as printed', async () => {
  const service = await block('farfetched', 'c-farfetched', 'flagr/prod');
  assert.equal(service.trimEnd(), (await readFile(here('../../assets/farfetched/feature-flags.js'), 'utf8')).trimEnd());
  await writeFile(generated('feature-flags.js'), service);
  await writeFile(generated('package.json'), '{"type": "module"}');
  const use = await block('farfetched', 'c-farfetched-use', 'flagr/prod');
  assert.match(use, /key: 'a-help'/);
  await writeFile(generated('help-farfetched.js'), use.replace('YOUR CLIENT TOKEN', flagrClientToken));
  const { applicationInitialized, $dynamicFaviconEnabled, $isDefault } = await import('./.generated/help-farfetched.js');
  const scope = fork();
  assert.deepEqual([scope.getState($dynamicFaviconEnabled), scope.getState($isDefault)], [false, true]);
  await allSettled(applicationInitialized, { scope });
  assert.deepEqual([scope.getState($dynamicFaviconEnabled), scope.getState($isDefault)], [true, false]);
});
