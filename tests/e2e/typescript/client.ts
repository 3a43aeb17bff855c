/**
 * A TypeScript program that uses Ingate with nothing but its protos.
 *
 *     node dist/client.js http://HOST:PORT STORY [WORD …]
 *
 * Each story makes a few calls and prints what it saw as one JSON document. It knows of no test.
 */

import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import { Role, Scope } from "./gen/ingate/access/v1/access_pb.js";
import { AuthService } from "./gen/ingate/auth/v1/auth_service_pb.js";
import { UserSchema } from "./gen/ingate/auth/v1/user_pb.js";
import { KeySchema } from "./gen/ingate/keys/v1/key_pb.js";
import { KeyService } from "./gen/ingate/keys/v1/key_service_pb.js";
import { OrganizationSchema } from "./gen/ingate/orgs/v1/organization_pb.js";
import { ProxyService } from "./gen/ingate/proxy/v1/proxy_service_pb.js";

const [target = "", story = "", ...words] = process.argv.slice(2);
const transport = createGrpcTransport({ baseUrl: target, defaultTimeoutMs: 20_000 });
const auth = createClient(AuthService, transport);
const keys = createClient(KeyService, transport);
const proxy = createClient(ProxyService, transport);

/** Signs up the organisation of that slug, and as its owner creates a key and lists all. */
async function manage(slug: string) {
  const account = await auth.signup({ email: `owner@${slug}.example`, password: "correct horse", orgSlug: slug });
  const headers = { authorization: `Bearer ${account.token}` };
  const request = { name: "typescript", role: Role.MEMBER, scopes: [Scope.PROXY], rateLimitPerMinute: 7 };
  const created = await keys.createKey(request, { headers });
  const page = await keys.listKeys({ limit: 10 }, { headers });
  return {
    org: account.org && toJson(OrganizationSchema, account.org),
    user: account.user && toJson(UserSchema, account.user),
    created: created.description && toJson(KeySchema, created.description),
    secrets: [account.apiKey, created.key],
    listed: page.items.map((key) => toJson(KeySchema, key)),
    total: Number(page.total),
  };
}

/** Makes a call that breaks two rules, and one without a credential. */
async function refused() {
  return [
    await failure(auth.signup({ email: "nobody", password: "short", orgSlug: "refused" })),
    await failure(keys.listKeys({})),
  ];
}

/** Streams the demo model's answer to a question, with that key. */
async function chat(key: string, question: string) {
  const body = { model: "demo", stream: true, messages: [{ role: "user", content: question }] };
  const request = {
    method: "POST",
    target: "/v1/chat/completions",
    headers: [{ name: "content-type", value: "application/json" }],
    body: new TextEncoder().encode(JSON.stringify(body)),
  };
  const events: unknown[] = [];
  const decoder = new TextDecoder();
  for await (const { event } of proxy.forward(request, { headers: { "x-ingate-key": key } })) {
    switch (event.case) {
      case "started":
        events.push({
          status: event.value.status,
          headers: Object.fromEntries(event.value.headers.map(({ name, value }) => [name, value])),
        });
        break;
      case "chunk":
        events.push(decoder.decode(event.value, { stream: true }));
        break;
      case "ended":
        events.push({ complete: event.value.complete });
        break;
    }
  }
  return events;
}

/** Waits for a call to fail and tells how it did, by code and by the details of google.rpc. */
async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => {
      throw new Error("the call has not failed");
    },
    (reason: unknown) => ConnectError.from(reason),
  );
  const info = error.findDetails(ErrorInfoSchema)[0];
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  return {
    code: Code[error.code],
    message: error.rawMessage,
    reason: info?.reason,
    domain: info?.domain,
    violations: Object.fromEntries(violations.map(({ field, description }) => [field, description])),
  };
}

const stories: Record<string, (...words: string[]) => Promise<unknown>> = { manage, refused, chat };
const tell = stories[story];
if (tell === undefined) {
  throw new Error(`no story is called ${story}`);
}
process.stdout.write(JSON.stringify(await tell(...words)));
