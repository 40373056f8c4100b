// npm flagr-client through its whole surface.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import flagr from 'flagr-client';
import { flagrToken, flagrUrl } from './support/environment.mjs';

const configuration = flagr.createConfiguration({ baseServer: new flagr.ServerConfiguration(flagrUrl, {}) });
const called = new Set();
/** One of the client's APIs; what is called of it is written down, for the last test. */
const api = (name) =>
  new Proxy(new flagr[name](configuration), {
    get(target, method) {
      called.add(`${name}.${method}`);
      return target[method].bind(target);
    },
  });
const flags = api('FlagApi');
const variants = api('VariantApi');
const segments = api('SegmentApi');
const constraints = api('ConstraintApi');
const distributions = api('DistributionApi');
const tags = api('TagApi');
const evaluation = api('EvaluationApi');

/** The client knows errors only by their text. */
const refused = (promise, text) =>
  assert.rejects(promise, (error) => {
    assert.ok(error.body?.message, `${error}`);
    assert.match(error.body.message, text);
    return true;
  });

let flag;
before(async () => {
  flag = await flags.createFlag({ key: 'node-checkout', description: 'New checkout' });
});

test('the server is well', async () => {
  assert.equal((await api('HealthApi').getHealth()).status, 'OK');
});

test('a flag is made disabled, changed, found and listed', async () => {
  assert.equal(flag.enabled, false);
  assert.ok(flag.id >= 1 && flag.updatedAt instanceof Date);
  const changed = await flags.putFlag(flag.id, { description: 'Changed', notes: '# notes', dataRecordsEnabled: true, entityType: 'user' });
  assert.equal(changed.description, 'Changed');
  assert.equal(changed.notes, '# notes');
  assert.equal((await flags.getFlag(flag.id)).entityType, 'user');
  const named = async (...filter) => (await flags.findFlags(...filter)).map(({ key }) => key);
  assert.deepEqual(await named(undefined, undefined, undefined, undefined, undefined, 'node-checkout'), ['node-checkout']);
  assert.deepEqual(await named(1, undefined, undefined, undefined, 'CHANG'), ['node-checkout']);
  assert.ok((await flags.getFlagEntityTypes()).includes('user'));
  await refused(flags.createFlag({ key: 'node-checkout', description: 'again' }), /flag key already exists/);
  await refused(flags.createFlag({ description: '' }), /description in body should be at least 1 chars long/);
  await refused(flags.getFlag(987654), /unable to find flag 987654 in the database/);
});

