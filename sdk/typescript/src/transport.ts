/** Sends calls by `fetch`. The generated client names them. */

import { Parser, type ServerSentEvent } from "./events.js";
import { ApiError, ConnectionFailed, parsed, UnexpectedAnswer } from "./failures.js";

/** How a client calls. At most one of `key` and `token`. */
export interface Options {
  key?: string;
  token?: string;
  /** Milliseconds for each try, not for streams; 30,000 where unset. */
  timeout?: number;
  /** How often a call that may be repeated is; 2 where unset. */
  retries?: number;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** How one call is made. */
export interface CallOptions {
  signal?: AbortSignal;
}

/** An rpc at its route. `query` tells where arguments go that are not in the path: the query or a JSON body. */
export interface Operation {
  verb: string;
  template: string;
  query: boolean;
  idempotent: boolean;
}

/** An event of a stream: its data under the name `event`, which is empty for a message. */
export type Told<Events> = { [Name in keyof Events]: { event: Name; data: Events[Name] } }[keyof Events];

type Arguments = Readonly<Record<string, unknown>>;

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;
const TRANSIENT = new Set([429, 502, 503, 504]);

/** Calls one gateway with one credential. */
export class Transport {
  readonly #baseUrl: string;
  readonly #credential: Record<string, string>;
  readonly #timeout: number;
  readonly #fetch: typeof fetch;
  readonly #retries: number;

  constructor(baseUrl: string, { key, token, timeout = 30_000, retries = 2, fetch: own }: Options = {}) {
    if (key && token) {
      throw new TypeError("a client has a key or a session token, not both");
    }
    this.#baseUrl = baseUrl.replace(/\/+$/, "");
    this.#credential = key ? { "x-ingate-key": key } : token ? { authorization: `Bearer ${token}` } : {};
    this.#timeout = timeout;
    this.#retries = retries;
    this.#fetch = own ?? globalThis.fetch.bind(globalThis);
  }

