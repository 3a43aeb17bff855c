/** `text/event-stream` to events, by HTML's rules. */

/** One event. `name` is empty for a message. */
export interface ServerSentEvent {
  data: string;
  name: string;
  id: string;
}

/** Takes a stream piece by piece. */
export class Parser {
  /** The id that was last told: where to go on. */
  lastId: string;
  #id: string;
  #rest = "";
  #name = "";
  #data: string[] = [];
  readonly #decoder = new TextDecoder();

  constructor(lastId = "") {
    this.lastId = this.#id = lastId;
  }

  /** Returns the events that are whole with these bytes. One without data only moves `lastId`. */
  feed(piece: Uint8Array): ServerSentEvent[] {
    // A carriage return at the end may be the first half of a line end.
    const lines = (this.#rest + this.#decoder.decode(piece, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): ServerSentEvent[] {
    if (line === "") {
      // Not before: who comes back is to get an event again that was cut off.
      this.lastId = this.#id;
      const event = { data: this.#data.join("\n"), name: this.#name, id: this.lastId };
      const told = this.#data.length > 0 ? [event] : [];
      this.#name = "";
      this.#data = [];
      return told;
    }
    const [field = ""] = line.split(":", 1);
    const value = line.slice(field.length + 1).replace(/^ /, "");
    if (field === "data") {
      this.#data.push(value);
    } else if (field === "event") {
      this.#name = value;
    } else if (field === "id" && !value.includes("\0")) {
      this.#id = value;
    }
    return [];
  }
}
