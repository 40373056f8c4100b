// The files as they are handed out: their sizes, the ways to load them, their types.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { minify } from './minify.mjs';
import { asset } from './support/assets.mjs';
import { clientToken, serverUrl } from './support/environment.mjs';

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const read = (name) => readFile(asset(name), 'utf8');
const scripts = ['feature-config.js', 'feature-config.min.js'];

/** A folder that is gone after the test. */
async function makeFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), 'featured-packaging-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

describe('the minified file', () => {
  test('is what `npm run minify` makes of the client', async () => {
    assert.equal(await read('feature-config.min.js'), await minify(await read('feature-config.js')));
  });

  test('has at most 4.5 KB, and 2 KB gzipped', async () => {
    const bytes = await readFile(asset('feature-config.min.js'));
    assert.ok(bytes.length <= 4_500, `${bytes.length} bytes`);
    const gzipped = gzipSync(bytes, { level: 9 }).length;
    assert.ok(gzipped <= 2_000, `${gzipped} bytes gzipped`);
  });
});

describe('the server hands out', () => {
  for (const name of [...scripts, 'feature-config.d.ts']) {
    test(`/${name}, also to pages of other origins`, async () => {
      const reply = await fetch(`${serverUrl}/${name}`, { headers: { Origin: 'https://shop.example' } });
      assert.equal(reply.status, 200);
      assert.equal(reply.headers.get('access-control-allow-origin'), '*');
      if (scripts.includes(name)) assert.match(reply.headers.get('content-type'), /^text\/javascript\b/);
      assert.ok((await reply.text()) === (await read(name)), 'not the file in assets/: is the server built from it?');
    });
  }
});

for (const name of scripts) {
  describe(`${name} in Node`, () => {
    /**
     * Runs a program in a folder that holds the client as `feature-config.js`; answers what it prints.
     * Rejects when it ends badly, or not within 20 seconds.
     */
    async function runBeside(t, file, program, packageJson) {
      const folder = await makeFolder(t);
      await cp(asset(name), join(folder, 'feature-config.js'));
      await writeFile(join(folder, file), program);
      if (packageJson) await writeFile(join(folder, 'package.json'), JSON.stringify(packageJson));
      const environment = { ...process.env, API: `${serverUrl}/api/v1`, TOKEN: clientToken };
      const { stdout } = await run(process.execPath, [file], { cwd: folder, env: environment, timeout: 20_000 });
      return stdout.trim();
    }

    const ask = `
      const client = new FeatureConfigClient({ apiToken: process.env.TOKEN, baseUrl: process.env.API });
      const ask = () => client.getFeature('shop', 'prod', 'welcome_message', 'Hello!', {});`;

    test('is required, as the class itself or by its name', async (t) => {
      const program = `const FeatureConfigClient = require('./feature-config.js');
        const { FeatureConfigClient: byName, default: byDefault } = require('./feature-config.js');
        ${ask} ask().then((value) => console.log(value, byName === FeatureConfigClient, byDefault === byName));`;
      assert.equal(await runBeside(t, 'main.cjs', program), 'Welcome to our shop! true true');
    });

    test('is imported in a package of modules, as default or by its name', async (t) => {
      const program = `import byDefault, { FeatureConfigClient } from './feature-config.js';
        ${ask} console.log(await ask(), byDefault === FeatureConfigClient);
        console.log(typeof globalThis.FeatureConfigClient);`;
      assert.equal(await runBeside(t, 'main.js', program, { type: 'module' }), 'Welcome to our shop! true\nundefined');
    });

    test('is imported as default where .js means CommonJS', async (t) => {
      const program = `import FeatureConfigClient from './feature-config.js'; ${ask} console.log(await ask());`;
      assert.equal(await runBeside(t, 'main.mjs', program), 'Welcome to our shop!');
    });

    test('lets the process end, whatever it still had in mind', async (t) => {
      // After this the client has a batch waiting for its 60 seconds, and a stream ended. Nothing calls exit.
      const program = `const FeatureConfigClient = require('./feature-config.js');
        ${ask}
        const unsubscribe = client.subscribe('shop', 'prod', {}, async () => {
          unsubscribe();
          await ask(); await ask();
          console.log('done');
        });`;
      assert.equal(await runBeside(t, 'main.cjs', program), 'done');
    });
  });
}

describe('the types', () => {
  const check = async (t, options, ...files) => {
    const folder = await makeFolder(t);
    await cp(here('types'), folder, { recursive: true });
    for (const name of ['feature-config.d.ts', 'feature-config.js']) await cp(asset(name), join(folder, name));
    const compiler = here('node_modules/.bin/tsc');
    const fixed = ['--noEmit', '--strict', '--ignoreConfig', '--target', 'es2022', '--lib', 'es2022,dom', '--types', ''];
    await run(compiler, [...fixed, ...options, ...files], { cwd: folder }).catch((error) => {
      assert.fail(error.stdout || error.message);
    });
  };

  test('fit modules, in browsers', (t) => check(t, ['--module', 'esnext', '--moduleResolution', 'bundler'], 'sample.ts'));
  test('fit modules and `require`, in Node', (t) => check(t, ['--module', 'nodenext'], 'sample.ts', 'required.cts'));
  test('fit the script tag', (t) => check(t, ['--module', 'esnext', '--moduleDetection', 'auto'], 'global.ts'));
});