  /**
   * Sends a request to a provider through the gateway and returns the answer as soon as it begins.
   *
   * `path` is as the provider's API has it, `body` a JSON value, or bytes that are sent as they are. Such a call costs
   * money, and is never repeated.
   */
  async forward(
    path: string,
    body?: unknown,
    { method = "POST", headers = {}, signal }: CallOptions & { method?: string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const init: RequestInit = { method, headers, signal: signal ?? null };
    if (body instanceof Uint8Array) {
      init.body = body;
    } else if (body !== undefined) {
      init.headers = { "content-type": "application/json", ...headers };
      init.body = JSON.stringify(body);
    }
    return new Answer(await this.#sent(path, init));
  }

  protected async call<Answered>(operation: Operation, given: Arguments, { signal }: CallOptions = {}): Promise<Answered> {
    const { path, init } = request(operation, given);
    signal?.throwIfAborted();
    const once = async (patience: AbortSignal) => {
      const response = await this.#sent(path, { ...init, signal: patience });
      return await response.text().catch(failed);
    };
    const text = await this.#repeated(operation.idempotent, signal, () => within(this.#timeout, signal, once));
    const body = text === "" ? undefined : parsed(text);
    if (typeof body === "string") {
      throw new UnexpectedAnswer("the answer is not JSON");
    }
    return body as Answered;
  }

  protected async *items<Item>(operation: Operation, given: Arguments, options?: CallOptions): AsyncIterableIterator<Item> {
    let place: Arguments = {};
    for (;;) {
      const page = await this.call<{ items: Item[]; next_cursor: string | null }>(operation, { ...given, ...place }, options);
      yield* page.items;
      if (page.next_cursor === null) {
        return;
      }
      place = { cursor: page.next_cursor, offset: undefined };
    }
  }

  protected async tail<Events>(operation: Operation, given: Arguments, { signal }: CallOptions = {}): Promise<Tail<Events>> {
    const { path, init } = request(operation, given);
    const open = (lastId: string) => {
      const headers: Record<string, string> = lastId ? { "last-event-id": lastId } : {};
      return this.#repeated(true, signal, () => this.#sent(path, { ...init, headers, signal: signal ?? null }));
    };
    return new Tail<Events>(await open(""), open);
  }

  /** Returns a success whose body is still to be read. */
  async #sent(path: string, init: RequestInit): Promise<Response> {
    const headers = { ...this.#credential, ...(init.headers as Record<string, string>) };
    const response = await this.#fetch(this.#baseUrl + path, { ...init, headers }).catch(failed);
    if (!response.ok) {
      throw new ApiError(response.status, response.headers, parsed(await response.text().catch(failed)));
    }
    return response;
  }

  async #repeated<T>(idempotent: boolean, signal: AbortSignal | undefined, once: () => Promise<T>): Promise<T> {
    for (let made = 0; ; made++) {
      try {
        return await once();
      } catch (error) {
        const after = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
        const pause = Math.max(FIRST_PAUSE * 2 ** made * (0.5 + Math.random() / 2), after);
        const transient = error instanceof ConnectionFailed || (error instanceof ApiError && TRANSIENT.has(error.status));
        if (!idempotent || !transient || signal?.aborted || made >= this.#retries || pause > LONGEST_PAUSE) {
          throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }
}

/** A provider's answer under way: read it once, as events or whole. */
export class Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The id of the call's log entry. */
  readonly requestId: string;

  constructor(readonly response: Response) {
    this.status = response.status;
    this.headers = response.headers;
    this.requestId = response.headers.get("x-ingate-request-id") ?? "";
  }

  /** Yields the events of a stream as they come. */
  async *events(): AsyncIterableIterator<ServerSentEvent> {
    const parser = new Parser();
    for await (const piece of pieces(this.response)) {
      yield* parser.feed(piece);
    }
  }

  /** Returns the body as a JSON value. */
  async json(): Promise<unknown> {
    return await this.response.json().catch(failed);
  }
}

/** Events as they happen: iterate it. It listens already, and comes back by itself when it is cut off. */
export class Tail<Events> implements AsyncIterable<Told<Events>> {
  #parser = new Parser();

  constructor(
    private response: Response,
    private readonly open: (lastId: string) => Promise<Response>,
  ) {}

  /** The place behind what was read; good as `cursor` another time. */
  get lastId(): string {
    return this.#parser.lastId;
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Told<Events>> {
    for (let idle = 0; ; idle++) {
      try {
        for await (const piece of pieces(this.response)) {
          idle = 0;
          for (const event of this.#parser.feed(piece)) {
            const data = parsed(event.data);
            if (event.name === "error") {
              throw new ApiError(200, new Headers(), data);
            }
            yield { event: event.name, data } as Told<Events>;
          }
        }
      } catch (error) {
        if (!(error instanceof ConnectionFailed)) {
          throw error;
        }
      }
      // A gateway that ends is gone for a moment; one that never tells anything is not asked without end.
      await new Promise((resolve) => setTimeout(resolve, Math.min(FIRST_PAUSE * 2 ** idle, LONGEST_PAUSE)));
      this.#parser = new Parser(this.lastId);
      this.response = await this.open(this.lastId);
    }
  }
}

function request({ verb, template, query }: Operation, given: Arguments): { path: string; init: RequestInit } {
  const stated = new Map(Object.entries(given).filter(([, value]) => value !== undefined));
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(stated.get(name));
    stated.delete(name);
    if (["", ".", "..", "undefined"].includes(value)) {
      throw new TypeError(`${name} must be an id or a name, not ${JSON.stringify(value)}`);
    }
    return encodeURIComponent(value);
  });
  if (!query) {
    const headers = { "content-type": "application/json" };
    return { path, init: { method: verb, headers, body: JSON.stringify(Object.fromEntries(stated)) } };
  }
  const parameters = new URLSearchParams([...stated].map(([name, value]) => [name, String(value)]));
  return { path: parameters.size > 0 ? `${path}?${parameters}` : path, init: { method: verb } };
}

/** Does something that is aborted after that time, or by the caller's signal. */
async function within<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  once: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  signal?.addEventListener("abort", abort);
  try {
    return await once(controller.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

async function* pieces(response: Response): AsyncIterableIterator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const read = await reader?.read().catch(failed);
      if (read === undefined || read.done) {
        return;
      }
      yield read.value;
    }
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}

function failed(error: unknown): never {
  throw new ConnectionFailed(error instanceof Error ? error.message : String(error), { cause: error });
}
