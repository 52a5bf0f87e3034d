// Events however their bytes are cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SseParser } from './sse.ts';

function parseAll(pieces: string[]): string[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

test('one event for each empty line', () => {
  assert.deepEqual(parseAll(['data: a\n\ndata: b\n\n']), ['a', 'b']);
});

test('any cut gives the same events', () => {
  const text = ': ping\n\ndata: {"a": 1}\r\n\r\ndata:b\ndata: c\nid: 7\n\ndata: [DONE]\n\n';
  const whole = parseAll([text]);
  assert.deepEqual(whole, ['{"a": 1}', 'b\nc', '[DONE]']);
  for (let cut = 0; cut <= text.length; cut++) {
    assert.deepEqual(parseAll([text.slice(0, cut), text.slice(cut)]), whole, `cut at ${cut}`);
  }
  assert.deepEqual(parseAll([...text]), whole);
});

test('an event without its empty line is not one yet', () => {
  assert.deepEqual(parseAll(['data: a\n']), []);
});

test('data keeps spaces behind the first', () => {
  assert.deepEqual(parseAll(['data:  two\n\n']), [' two']);
});
