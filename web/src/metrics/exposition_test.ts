// Lines as the server writes them.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseExposition } from './exposition.ts';

test('samples with and without labels, comments left out', () => {
  const text = '# HELP a:b What\n# TYPE a:b gauge\na:b{x="1",y="two"} 3.5\nplain 1e-05\n\n';
  assert.deepEqual(parseExposition(text), [
    { name: 'a:b', labels: { x: '1', y: 'two' }, value: 3.5 },
    { name: 'plain', labels: {}, value: 1e-5 },
  ]);
});

test('escapes and braces inside a label', () => {
  const [sample] = parseExposition('m{model_name="a\\"b\\\\c\\nd} e",le="+Inf"} +Inf');
  assert.deepEqual(sample?.labels, { model_name: 'a"b\\c\nd} e', le: '+Inf' });
  assert.equal(sample?.value, Infinity);
});
