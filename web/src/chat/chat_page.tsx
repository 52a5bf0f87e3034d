// The chat: conversations on the left, the talk in the middle, parameters on the right.
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

import { session } from '../session.ts';
import { IconButton } from '../ui/controls.tsx';
import { shortModel } from '../ui/format.ts';
import { Logo } from '../ui/icons.tsx';
import { type Panels, panels, togglePanel } from '../ui/panels.ts';
import { useStore } from '../ui/store.ts';
import { chat, currentOf, regenerate, send } from './chat_model.ts';
import { Composer } from './composer.tsx';
import { type Conversation, openCalls } from './conversation.ts';
import { SettingsPanel } from './settings_panel.tsx';
import { Sidebar } from './sidebar.tsx';
import { AnswerMessage, ToolMessage, UserMessage } from './turns.tsx';

const kSuggestions = ['Hello, who are you?', 'Tell me a story', 'What is 23 + 19?'];
const kNearEnd = 60; // pixels from the foot within which a growing answer is followed

export function ChatPage(): JSX.Element {
  const state = useStore(chat);
  const { list, settings }: Panels = useStore(panels);
  const [editing, setEditing] = useState<string | null>(null);
  const conversation = currentOf(state);
  useEffect(() => setEditing(null), [conversation.id]);
  const lastMessage = conversation.turns.findLast((turn) => turn.role === 'user');
  const editLast = (): void => {
    if (lastMessage !== undefined && state.answering === null) setEditing(lastMessage.id);
  };
  return (
    <div class="chat" data-settings={settings}>
      <Sidebar open={list} onChosen={() => togglePanel('list', false)} />
      {(list || settings) && (
        <div class="shade" data-list={list} onClick={() => panels.set({ list: false, settings: false })} />
      )}
      <main class="talk">
        <header class="talk-head">
          <span class="only-narrow">
            <IconButton icon="menu" label="Conversations" onClick={() => togglePanel('list')} />
          </span>
          <h1>{conversation.title}</h1>
          <IconButton
            icon="tune"
            label="Parameters"
            pressed={settings}
            onClick={() => togglePanel('settings')}
          />
        </header>
        <Thread
          conversation={conversation}
          growing={state.answering === conversation.id}
          idle={state.answering === null}
          editing={editing}
          onEdit={setEditing}
        />
        <Composer onEditLast={editLast} />
      </main>
      {settings && <SettingsPanel onClose={() => togglePanel('settings', false)} />}
    </div>
  );
}

interface ThreadProps {
  conversation: Conversation;
  growing: boolean;
  idle: boolean;
  editing: string | null;
  onEdit: (id: string | null) => void;
}

function Thread({ conversation, growing, idle, editing, onEdit }: ThreadProps): JSX.Element {
  const scroller = useFollowing(conversation);
  const { turns } = conversation;
  const waiting = turns.at(-1)?.role !== 'assistant' && idle && openCalls(conversation).length === 0;
  return (
    <div class="thread" ref={scroller} tabIndex={-1}>
      <div class="column" role="log" aria-label="Conversation" aria-live="polite">
        {turns.length === 0 && <Welcome />}
        {turns.map((turn, i) => {
          const last = i === turns.length - 1;
          if (turn.role === 'tool') return <ToolMessage key={turn.id} turn={turn} />;
          if (turn.role === 'user') {
            const edited = editing === turn.id;
            return (
              <UserMessage key={turn.id} turn={turn} editable={idle} editing={edited} onEdit={onEdit} />
            );
          }
          const open = turn === turns.findLast((one) => one.role === 'assistant') ? openCalls(conversation) : [];
          return (
            <AnswerMessage key={turn.id} turn={turn} growing={growing && last} last={last && idle} open={open} />
          );
        })}
        {waiting && turns.length > 0 && (
          <button type="button" class="primary" onClick={regenerate}>
            Get an answer
          </button>
        )}
      </div>
    </div>
  );
}

/** Keeps the foot of the talk in view while it grows, unless its reader has scrolled up. */
function useFollowing(conversation: Conversation): { current: HTMLDivElement | null } {
  const scroller = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  useEffect(() => {
    const element = scroller.current;
    const note = (): void => {
      if (element === null) return;
      const left = element.scrollHeight - element.scrollTop - element.clientHeight;
      following.current = left < kNearEnd;
    };
    element?.addEventListener('scroll', note, { passive: true });
    return () => element?.removeEventListener('scroll', note);
  }, []);
  useLayoutEffect(() => {
    following.current = true;
  }, [conversation.id, conversation.turns.length]);
  useLayoutEffect(() => {
    if (following.current) scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, [conversation]);
  return scroller;
}

function Welcome(): JSX.Element {
  const { models, status } = useStore(session);
  const name = models[0] === undefined ? 'the model' : shortModel(models[0].id);
  return (
    <div class="welcome">
      <Logo />
      <p>
        Ask <strong>{name}</strong> something.
      </p>
      <div class="suggestions">
        {kSuggestions.map((text) => (
          <button key={text} type="button" disabled={status !== 'ready'} onClick={() => send(text)}>
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}
