// How numbers look.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatBytes, formatMs, formatNumber, formatShare, shortModel } from './format.ts';

test('three figures', () => {
  assert.deepEqual(
    [0, 7, 0.1234, 12.34, 123.4, 1234.5, null].map(formatNumber),
    ['0', '7', '0.12', '12.3', '123', '1,235', '–'],
  );
});

test('bytes, times and shares with their units', () => {
  assert.deepEqual([0, 999, 11640832, 1994613760].map(formatBytes), ['0 B', '999 B', '11.6 MB', '1.99 GB']);
  assert.deepEqual([0.5, 63.1, 1500, null].map(formatMs), ['0.5 ms', '63.1 ms', '1.5 s', '–']);
  assert.deepEqual([0, 0.1386, 1].map(formatShare), ['0 %', '13.9 %', '100 %']);
});

test('the name of a model that is a path', () => {
  assert.deepEqual(['pebble', '/a/b/pebble/', 'org/name'].map(shortModel), ['pebble', 'pebble', 'name']);
});
