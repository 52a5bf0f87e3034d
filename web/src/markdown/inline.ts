// Text within a block: emphasis, code, links. One pass with a short stack of open marks, so that no
// input takes longer than its length, whatever a model or an attacker writes.
import type { Inline } from './tree.ts';

const kMaxOpen = 64; // marks that may wait for their end; older ones stay text
const kLink =
  /!?\[((?:[^[\]\\]|\\.|\[[^[\]]*\])*)\]\(\s*<?([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\s*\)/y;
const kAddress = /https?:\/\/[^\s<>()[\]]*[^\s<>()[\].,;:!?'"*_`]/y;
const kPlain = /[^\\`*_~![<\nh]+|h+/y;
const kEscape = /\\([!-/:-@[-`{-~])/y;
const kBreak = /(?: {2,}|\\)?\n/y;
const kSchemes = new Set(['http:', 'https:', 'mailto:']);

interface Mark {
  char: string;
  length: number;
  node: number; // where its text stands
}

/** The address, or null for one that a page must not open: scripts, data, paths of this server. */
export function safeAddress(address: string): string | null {
  if (!URL.canParse(address)) return null;
  const url = new URL(address);
  return kSchemes.has(url.protocol) ? url.href : null;
}

export function parseInline(text: string): Inline[] {
  return new InlineParser(text).parse();
}

class InlineParser {
  #text: string;
  #at = 0;
  #nodes: Inline[] = [];
  #open: Mark[] = [];
  #ticks = new Map<number, number[]>(); // runs of backticks: length -> where, the last first

  constructor(text: string) {
    this.#text = text;
    const runs = [...text.matchAll(/`+/g)].reverse();
    for (const run of runs) {
      const length = run[0].length;
      const places = this.#ticks.get(length);
      if (places === undefined) this.#ticks.set(length, [run.index]);
      else places.push(run.index);
    }
  }

  parse(): Inline[] {
    while (this.#at < this.#text.length) this.#step();
    return this.#nodes;
  }

  #step(): void {
    const char = this.#text[this.#at] ?? '';
    if (char === '`') return this.#code();
    if (char === '*' || char === '_' || char === '~') return this.#marks(char);
    const escape = this.#take(kEscape);
    if (escape) return this.#say(escape[1] ?? '');
    if (this.#take(kBreak)) return void this.#nodes.push({ kind: 'break' });
    if ((char === '[' || char === '!') && this.#link()) return;
    if (char === 'h' && this.#address()) return;
    this.#say(this.#take(kPlain)?.[0] ?? this.#one(char));
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#at = pattern.lastIndex;
    return match;
  }

  #one(char: string): string {
    this.#at += char.length;
    return char;
  }

  #say(text: string): void {
    const last = this.#nodes.at(-1);
    const marked = this.#open.at(-1)?.node === this.#nodes.length - 1;
    if (last?.kind === 'text' && !marked) last.text += text;
    else this.#nodes.push({ kind: 'text', text });
  }

  #code(): void {
    const length = this.#run('`');
    const places = this.#ticks.get(length) ?? [];
    while (places.length > 0 && (places.at(-1) ?? 0) < this.#at + length) places.pop();
    const end = places.at(-1);
    if (end === undefined) return this.#say(this.#one('`'.repeat(length)));
    const inside = this.#text.slice(this.#at + length, end).replaceAll('\n', ' ');
    const padded = /^ .*[^ ].* $/.test(inside);
    this.#nodes.push({ kind: 'code', text: padded ? inside.slice(1, -1) : inside });
    this.#at = end + length;
  }

  #link(): boolean {
    const match = this.#take(kLink);
    if (match === null) return false;
    const [whole, label = '', address = ''] = match;
    const href = safeAddress(address);
    if (href === null) this.#say(whole);
    else this.#nodes.push({ kind: 'link', href, children: plainLabel(label, href) });
    return true;
  }

  #address(): boolean {
    const found = this.#take(kAddress)?.[0];
    if (found === undefined) return false;
    const href = safeAddress(found);
    if (href === null) this.#say(found);
    else this.#nodes.push({ kind: 'link', href, children: [{ kind: 'text', text: found }] });
    return true;
  }

  #run(char: string): number {
    let length = 0;
    while (this.#text[this.#at + length] === char) length++;
    return length;
  }

  #marks(char: string): void {
    let length = this.#run(char);
    const before = this.#text[this.#at - 1] ?? ' ';
    this.#one(char.repeat(length));
    const after = this.#text[this.#at] ?? ' ';
    const { opens, closes } = flanks(char, before, after);
    if (closes) length = this.#close(char, length);
    if (length === 0) return;
    this.#nodes.push({ kind: 'text', text: char.repeat(length) });
    if (!opens) return;
    this.#open.push({ char, length, node: this.#nodes.length - 1 });
    if (this.#open.length > kMaxOpen) this.#open.shift();
  }

  /** Ends what marks of this kind have begun; returns how many of the marks are left. */
  #close(char: string, length: number): number {
    const least = char === '~' ? 2 : 1;
    while (length >= least) {
      const at = this.#open.findLastIndex((mark) => mark.char === char && mark.length >= least);
      const mark = this.#open[at];
      if (mark === undefined) return length;
      const used = Math.min(2, mark.length, length);
      this.#open.length = at + 1;
      this.#wrap(mark, used);
      length -= used;
    }
    return length;
  }

  #wrap(mark: Mark, used: number): void {
    const children = this.#nodes.splice(mark.node + 1);
    mark.length -= used;
    if (mark.length === 0) {
      this.#open.pop();
      this.#nodes.pop();
    } else {
      this.#nodes[mark.node] = { kind: 'text', text: mark.char.repeat(mark.length) };
    }
    const kind = mark.char === '~' ? 'deleted' : used === 2 ? 'strong' : 'emphasis';
    this.#nodes.push({ kind, children });
  }
}

/** A label may be emphasised, but holds no link itself. */
function plainLabel(label: string, href: string): Inline[] {
  if (label.trim() === '') return [{ kind: 'text', text: href }];
  return withoutLinks(parseInline(label));
}

function withoutLinks(nodes: Inline[]): Inline[] {
  return nodes.flatMap((node) => (node.kind === 'link' ? withoutLinks(node.children) : [node]));
}

/** Which sides of a word the marks stand on; underscores within a word are part of it. */
function flanks(char: string, before: string, after: string): { opens: boolean; closes: boolean } {
  const space = /\s/;
  const mark = /[\p{P}\p{S}]/u;
  const left = !space.test(after) && (!mark.test(after) || space.test(before) || mark.test(before));
  const right = !space.test(before) && (!mark.test(before) || space.test(after) || mark.test(after));
  if (char !== '_') return { opens: left, closes: right };
  return {
    opens: left && (!right || mark.test(before)),
    closes: right && (!left || mark.test(after)),
  };
}
