// Questions to the server that this page came from: fetch, and what it says when it refuses. The
// one place that knows paths and keys.
import { SseParser } from './sse.ts';
import type { ChatRequest, Chunk, ErrorBody, Model } from './types.ts';

const kDone = '[DONE]';

/** What the server said, or that it said nothing (status 0). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly param: string;

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.status = status;
    this.code = String(body.code ?? '');
    this.param = String(body.param ?? '');
  }
}

export interface Readiness {
  ready: boolean;
  status: string; // ready, loading, draining, stalled
  progress: number | null; // of loading, 0 to 1
}

export class ApiClient {
  #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  setKey(key: string): void {
    this.#key = key;
  }

  async readiness(): Promise<Readiness> {
    const response = await request('/readyz', {});
    const body = (await response.json()) as { status?: string; progress?: number };
    return {
      ready: response.ok,
      status: body.status ?? `status ${response.status}`,
      progress: body.progress ?? null,
    };
  }

  async models(): Promise<Model[]> {
    const response = await this.#ask('/v1/models', {});
    return ((await response.json()) as { data: Model[] }).data;
  }

  async version(): Promise<string> {
    const response = await this.#ask('/version', {});
    return ((await response.json()) as { version: string }).version;
  }

  async metrics(signal: AbortSignal): Promise<string> {
    return (await this.#ask('/metrics', { signal })).text();
  }

  /** The chunks of one answer. Ends at the end mark; throws an ApiError or an abort. */
  async *chat(body: ChatRequest, signal: AbortSignal): AsyncGenerator<Chunk> {
    const response = await this.#ask('/v1/chat/completions', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
    for await (const data of eventsOf(response)) {
      if (data === kDone) return;
      yield chunkOf(data);
    }
    throw new ApiError(0, { message: 'The connection closed before the end of the answer.' });
  }

  async #ask(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.#key !== '') headers.set('Authorization', `Bearer ${this.#key}`);
    const response = await request(path, { ...init, headers });
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

async function request(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, credentials: 'omit', cache: 'no-store' });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, { message: 'The server cannot be reached.' });
  }
}

async function* eventsOf(response: Response): AsyncGenerator<string> {
  const parser = new SseParser();
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* parser.push(value);
  }
}

function chunkOf(data: string): Chunk {
  const body = JSON.parse(data) as Chunk | { error: ErrorBody };
  if ('error' in body) throw new ApiError(200, body.error);
  return body;
}

async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  return new ApiError(response.status, errorBody(text) ?? { message: text || response.statusText });
}

function errorBody(text: string): ErrorBody | null {
  try {
    return (JSON.parse(text) as { error?: ErrorBody }).error ?? null;
  } catch {
    return null; // a proxy's own page, say: shown as it is
  }
}
