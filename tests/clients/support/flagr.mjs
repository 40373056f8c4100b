// Flags made through the Flagr door, for what is to be evaluated.
import { flagrUrl } from './environment.mjs';

const ask = async (method, path, body) => {
  const answer = await fetch(flagrUrl + path, { method, headers: { 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
};

/** A live flag of two variants `on` and `off` with values; `constraint` says who gets `on`, the rest gets `off`. */
export async function makeFlag(key, { on = true, off = false, constraint } = {}) {
  const { id } = await ask('POST', '/flags', { key, description: key });
  const variant = (name, value) => ask('POST', `/flags/${id}/variants`, { key: name, attachment: { value } });
  const made = { on: await variant('on', on), off: await variant('off', off) };
  const segment = async (description, name, leaf) => {
    const { id: segmentID } = await ask('POST', `/flags/${id}/segments`, { description, rolloutPercent: 100 });
    if (leaf) await ask('POST', `/flags/${id}/segments/${segmentID}/constraints`, leaf);
    const distributions = [{ percent: 100, variantID: made[name].id, variantKey: name }];
    await ask('PUT', `/flags/${id}/segments/${segmentID}/distributions`, { distributions });
  };
  await segment('chosen', 'on', constraint);
  if (constraint) await segment('rest', 'off');
  await ask('PUT', `/flags/${id}/enabled`, { enabled: true });
  return id;
}
