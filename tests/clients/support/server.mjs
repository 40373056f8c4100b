// A server of our own: a database made with the command line, and the binary serving it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const fixture = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** A fresh database with the fixture in it, and the commands that work on it. */
export async function makeDatabase(binary) {
  const folder = await mkdtemp(join(tmpdir(), 'featured-clients-'));
  const db = join(folder, 'flags.db');

  const featured = (args, input = '') =>
    new Promise((resolve, reject) => {
      const child = execFile(binary, [...args, '--db', db], (error, stdout, stderr) =>
        error ? reject(new Error(`featured ${args.join(' ')}: ${stderr || error.message}`)) : resolve(stdout.trim()),
      );
      child.stdin.end(input);
    });

  await featured(['import', fixture('fixture.yaml')]);

  return {
    db,
    featured,
    importDocument: (name) => featured(['import', fixture(name)]),
    /** A token of `site`/prod, for so many requests a minute (0: any number). */
    async token(site, kind, permissions = ['READ'], limit = 0) {
      const json = await featured([
        'token', 'add', '--site', site, '--env', 'prod', '--kind', kind,
        '--rate-limit', `${limit}`, '--permissions', permissions.join(','), '--description', 'client suites', '--json',
      ]);
      return JSON.parse(json).token;
    },
    /** A personal access token of a new admin. */
    async personalToken() {
      const password = 'client-suites-only';
      await featured(['user', 'add', 'ana', '--email', 'ana@shop.example', '--role', 'admin', '--password-stdin'], password);
      return (await featured(['user', 'pat', 'ana', '--description', 'client suites'])).split(/\s+/).at(-1);
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Serves a database; resolves when it listens. `stop` asks it to end, and rejects if it ends badly. */
export async function serve(binary, db, listen = '127.0.0.1:0', more = []) {
  const child = spawn(binary, ['--db', db, '--listen', listen, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = () => child.kill();
  process.once('exit', kill); // should the suite end before it stops its server
  const ended = once(child, 'exit').then(([code]) => code);
  const url = await Promise.race([
    listeningUrl(child.stdout),
    ended.then((code) => Promise.reject(new Error(`featured ended with ${code} before it listened`))),
  ]);
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      const code = await ended;
      process.off('exit', kill);
      if (code !== 0) throw new Error(`featured ended with ${code} on SIGTERM`);
    },
  };
}

async function listeningUrl(stdout) {
  for await (const line of createInterface({ input: stdout })) {
    const url = /listening on (http:\/\/\S+)/.exec(line)?.[1];
    if (url) {
      stdout.resume(); // or a full pipe would stop the server
      return url;
    }
  }
  return new Promise(() => {}); // ended without a word: the caller hears it from the exit
}
