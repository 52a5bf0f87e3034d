// What is sent for what is kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kNoAnswer } from '../api/answer.ts';
import * as chat from './conversation.ts';

function user(content: string): chat.UserTurn {
  return { id: chat.newId(), role: 'user', content };
}

function said(content: string, calls: string[] = []): chat.AnswerTurn {
  const toolCalls = calls.map((id) => ({
    id,
    type: 'function' as const,
    function: { name: 'f', arguments: '{}' },
  }));
  const answer = { ...kNoAnswer, content, toolCalls };
  return { id: chat.newId(), role: 'assistant', answer, timing: null, failure: null, stopped: false };
}

function talk(turns: chat.Turn[], settings: Partial<chat.Settings> = {}): chat.Conversation {
  const start = chat.newConversation(0, { ...chat.kDefaultSettings, model: 'm', ...settings });
  return turns.reduce((talked, turn) => chat.withTurn(talked, turn, 1), start);
}

test('only what was set is sent', () => {
  assert.deepEqual(chat.requestOf(talk([user('Hi')])), {
    model: 'm',
    messages: [{ role: 'user', content: 'Hi' }],
    stream: true,
    stream_options: { include_usage: true },
  });
  const full = talk([user('Hi')], {
    system: 'Be brief',
    temperature: '0.5',
    topP: '0.9',
    maxTokens: '20',
    seed: '0',
    tools: '[{"type": "function"}]',
  });
  const request = chat.requestOf(full);
  assert.deepEqual(request.messages[0], { role: 'system', content: 'Be brief' });
  assert.deepEqual(
    [request.temperature, request.top_p, request.max_tokens, request.seed, request.tools?.length],
    [0.5, 0.9, 20, 0, 1],
  );
});

test('settings that cannot be sent are named', () => {
  const bad = (settings: Partial<chat.Settings>, message: RegExp): void =>
    assert.throws(() => chat.requestOf(talk([user('Hi')], settings)), message);
  bad({ temperature: 'warm' }, /Temperature is no number: warm/);
  bad({ tools: '{' }, /Tools are no JSON/);
  bad({ tools: '{}' }, /Tools must be a JSON list/);
});

test('an answer that said nothing is left out, calls and results are in', () => {
  const turns = [
    user('a'),
    said(''),
    said('', ['c1', 'c2']),
    { id: 'x', role: 'tool' as const, callId: 'c1', content: '3' },
  ];
  const conversation = talk(turns);
  assert.deepEqual(
    chat.messagesOf(conversation).map((message) => message.role),
    ['user', 'assistant', 'tool'],
  );
  assert.deepEqual(chat.openCalls(conversation), ['c2']);
  assert.deepEqual(chat.openCalls(talk([user('a'), said('b')])), []);
});

test('the first message names the conversation unless its user did', () => {
  assert.equal(talk([user('  Hello\n there ')]).title, 'Hello there');
  assert.equal(talk([user('a'), said('b'), user('c')]).title, 'a');
  assert.equal(chat.titleOf('x'.repeat(99)).length, 48);
  assert.equal(chat.titleOf(' '), chat.kUntitled);
  const named = { ...chat.newConversation(0), title: 'Mine', named: true };
  assert.equal(chat.withTurn(named, user('Hi'), 1).title, 'Mine');
});

test('cutting back to a turn', () => {
  const turns = [user('a'), said('b'), user('c'), said('d')];
  const conversation = talk(turns);
  assert.equal(chat.withoutLastAnswer(conversation).turns.length, 3);
  assert.equal(chat.cutBefore(conversation, turns[2]?.id ?? '').turns.length, 2);
  assert.equal(chat.cutBefore(conversation, 'none').turns.length, 4);
});

test('an export can be sent again', () => {
  const file = JSON.parse(chat.exportOf(talk([user('a'), said('b')], { system: 's' })));
  assert.deepEqual(
    file.messages.map((message: { role: string }) => message.role),
    ['system', 'user', 'assistant'],
  );
});
