/** What calls throw. */

import type { Code } from "./types.js";

/** A call did not succeed. */
export class IngateError extends Error {
  override name = "IngateError";
}

/** There is no answer, or no more of it. */
export class ConnectionFailed extends IngateError {
  override name = "ConnectionFailed";
}

/** The answer is a success, but not what the gateway says: something else is at that address. */
export class UnexpectedAnswer extends IngateError {
  override name = "UnexpectedAnswer";
}

/** The gateway, or a provider behind it, refused. */
export class ApiError extends IngateError {
  override name = "ApiError";
  /** The gateway's word for why; empty where the answer has none, as those of providers. */
  readonly code: Code | "";
  readonly requestId: string;
  /** What is wrong with which field of the request. */
  readonly fields: Readonly<Record<string, string>>;
  /** Seconds; undefined where nobody said. */
  readonly retryAfter: number | undefined;

  /** `body` is the answer's JSON value, or its text. */
  constructor(
    readonly status: number,
    headers: Headers,
    readonly body: unknown,
  ) {
    const said = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
    const message = said["message"] || (typeof body === "string" && body) || `the answer has status ${status}`;
    const details = Array.isArray(said["details"]) ? said["details"] : [];
    super(String(message).slice(0, 300));
    this.code = typeof said["code"] === "string" ? (said["code"] as Code) : "";
    this.requestId = String(said["request_id"] ?? headers.get("x-ingate-request-id") ?? "");
    this.fields = Object.fromEntries(details.map(({ field, message }) => [field, message]));
    const wait = headers.get("retry-after") ?? "";
    this.retryAfter = /^\d+$/.test(wait) ? Number(wait) : undefined;
  }
}

/** Returns the JSON value of a text, or the text where it is none. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
