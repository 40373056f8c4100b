// Makes assets/feature-config.min.js. Run it with `npm run minify` after each change to the client.
import { readFile, writeFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { minify as terser } from 'terser';
import { asset } from './support/assets.mjs';

const OPTIONS = { ecma: 2020, compress: { ecma: 2020, passes: 3 }, mangle: true };

/** The minified text of the client. */
export async function minify(source) {
  // The last line is two programs in one (see there): no parser knows both, so it is kept as it is.
  const [, program, lastLine] = /^([^]*\n)(.+)\n$/.exec(source);
  const { code } = await terser(program, OPTIONS);
  return `${code}\n${lastLine}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const source = await readFile(asset('feature-config.js'), 'utf8');
  await writeFile(asset('feature-config.min.js'), await minify(source));
}
