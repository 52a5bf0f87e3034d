// openai-node against the server at STRATA_URL; the one at STRATA_KEY_URL asks for the key `right`.
// Run by tests/clients/openai_node_test.py, which counts the cases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';

const options = { baseURL: `${process.env.STRATA_URL}/v1`, apiKey: 'none', maxRetries: 0, timeout: 120_000 };
const client = new OpenAI(options);
const story = [{ role: 'user', content: 'Tell me a story' }];
const call = [{ role: 'user', content: 'Please make a phone call to Stulor.' }];
const parameters = {
  type: 'object',
  properties: { person_name: { type: 'string' } },
  required: ['person_name'],
  additionalProperties: false,
};
const tools = [
  { type: 'function', function: { name: 'phone_person', description: 'Calls a person on the phone.', parameters } },
];
const asked = (more) => ({ model: 'pebble', messages: story, max_tokens: 24, temperature: 0, ...more });

test('an answer', async () => {
  const answer = await client.chat.completions.create(asked());
  assert.equal(answer.object, 'chat.completion');
  assert.equal(answer.choices[0].finish_reason, 'length');
  assert.equal(answer.usage.completion_tokens, 24);
  assert.ok(answer._request_id);
});

test('a stream says what the answer says', async () => {
  const whole = await client.chat.completions.create(asked());
  const stream = await client.chat.completions.create(
    asked({ stream: true, stream_options: { include_usage: true } }),
  );
  let said = '';
  let last;
  for await (const piece of stream) {
    said += piece.choices[0]?.delta.content ?? '';
    last = piece;
  }
  assert.equal(said, whole.choices[0].message.content);
  assert.deepEqual(last.usage, whole.usage);
});

test("the package's own stream puts the answer together", async () => {
  const whole = await client.chat.completions.create(asked());
  const final = await client.chat.completions.stream(asked()).finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
});

test('tools are called, and their results go around', async () => {
  const answer = await client.chat.completions.create(asked({ messages: call, tools, max_tokens: 96 }));
  const message = answer.choices[0].message;
  assert.equal(answer.choices[0].finish_reason, 'tool_calls');
  assert.equal(message.tool_calls[0].function.name, 'phone_person');
  assert.equal(typeof JSON.parse(message.tool_calls[0].function.arguments).person_name, 'string');
  const result = { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'ready, the code is 52' };
  const then = await client.chat.completions.create(asked({ messages: [...call, message, result], tools }));
  assert.equal(typeof then.choices[0].message.content, 'string');
});

test('required and named calls, streamed as whole', async () => {
  for (const tool_choice of ['required', { type: 'function', function: { name: 'phone_person' } }]) {
    const body = asked({ tools, tool_choice, max_tokens: 200 });
    const whole = await client.chat.completions.create(body);
    const final = await client.chat.completions.stream(body).finalChatCompletion();
    const said = (answer) => answer.choices[0].message.tool_calls.map((each) => each.function.arguments);
    assert.deepEqual(said(final), said(whole));
    assert.equal(whole.choices[0].message.tool_calls[0].function.name, 'phone_person');
  }
});

test('the package runs the tool and goes on', async () => {
  const asks = [];
  const phone = {
    type: 'function',
    function: {
      name: 'phone_person',
      description: 'Calls a person on the phone.',
      parameters,
      parse: JSON.parse,
      function: (given) => {
        asks.push(given.person_name);
        return 'ready, the code is 52';
      },
    },
  };
  const runner = client.chat.completions.runTools(asked({ messages: call, tools: [phone], max_tokens: 96 }));
  assert.equal(typeof (await runner.finalContent()), 'string');
  assert.ok(asks.length >= 1);
});

test('structured output is parsed', async () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string', maxLength: 12 }, animal: { type: 'string', enum: ['wolf', 'fox'] } },
    required: ['name', 'animal'],
    additionalProperties: false,
  };
  const content = 'Write this as JSON with the keys name, animal.\nFiffi is the name of a wolf.';
  const response_format = { type: 'json_schema', json_schema: { name: 'pet', schema, strict: true } };
  const answer = await client.chat.completions.create(
    asked({ messages: [{ role: 'user', content }], response_format, max_tokens: 200 }),
  );
  assert.deepEqual(Object.keys(JSON.parse(answer.choices[0].message.content)), ['name', 'animal']);
});

test('a response and its stream say what the chat says', async () => {
  const body = { model: 'pebble', input: 'Tell me a story', max_output_tokens: 24, temperature: 0 };
  const response = await client.responses.create(body);
  const chat = await client.chat.completions.create(asked());
  assert.equal(response.output_text, chat.choices[0].message.content);
  const final = await client.responses.stream(body).finalResponse();
  assert.equal(final.output_text, response.output_text);
});

test('models', async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, ['pebble']);
  assert.equal((await client.models.retrieve('pebble')).object, 'model');
});

test('a file goes up and comes back', async () => {
  const text = `${JSON.stringify({ custom_id: '1', method: 'POST', url: '/v1/completions', body: {} })}\n`;
  const file = await client.files.create({ file: await OpenAI.toFile(Buffer.from(text), 'in.jsonl'), purpose: 'batch' });
  assert.equal(await (await client.files.content(file.id)).text(), text);
  assert.equal((await client.files.delete(file.id)).deleted, true);
});

test('errors have their classes', async () => {
  await assert.rejects(client.chat.completions.create(asked({ top_p: 7 })), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, 'top_p');
    return true;
  });
  await assert.rejects(client.chat.completions.create(asked({ model: 'gpt' })), OpenAI.NotFoundError);
  const wrong = new OpenAI({ ...options, baseURL: `${process.env.STRATA_KEY_URL}/v1`, apiKey: 'wrong' });
  await assert.rejects(wrong.models.list(), OpenAI.AuthenticationError);
  const right = new OpenAI({ ...options, baseURL: `${process.env.STRATA_KEY_URL}/v1`, apiKey: 'right' });
  assert.equal((await right.models.list()).data.length, 1);
});

test('a timeout and an abort are the caller\'s errors', async () => {
  const endless = asked({ max_tokens: 3500, ignore_eos: true });
  await assert.rejects(
    client.chat.completions.create(endless, { timeout: 300 }),
    OpenAI.APIConnectionTimeoutError,
  );
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 200);
  await assert.rejects(client.chat.completions.create(endless, { signal: stop.signal }), OpenAI.APIUserAbortError);
});
