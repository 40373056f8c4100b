// Serves a fresh database that holds the fixture, and runs every client suite against it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { makeDatabase, serve } from './support/server.mjs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const binary = process.env.FEATURED_BIN;
const suites = process.argv.slice(2);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const database = await makeDatabase(binary);
try {
  await database.importDocument('manual.yaml');
  await database.importDocument('openfeature.yaml');
  await database.importDocument('flagr.yaml');
  const environment = {
    FEATURED_BIN: binary,
    FEATURED_DB_FILE: database.db,
    FEATURED_CLIENT_TOKEN: await database.token('shop', 'client'),
    FEATURED_SERVER_TOKEN: await database.token('shop', 'server'),
    FEATURED_MANUAL_CLIENT_TOKEN: await database.token('your-site-id', 'client'),
    FEATURED_MANUAL_SERVER_TOKEN: await database.token('your-site-id', 'server'),
    FEATURED_OPENFEATURE_TOKEN: await database.token('openfeature', 'client'),
    FEATURED_OPENFEATURE_SLOW_TOKEN: await database.token('openfeature', 'client', ['READ'], 1),
    FEATURED_FLAGR_TOKEN: await database.token('flagr', 'server', ['READ', 'FLAGR_ADMIN']),
    FEATURED_FLAGR_CLIENT_TOKEN: await database.token('flagr', 'client'),
    FEATURED_PAT: await database.personalToken(),
  };
  const server = await serve(binary, database.db);
  try {
    environment.FEATURED_URL = server.url;
    // Flagr's clients set no headers: the token stands in the path.
    environment.FEATURED_FLAGR_URL = `${server.url}/flagr/${environment.FEATURED_FLAGR_TOKEN}/api/v1`;
    for (const suite of suites) {
      const [command, ...words] = suite.split(' ');
      console.log(`\n== ${suite}`);
      const child = spawn(command, words, { cwd: folder, stdio: 'inherit', env: { ...process.env, ...environment } });
      const [code] = await once(child, 'exit');
      if (code !== 0) process.exitCode = 1;
    }
  } finally {
    await server.stop();
  }
} finally {
  await database.remove();
}
