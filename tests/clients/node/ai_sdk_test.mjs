// Vercel's AI SDK against the server at STRATA_URL, through its provider for OpenAI-compatible servers and through OpenAI's;
// the server at STRATA_KEY_URL asks for the key `right`. Run by tests/clients/ai_sdk_test.py, which counts the cases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from 'ai';
import { z } from 'zod';

const named = { name: 'strata', apiKey: 'none', includeUsage: true, supportsStructuredOutputs: true };
const compatible = createOpenAICompatible({ ...named, baseURL: `${process.env.STRATA_URL}/v1` });
const openai = createOpenAI({ baseURL: `${process.env.STRATA_URL}/v1`, apiKey: 'none' });
const models = { compatible: compatible('pebble'), chat: openai.chat('pebble'), responses: openai.responses('pebble') };
const asked = (model, more) => ({
  model,
  prompt: 'Tell me a story',
  maxOutputTokens: 24,
  temperature: 0,
  maxRetries: 0,
  ...more,
});

/** What the chat route says itself. */
async function said() {
  const body = { messages: [{ role: 'user', content: 'Tell me a story' }], max_tokens: 24, temperature: 0 };
  const answer = await fetch(`${process.env.STRATA_URL}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return (await answer.json()).choices[0].message.content;
}

const phone = (asks) =>
  tool({
    description: 'Calls a person on the phone.',
    inputSchema: z.object({ person_name: z.string() }),
    execute: async ({ person_name }) => {
      asks.push(person_name);
      return 'ready, the code is 52';
    },
  });
const call = 'Please make a phone call to Stulor.';

for (const [name, model] of Object.entries(models)) {
  test(`${name}: an answer`, async () => {
    const answer = await generateText(asked(model));
    assert.equal(answer.text, await said());
    assert.equal(answer.finishReason, 'length');
    assert.equal(answer.usage.outputTokens, 24);
  });

  test(`${name}: a stream says what the answer says`, async () => {
    const stream = streamText(asked(model));
    let text = '';
    let pieces = 0;
    for await (const piece of stream.textStream) {
      text += piece;
      pieces += 1;
    }
    assert.equal(text, await said());
    assert.ok(pieces > 3);
    assert.equal((await stream.usage).outputTokens, 24);
    assert.equal(await stream.finishReason, 'length');
  });

  test(`${name}: the tool is run and the answer goes on`, async () => {
    const asks = [];
    const more = { prompt: call, tools: { phone_person: phone(asks) }, maxOutputTokens: 96, stopWhen: stepCountIs(2) };
    const answer = await generateText(asked(model, more));
    assert.equal(asks.length, 1);
    assert.equal(answer.steps.length, 2);
    assert.equal(answer.steps[0].finishReason, 'tool-calls');
  });

  test(`${name}: a required call, streamed as whole`, async () => {
    const given = { phone_person: phone([]) };
    const more = { prompt: call, tools: given, toolChoice: 'required', maxOutputTokens: 96 };
    const whole = await generateText(asked(model, more));
    const stream = streamText(asked(model, more));
    await stream.consumeStream();
    const inputs = (calls) => calls.map((each) => [each.toolName, each.input]);
    assert.deepEqual(inputs(await stream.toolCalls), inputs(whole.toolCalls));
    assert.ok(whole.toolCalls.length >= 1);
  });

  test(`${name}: structured output`, async () => {
    const schema = z.object({ name: z.string().max(12), animal: z.enum(['wolf', 'fox']) });
    const prompt = 'Write this as JSON with the keys name, animal.\nFiffi is the name of a wolf.';
    const more = { prompt, output: Output.object({ schema }), maxOutputTokens: 200 };
    const answer = await generateText(asked(model, more));
    assert.deepEqual(Object.keys(answer.output), ['name', 'animal']);
    const stream = streamText(asked(model, more));
    await stream.consumeStream();
    assert.deepEqual(await stream.output, answer.output);
  });
}

test('a text completion', async () => {
  const model = compatible.completionModel('pebble');
  const whole = await generateText(asked(model, { prompt: 'Once upon a time' }));
  const stream = streamText(asked(model, { prompt: 'Once upon a time' }));
  assert.equal(await stream.text, whole.text);
  assert.equal(await stream.finishReason, whole.finishReason);
  assert.notEqual(whole.text, '');
});

test('errors say what the server says', async () => {
  const refused = (options, status) =>
    assert.rejects(generateText(options), (error) => {
      assert.ok(APICallError.isInstance(error));
      assert.equal(error.statusCode, status);
      return true;
    });
  await refused(asked(models.compatible, { topP: 7 }), 400);
  await refused(asked(compatible('other')), 404);
  const keyed = (apiKey) => createOpenAICompatible({ ...named, apiKey, baseURL: `${process.env.STRATA_KEY_URL}/v1` });
  await refused(asked(keyed('wrong')('pebble')), 401);
  assert.equal((await generateText(asked(keyed('right')('pebble')))).usage.outputTokens, 24);
});

test('an abort frees the server', async () => {
  const stop = new AbortController();
  const stream = streamText(
    asked(models.compatible, { maxOutputTokens: 3500, abortSignal: stop.signal, prompt: 'Tell me a story' }),
  );
  for await (const piece of stream.textStream) {
    assert.ok(piece.length > 0);
    stop.abort();
  }
});
