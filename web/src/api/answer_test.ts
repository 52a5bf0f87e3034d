// Chunks as the server sends them, and what they add up to.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kNoAnswer, saysSomething, tokensPerSecond, withChunk } from './answer.ts';
import type { Chunk, Delta } from './types.ts';

function chunk(delta: Delta, finish: string | null = null): Chunk {
  return { choices: [{ index: 0, delta, finish_reason: finish }] };
}

test('text, thoughts, reason and usage add up', () => {
  const chunks: Chunk[] = [
    chunk({ content: '' }),
    chunk({ reasoning_content: 'Hm' }),
    chunk({ reasoning_content: '.' }),
    chunk({ content: 'Yes' }),
    chunk({ content: '!' }, 'stop'),
    { choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } },
  ];
  const answer = chunks.reduce(withChunk, kNoAnswer);
  assert.equal(answer.content, 'Yes!');
  assert.equal(answer.reasoning, 'Hm.');
  assert.equal(answer.finish, 'stop');
  assert.equal(answer.usage?.total_tokens, 7);
  assert.deepEqual(chunks.map(saysSomething), [false, true, true, true, true, false]);
});

test('calls grow by their index', () => {
  const answer = [
    chunk({ tool_calls: [{ index: 0, id: 'a', function: { name: 'add', arguments: '' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: '{"x"' } }] }),
    chunk({ tool_calls: [{ index: 1, id: 'b', function: { name: 'sub', arguments: '{}' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: ': 1}' } }] }, 'tool_calls'),
  ].reduce(withChunk, kNoAnswer);
  assert.deepEqual(
    answer.toolCalls.map((call) => [call.id, call.function.name, call.function.arguments]),
    [
      ['a', 'add', '{"x": 1}'],
      ['b', 'sub', '{}'],
    ],
  );
});

test('speed is of the tokens behind the first', () => {
  const usage = { prompt_tokens: 1, completion_tokens: 11, total_tokens: 12 };
  assert.equal(tokensPerSecond(usage, { firstMs: 100, lastMs: 600 }), 20);
  assert.equal(tokensPerSecond(usage, { firstMs: 5, lastMs: 6 }), null);
  assert.equal(tokensPerSecond(null, null), null);
});
