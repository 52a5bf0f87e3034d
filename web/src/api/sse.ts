// Server-sent events out of text that arrives in pieces of any size. Knows nothing of what the
// events hold; names, ids and retry times are not used by this API and are passed over.

export class SseParser {
  #rest = '';
  #data: string[] = [];

  /** The data of the events that this piece completes, lines of one event joined by newlines. */
  push(piece: string): string[] {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    const events: string[] = [];
    for (const line of lines) this.#line(line.endsWith('\r') ? line.slice(0, -1) : line, events);
    return events;
  }

  #line(line: string, events: string[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'));
      this.#data = [];
      return;
    }
    if (!line.startsWith('data:')) return;
    this.#data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
  }
}
