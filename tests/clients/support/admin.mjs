// The person who changes features while clients look on: the admin API under a personal access token.
import { randomUUID } from 'node:crypto';
import { personalToken, serverUrl } from './environment.mjs';

/** An admin call; answers the decoded body. Throws on any status that is not 2xx. */
export async function admin(method, path, body) {
  const reply = await fetch(`${serverUrl}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${personalToken}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${method} ${path} answered ${reply.status}: ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** A feature of shop/prod made for one test, and gone after it. */
export async function makeFeature(test, feature) {
  const features = '/sites/shop/environments/prod/features';
  const key = `test_${randomUUID()}`;
  await admin('POST', features, { key, ...feature });
  let deleted = false;
  const made = {
    key,
    patch: (changes) => admin('PATCH', `${features}/${key}`, changes),
    delete: () => {
      deleted = true;
      return admin('DELETE', `${features}/${key}`);
    },
  };
  test.after(async () => deleted || made.delete());
  return made;
}
