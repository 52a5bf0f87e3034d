// What is asked of the model besides the messages. Empty fields are left to the server, which also
// says what it does not take.
import type { JSX } from 'preact';

import { session } from '../session.ts';
import { IconButton } from '../ui/controls.tsx';
import { formatNumber, shortModel } from '../ui/format.ts';
import { useStore } from '../ui/store.ts';
import { chat, currentOf, setSettings } from './chat_model.ts';
import type { Settings } from './conversation.ts';

export function SettingsPanel({ onClose }: { onClose: () => void }): JSX.Element {
  const { id, settings } = currentOf(useStore(chat));
  const { models } = useStore(session);
  const set = (name: keyof Settings) => (value: string) => setSettings(id, { [name]: value });
  const model = models.find((one) => one.id === settings.model) ?? models[0];
  return (
    <aside class="settings" aria-label="Parameters">
      <header>
        <h2>Parameters</h2>
        <IconButton icon="close" label="Close parameters" onClick={onClose} />
      </header>
      <label>
        Model
        <select value={model?.id ?? ''} onChange={(event) => set('model')(event.currentTarget.value)}>
          {models.map((one) => (
            <option key={one.id} value={one.id}>
              {shortModel(one.id)}
            </option>
          ))}
        </select>
        {model && <small>context of {formatNumber(model.max_model_len)} tokens</small>}
      </label>
      <TextArea label="System prompt" value={settings.system} onInput={set('system')} rows={4} />
      <div class="pair">
        <Field label="Temperature" value={settings.temperature} step="0.1" onInput={set('temperature')} />
        <Field label="Top p" value={settings.topP} step="0.05" onInput={set('topP')} />
        <Field label="Max tokens" value={settings.maxTokens} step="1" onInput={set('maxTokens')} />
        <Field label="Seed" value={settings.seed} step="1" onInput={set('seed')} />
      </div>
      <TextArea
        label="Tools"
        value={settings.tools}
        onInput={set('tools')}
        rows={6}
        hint="A JSON list of functions, as OpenAI's API takes it. You give their results by hand."
      />
    </aside>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onInput: (value: string) => void;
}

function Field({ label, value, onInput, step }: FieldProps & { step: string }): JSX.Element {
  return (
    <label>
      {label}
      <input
        type="number"
        step={step}
        min="0"
        placeholder="default"
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </label>
  );
}

function TextArea(props: FieldProps & { rows: number; hint?: string }): JSX.Element {
  return (
    <label>
      {props.label}
      <textarea
        rows={props.rows}
        value={props.value}
        spellcheck={false}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
      {props.hint && <small>{props.hint}</small>}
    </label>
  );
}
