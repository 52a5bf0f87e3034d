// One turn of a conversation as it is shown: what was asked, what was answered and how fast, what
// went wrong.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';

import { tokensPerSecond } from '../api/answer.ts';
import type { ToolCall } from '../api/types.ts';
import { Markdown } from '../markdown/view.tsx';
import { CopyButton, IconButton } from '../ui/controls.tsx';
import { formatMs, formatNumber } from '../ui/format.ts';
import { Icon } from '../ui/icons.tsx';
import { giveResult, regenerate, resend } from './chat_model.ts';
import { GrowingText } from './composer.tsx';
import type { AnswerTurn, Failure, ToolTurn, UserTurn } from './conversation.ts';

interface UserProps {
  turn: UserTurn;
  editable: boolean;
  editing: boolean;
  onEdit: (id: string | null) => void;
}

export function UserMessage({ turn, editable, editing, onEdit }: UserProps): JSX.Element {
  if (editing) return <UserEditor turn={turn} onDone={() => onEdit(null)} />;
  return (
    <article class="turn user" aria-label="You">
      <div class="bubble">{turn.content}</div>
      {editable && (
        <div class="turn-tools">
          <IconButton icon="edit" label="Edit message" onClick={() => onEdit(turn.id)} />
          <CopyButton text={turn.content} label="Copy message" />
        </div>
      )}
    </article>
  );
}

function UserEditor({ turn, onDone }: { turn: UserTurn; onDone: () => void }): JSX.Element {
  const [text, setText] = useState(turn.content);
  const submit = (): void => {
    if (text.trim() === '') return;
    onDone();
    resend(turn.id, text.trim());
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    onDone();
  };
  return (
    <article class="turn user editing" aria-label="You">
      <div class="bubble" ref={(element) => element?.querySelector('textarea')?.focus()}>
        <GrowingText label="Edit message" value={text} onInput={setText} onEnter={submit} onKey={onKey} />
        <div class="row">
          <button type="button" class="quiet" onClick={onDone}>
            Cancel
          </button>
          <button type="button" class="primary" onClick={submit}>
            Send again
          </button>
        </div>
      </div>
    </article>
  );
}

interface AnswerProps {
  turn: AnswerTurn;
  growing: boolean;
  last: boolean;
  open: string[]; // calls that wait for a result
}

export function AnswerMessage({ turn, growing, last, open }: AnswerProps): JSX.Element {
  const { answer, failure } = turn;
  const silent = answer.content === '' && answer.toolCalls.length === 0 && failure === null;
  return (
    <article class="turn assistant" aria-label="Answer" aria-busy={growing}>
      {answer.reasoning !== '' && <Reasoning text={answer.reasoning} open={growing && silent} />}
      {answer.content !== '' && <Markdown text={answer.content} />}
      {answer.toolCalls.map((call) => (
        <Call key={call.id} call={call} waits={!growing && open.includes(call.id)} />
      ))}
      {growing && silent && <span class="waiting" role="img" aria-label="waiting for the first token" />}
      {!growing && silent && <p class="muted">{turn.stopped ? 'Stopped before the first token.' : 'An empty answer.'}</p>}
      {failure && <FailureBox failure={failure} />}
      {!growing && <Foot turn={turn} last={last} />}
    </article>
  );
}

function Foot({ turn, last }: { turn: AnswerTurn; last: boolean }): JSX.Element {
  return (
    <footer class="turn-foot">
      <span class="turn-tools">
        {turn.answer.content !== '' && <CopyButton text={turn.answer.content} label="Copy answer" />}
        {last && <IconButton icon="again" label="Answer again" onClick={regenerate} />}
      </span>
      <span class="figures">{figuresOf(turn).join(' · ')}</span>
    </footer>
  );
}

function figuresOf({ answer, timing, stopped }: AnswerTurn): string[] {
  const { usage } = answer;
  const speed = tokensPerSecond(usage, timing);
  const figures: string[] = [];
  if (speed !== null) figures.push(`${formatNumber(speed)} tokens/s`);
  if (timing !== null) figures.push(`first after ${formatMs(timing.firstMs)}`);
  if (usage !== null) figures.push(`${usage.prompt_tokens} tokens in, ${usage.completion_tokens} out`);
  if (stopped) figures.push('stopped by you');
  else if (answer.finish === 'length') figures.push('cut at max tokens');
  return figures;
}

function Reasoning({ text, open }: { text: string; open: boolean }): JSX.Element {
  return (
    <details class="fold" open={open}>
      <summary>
        <Icon name="chevron" />
        Reasoning
      </summary>
      <div class="reasoning">{text}</div>
    </details>
  );
}

function Call({ call, waits }: { call: ToolCall; waits: boolean }): JSX.Element {
  return (
    <div class="call">
      <details class="fold">
        <summary>
          <Icon name="chevron" />
          <span>
            Calls <code>{call.function.name}</code>
          </span>
        </summary>
        <pre tabIndex={0}>{pretty(call.function.arguments)}</pre>
      </details>
      {waits && <ResultField call={call} />}
    </div>
  );
}

/** Arguments are text that a model wrote: JSON most of the time. */
function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function ResultField({ call }: { call: ToolCall }): JSX.Element {
  const [text, setText] = useState('');
  const submit = (): void => {
    if (text.trim() !== '') giveResult(call.id, text.trim());
  };
  return (
    <div class="result-field">
      <GrowingText
        label={`Result of ${call.function.name}`}
        placeholder={`What ${call.function.name} gives back`}
        value={text}
        onInput={setText}
        onEnter={submit}
      />
      <button type="button" class="primary" disabled={text.trim() === ''} onClick={submit}>
        Give result
      </button>
    </div>
  );
}

export function ToolMessage({ turn }: { turn: ToolTurn }): JSX.Element {
  return (
    <article class="turn tool" aria-label="Result of a tool">
      <details class="fold">
        <summary>
          <Icon name="chevron" />
          Result
        </summary>
        <pre tabIndex={0}>{pretty(turn.content)}</pre>
      </details>
    </article>
  );
}

function FailureBox({ failure }: { failure: Failure }): JSX.Element {
  const details = [
    failure.status > 0 && failure.status !== 200 ? `status ${failure.status}` : '',
    failure.code,
    failure.param === '' ? '' : `field ${failure.param}`,
  ];
  return (
    <div class="failure" role="alert">
      <p>{failure.message}</p>
      <small>{details.filter((detail) => detail !== '').join(' · ')}</small>
    </div>
  );
}
