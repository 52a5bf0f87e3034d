// Percentiles against values worked out by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { type Bucket, countedSince, percentile } from './histogram.ts';

function buckets(...counts: number[]): Bucket[] {
  const borders = [1, 2, 4, Infinity];
  return counts.map((count, i) => ({ border: borders[i] ?? Infinity, count }));
}

test('linear within the bucket', () => {
  assert.equal(percentile(buckets(10, 10, 10, 10), 0.5), 0.5);
  assert.equal(percentile(buckets(0, 10, 10, 10), 0.5), 1.5);
  assert.equal(percentile(buckets(5, 5, 15, 15), 0.9), 2 + (2 * 8.5) / 10);
});

test('the least and the greatest share', () => {
  assert.equal(percentile(buckets(0, 4, 8, 8), 0), 1);
  assert.equal(percentile(buckets(0, 4, 8, 8), 1), 4);
});

test('past the last finite border', () => {
  assert.equal(percentile(buckets(0, 0, 0, 3), 0.99), 4);
});

test('nothing counted has no percentile', () => {
  assert.equal(percentile(buckets(0, 0, 0, 0), 0.5), null);
  assert.equal(percentile([], 0.5), null);
});

test('a window is what came since', () => {
  const window = countedSince(buckets(1, 5, 9, 9), buckets(1, 2, 3, 3));
  assert.deepEqual(
    window.map((bucket) => bucket.count),
    [0, 3, 6, 6],
  );
  assert.deepEqual(countedSince(buckets(1, 2, 3, 3), undefined), buckets(1, 2, 3, 3));
});
