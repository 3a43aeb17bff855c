/** The gRPC API: services are in `@ingate/client/gen/…`, by the paths of the protos. */

import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

export { Code, ConnectError, createClient };

/** Returns a transport to `http://host:port` of a gateway's gRPC side, for `createClient`. At most one credential. */
export function connect(baseUrl: string, credential: { key?: string; token?: string } = {}): Transport {
  const { key, token } = credential;
  if (key && token) {
    throw new TypeError("a client has a key or a session token, not both");
  }
  const identified: Interceptor = (next) => (request) => {
    if (key) {
      request.header.set("x-ingate-key", key);
    } else if (token) {
      request.header.set("authorization", `Bearer ${token}`);
    }
    return next(request);
  };
  return createGrpcTransport({ baseUrl, interceptors: [identified] });
}