test('variants, segments, constraints and distributions make an evaluation', async () => {
  const control = await variants.createVariant(flag.id, { key: 'control' });
  const blue = await variants.createVariant(flag.id, { key: 'blu', attachment: { color: 'blue', deep: { n: 1 } } });
  assert.equal((await variants.putVariant(flag.id, blue.id, { key: 'blue' })).key, 'blue');
  const spare = await variants.createVariant(flag.id, { key: 'spare' });
  await variants.deleteVariant(flag.id, spare.id);
  assert.deepEqual((await variants.findVariants(flag.id)).map(({ key }) => key), ['control', 'blue']);

  const germans = await segments.createSegment(flag.id, { description: 'Germans', rolloutPercent: 100 });
  assert.equal(germans.rank, 999);
  const rest = await segments.createSegment(flag.id, { description: 'Rest', rolloutPercent: 50 });
  await segments.putSegment(flag.id, rest.id, { description: 'The rest', rolloutPercent: 100 });
  await segments.putSegmentsReorder(flag.id, { segmentIDs: [rest.id, germans.id] });
  assert.deepEqual((await segments.findSegments(flag.id)).map(({ id }) => id), [rest.id, germans.id]);
  await segments.putSegmentsReorder(flag.id, { segmentIDs: [germans.id, rest.id] });

  const constraint = await constraints.createConstraint(flag.id, germans.id, { property: 'country', operator: 'EQ', value: '"FR"' });
  await constraints.putConstraint(flag.id, germans.id, constraint.id, { property: 'country', operator: 'EQ', value: '"DE"' });
  const extra = await constraints.createConstraint(flag.id, germans.id, { property: 'age', operator: 'GTE', value: '18' });
  await constraints.deleteConstraint(flag.id, germans.id, extra.id);
  assert.deepEqual((await constraints.findConstraints(flag.id, germans.id)).map(({ value }) => value), ['"DE"']);
  await refused(constraints.createConstraint(flag.id, germans.id, { property: 'country', operator: 'EQ', value: 'DE' }), /quotes/);

  const share = (variant, percent) => ({ percent, variantID: variant.id, variantKey: variant === blue ? 'blue' : variant.key });
  await refused(distributions.putDistributions(flag.id, germans.id, { distributions: [share(blue, 90)] }), /percent 90 is not 100/);
  await distributions.putDistributions(flag.id, germans.id, { distributions: [share(blue, 100)] });
  await distributions.putDistributions(flag.id, rest.id, { distributions: [share(control, 100)] });
  assert.equal((await distributions.findDistributions(flag.id, germans.id))[0].variantKey, 'blue');
  await refused(variants.deleteVariant(flag.id, blue.id), /still has non-zero distribution 100/);

  assert.equal((await flags.setFlagEnabled(flag.id, { enabled: true })).enabled, true);
  const tag = await tags.createTag(flag.id, { value: 'node' });
  const second = await tags.createTag(flag.id, { value: 'second' });
  await tags.deleteTag(flag.id, second.id);
  assert.deepEqual((await tags.findTags(flag.id)).map(({ value }) => value), ['node']);
  assert.deepEqual((await tags.findAllTags(undefined, undefined, 'NOD')).map(({ id }) => id), [tag.id]);

  const german = await evaluation.postEvaluation({ entityID: 'ann', entityContext: { country: 'DE' }, flagKey: 'node-checkout', enableDebug: true });
  assert.equal(german.variantKey, 'blue');
  assert.deepEqual(german.variantAttachment, { color: 'blue', deep: { n: 1 } });
  assert.equal(german.segmentID, germans.id);
  assert.equal(german.evalContext.entityType, 'user');
  assert.match(german.evalDebugLog.segmentDebugLogs[0].msg, /^matched all constraints. rollout yes/);
  const french = await evaluation.postEvaluation({ entityID: 'ann', entityContext: { country: 'FR' }, flagID: flag.id });
  assert.equal(french.variantKey, 'control');

  const entities = [{ entityID: 'ann', entityContext: { country: 'DE' } }, { entityID: 'bo', entityContext: {} }];
  const batch = await evaluation.postEvaluationBatch({ entities, flagKeys: ['node-checkout', 'gone'], flagIDs: [flag.id], flagTags: ['node'], flagTagsOperator: 'ALL' });
  const told = batch.evaluationResults.map(({ evalContext, flagKey, variantKey }) => [evalContext.entityID, flagKey, variantKey]);
  assert.deepEqual(told.filter(([, key]) => key === 'node-checkout'), [
    ...Array(3).fill(['ann', 'node-checkout', 'blue']),
    ...Array(3).fill(['bo', 'node-checkout', 'control']),
  ]);
  assert.equal(told.filter(([, key, variant]) => key === 'gone' && variant === undefined).length, 2);
  await refused(evaluation.postEvaluationBatch({ entities: [], flagKeys: ['x'] }), /entities in body should have at least 1 items/);
  assert.deepEqual((await flags.findFlags(undefined, undefined, undefined, 'node', undefined, undefined, undefined, true))[0].variants.length, 2);
  await segments.deleteSegment(flag.id, rest.id);
});

test('snapshots, exports, delete and restore', async () => {
  const snapshots = await flags.getFlagSnapshots(flag.id);
  assert.ok(snapshots.length > 10);
  assert.equal(snapshots[0].flag.id, flag.id);
  assert.equal(snapshots.at(-1).flag.description, 'New checkout');
  const cache = await api('ExportApi').getExportEvalCacheJSON();
  assert.ok(cache.Flags.some(({ Key, ID }) => Key === 'node-checkout' && ID === flag.id));
  const file = await api('ExportApi').getExportSqlite(true);
  assert.equal(Buffer.from(file.data ?? file).subarray(0, 15).toString(), 'SQLite format 3');
  await flags.deleteFlag(flag.id);
  await refused(flags.getFlag(flag.id), /unable to find flag/);
  const deleted = await flags.findFlags(undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined, true);
  assert.ok(deleted.some(({ id }) => id === flag.id));
  assert.equal((await flags.restoreFlag(flag.id)).id, flag.id);
  assert.equal((await evaluation.postEvaluation({ entityID: 'ann', entityContext: { country: 'DE' }, flagID: flag.id })).variantKey, 'blue');
});

test('a token without the permission manages nothing', async () => {
  const { clientToken, serverUrl } = await import('./support/environment.mjs');
  const other = flagr.createConfiguration({ baseServer: new flagr.ServerConfiguration(`${serverUrl}/flagr/${clientToken}/api/v1`, {}) });
  await refused(new flagr.FlagApi(other).findFlags(), /FLAGR_ADMIN/);
  assert.equal(typeof flagrToken, 'string');
});

test('nothing that the client offers was left out', () => {
  const offered = Object.keys(flagr)
    .filter((name) => /^[A-Z]\w*Api$/.test(name))
    .flatMap((name) => Object.getOwnPropertyNames(flagr[name].prototype).map((method) => `${name}.${method}`))
    .filter((method) => !/\.constructor$|WithHttpInfo$/.test(method));
  assert.equal(new Set(offered.map((method) => method.split('.')[0])).size, 9);
  assert.deepEqual(offered.filter((method) => !called.has(method)), []);
});
