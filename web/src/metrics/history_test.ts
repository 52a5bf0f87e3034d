// From scrapes to series: rates, windows, gaps and a server that starts anew.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kKept, kept, seriesOf } from './history.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';

function scrape(time: number, tokens: number, fast = 0, slow = 0): Snapshot {
  const label = '{model_name="m",engine="0"';
  return readSnapshot(
    [
      `vllm:num_requests_running${label}} 2`,
      `vllm:generation_tokens_total${label}} ${tokens}`,
      `vllm:prefix_cache_queries_total${label}} ${tokens * 10}`,
      `vllm:prefix_cache_hits_total${label}} ${tokens * 5}`,
      `strata:kv_blocks${label},group="0",state="free"} 7`,
      `strata:kv_blocks${label},group="1",state="free"} 1`,
      `strata:kv_blocks${label},group="0",state="cached"} 3`,
      `strata:memory_bytes${label},tag="KV"} 64`,
      `vllm:time_to_first_token_seconds_bucket${label},le="0.1"} ${fast}`,
      `vllm:time_to_first_token_seconds_bucket${label},le="0.3"} ${fast + slow}`,
      `vllm:time_to_first_token_seconds_bucket${label},le="+Inf"} ${fast + slow}`,
    ].join('\n'),
    time,
  );
}

test('a scrape by name and label', () => {
  const one = scrape(1, 4);
  assert.equal(one.running, 2);
  assert.deepEqual(one.blocks, [
    { name: 'free', value: 8 },
    { name: 'cached', value: 3 },
  ]);
  assert.deepEqual(one.memory, [{ name: 'KV', value: 64 }]);
  assert.equal(one.firstToken.at(-1)?.border, Infinity);
});

test('counters become rates, and a gap breaks the line', () => {
  const series = seriesOf([scrape(1, 0), scrape(2, 10), scrape(4, 50), scrape(60, 60)]);
  assert.deepEqual(series.answerRate, [null, 10, 20, null]);
  assert.deepEqual(series.hitRate, [null, 0.5, 0.5, 0.5]);
});

test('percentiles look back over a window', () => {
  const history = [scrape(0, 0, 5, 0), scrape(1, 0, 9, 0), scrape(30, 0, 9, 0), scrape(31, 0, 9, 4)];
  const { p50 } = seriesOf(history).firstToken;
  assert.deepEqual(
    p50.map((value) => (value === null ? null : Math.round(value))),
    [null, 50, null, 200],
  );
});

test('only the last minutes are kept, and nothing of an earlier server', () => {
  let history: Snapshot[] = [];
  for (let i = 0; i < kKept + 5; i++) history = kept(history, scrape(i, i));
  assert.equal(history.length, kKept);
  assert.equal(kept(history, scrape(9999, 1)).length, 1);
});
