// Markdown's blocks, line by line: headings, lists, quotes, fences, tables. An answer that is still
// growing is parsed again with each piece, so an open fence is a code block already.
import { parseInline } from './inline.ts';
import type { Align, Block, Inline } from './tree.ts';

const kMaxDepth = 8; // quotes and lists within one another; what lies deeper is text
const kFence = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const kHeading = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const kRule = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const kQuote = /^ {0,3}> ?/;
const kItem = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}(?=\S)| *$| (?= {4}))/;
const kTableLine = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

export function parseMarkdown(text: string): Block[] {
  return new BlockParser(text.replaceAll('\r\n', '\n').replaceAll('\t', '    ').split('\n'), 0).parse();
}

class BlockParser {
  #lines: string[];
  #depth: number;
  #at = 0;
  #blocks: Block[] = [];

  constructor(lines: string[], depth: number) {
    this.#lines = lines;
    this.#depth = depth;
  }

  parse(): Block[] {
    while (this.#at < this.#lines.length) this.#step();
    return this.#blocks;
  }

  #line(ahead = 0): string {
    return this.#lines[this.#at + ahead] ?? '';
  }

  #step(): void {
    const line = this.#line();
    if (line.trim() === '') return void this.#at++;
    const fence = kFence.exec(line);
    if (fence) return this.#fence(fence[1] ?? '', fence[2] ?? '');
    const heading = kHeading.exec(line);
    if (heading) return this.#heading(heading);
    if (kRule.test(line)) return this.#push({ kind: 'rule' });
    if (this.#depth < kMaxDepth && kQuote.test(line)) return this.#quote();
    if (this.#depth < kMaxDepth && kItem.test(line)) return this.#list();
    if (this.#tableStarts()) return this.#table();
    this.#paragraph();
  }

  #push(block: Block): void {
    this.#blocks.push(block);
    this.#at++;
  }

  #heading(match: RegExpExecArray): void {
    const level = (match[1] ?? '#').length;
    this.#push({ kind: 'heading', level, children: parseInline(match[2] ?? '') });
  }

  #fence(mark: string, info: string): void {
    const indent = this.#line().search(/\S/);
    const end = new RegExp(`^ {0,3}\\${mark[0]}{${mark.length},}\\s*$`);
    const body: string[] = [];
    this.#at++;
    while (this.#at < this.#lines.length && !end.test(this.#line())) {
      body.push(this.#line().replace(new RegExp(`^ {0,${indent}}`), ''));
      this.#at++;
    }
    const language = info.trim().split(/\s+/)[0] ?? '';
    this.#push({ kind: 'code', language, text: body.join('\n') });
  }

  #quote(): void {
    const inside: string[] = [];
    while (this.#at < this.#lines.length) {
      const line = this.#line();
      const lazy = inside.at(-1)?.trim() && line.trim() !== '' && !startsBlock(line);
      if (!kQuote.test(line) && !lazy) break;
      inside.push(line.replace(kQuote, ''));
      this.#at++;
    }
    const children = new BlockParser(inside, this.#depth + 1).parse();
    this.#blocks.push({ kind: 'quote', children });
  }

  #list(): void {
    const first = kItem.exec(this.#line())?.[2] ?? '-';
    const items: Block[][] = [];
    while (this.#at < this.#lines.length) {
      const mark = kItem.exec(this.#line());
      if (mark === null || kRule.test(this.#line()) || !sameList(first, mark[2] ?? '')) break;
      items.push(new BlockParser(this.#item(mark), this.#depth + 1).parse());
    }
    const start = /^\d/.test(first) ? Number.parseInt(first, 10) : null;
    this.#blocks.push({ kind: 'list', start, items });
  }

  /** The lines of one item without its indentation; blank lines behind it are passed over. */
  #item(mark: RegExpExecArray): string[] {
    const [whole, lead = '', bullet = '', gap = ''] = mark;
    const indent = lead.length + bullet.length + Math.max(1, gap.length);
    const inside = [this.#line().slice(whole.length)];
    this.#at++;
    while (this.#at < this.#lines.length) {
      const line = this.#line();
      const indented = line.search(/\S/) >= indent;
      const lazy = inside.at(-1)?.trim() && line.trim() !== '' && !startsBlock(line);
      if (line.trim() !== '' && !indented && !lazy) break;
      inside.push(indented ? line.slice(indent) : line.trim());
      this.#at++;
    }
    return inside;
  }

  #tableStarts(): boolean {
    if (!this.#line().includes('|') || !kTableLine.test(this.#line(1))) return false;
    return cellsOf(this.#line()).length === cellsOf(this.#line(1)).length;
  }

  #table(): void {
    const head = cellsOf(this.#line()).map(parseInline);
    const align = cellsOf(this.#line(1)).map(alignOf);
    const rows: Inline[][][] = [];
    this.#at += 2;
    while (this.#at < this.#lines.length && this.#line().includes('|')) {
      const cells = cellsOf(this.#line()).map(parseInline);
      rows.push(head.map((_, i) => cells[i] ?? []));
      this.#at++;
    }
    this.#blocks.push({ kind: 'table', align, head, rows });
  }

  #paragraph(): void {
    const inside: string[] = [];
    while (this.#at < this.#lines.length) {
      const line = this.#line();
      const ends = line.trim() === '' || (inside.length > 0 && this.#interrupts(line));
      if (ends) break;
      inside.push(line.trimStart());
      this.#at++;
    }
    this.#blocks.push({ kind: 'paragraph', children: parseInline(inside.join('\n').trimEnd()) });
  }

  #interrupts(line: string): boolean {
    const nests = kQuote.test(line) || kItem.test(line);
    return nests ? this.#depth < kMaxDepth : startsBlock(line);
  }
}

function startsBlock(line: string): boolean {
  return [kFence, kHeading, kRule, kQuote, kItem].some((pattern) => pattern.test(line));
}

function sameList(first: string, mark: string): boolean {
  return first.at(-1) === mark.at(-1) && /^\d/.test(first) === /^\d/.test(mark);
}

function cellsOf(line: string): string[] {
  const inside = line.trim().replace(/^\|/, '').replace(/(?<!\\)\|$/, '');
  return inside.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function alignOf(cell: string): Align {
  const left = cell.startsWith(':');
  if (cell.endsWith(':')) return left ? 'center' : 'right';
  return left ? 'left' : undefined;
}
