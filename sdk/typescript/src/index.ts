/** The REST API of the Ingate LLM gateway. gRPC is in `@ingate/client/grpc`. */

export { Ingate } from "./client.js";
export type { ServerSentEvent } from "./events.js";
export { ApiError, ConnectionFailed, IngateError, UnexpectedAnswer } from "./failures.js";
export { Answer, Tail } from "./transport.js";
export type { CallOptions, Options, Told } from "./transport.js";
export type * from "./types.js";
