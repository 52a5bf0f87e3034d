// Where a message is typed: it grows with its text. Enter sends, Shift+Enter makes a line.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { Icon } from '../ui/icons.tsx';
import { useStore } from '../ui/store.ts';
import { chat, send, stop } from './chat_model.ts';

export const kComposerId = 'composer';

interface GrowingProps {
  label: string;
  value: string;
  id?: string;
  placeholder?: string;
  onInput: (value: string) => void;
  onEnter: () => void;
  onKey?: (event: KeyboardEvent) => void;
}

export function GrowingText(props: GrowingProps): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    if (area.current === null) return;
    area.current.style.height = 'auto';
    area.current.style.height = `${area.current.scrollHeight}px`;
  }, [props.value]);
  const onKey = (event: KeyboardEvent): void => {
    // While an input method composes a character, Enter is its own.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return props.onKey?.(event);
    event.preventDefault();
    props.onEnter();
  };
  return (
    <textarea
      ref={area}
      id={props.id}
      rows={1}
      aria-label={props.label}
      placeholder={props.placeholder}
      value={props.value}
      onInput={(event) => props.onInput(event.currentTarget.value)}
      onKeyDown={onKey}
    />
  );
}

export function Composer({ onEditLast }: { onEditLast: () => void }): JSX.Element {
  const { current, answering } = useStore(chat);
  const [text, setText] = useState('');
  useEffect(() => document.getElementById(kComposerId)?.focus(), [current]);
  const submit = (): void => {
    if (text.trim() === '' || answering !== null) return;
    send(text.trim());
    setText('');
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowUp' || text !== '') return;
    event.preventDefault();
    onEditLast();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <GrowingText
        id={kComposerId}
        label="Message"
        placeholder="Ask something"
        value={text}
        onInput={setText}
        onEnter={submit}
        onKey={onKey}
      />
      {answering === null ? (
        <button type="submit" class="send" aria-label="Send" title="Send (Enter)" disabled={text.trim() === ''}>
          <Icon name="send" />
        </button>
      ) : (
        <button type="button" class="send" aria-label="Stop" title="Stop (Esc)" onClick={stop}>
          <Icon name="stop" />
        </button>
      )}
    </form>
  );
}
