// Where the client's own files are.
import { fileURLToPath } from 'node:url';

/** The path of a file in the repository's assets/. */
export const asset = (name) => fileURLToPath(new URL(`../../../assets/${name}`, import.meta.url));
