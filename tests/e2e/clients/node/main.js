/**
 * Official clients for Node.js, each doing what it is asked.
 *
 *     node main.js < tasks > results
 *
 * A line of the input is a task: `{id, client, feature, url, key, model, text}`. A line of the output is its result:
 * `{id, said}`, or `{id, raised: {type, status, message, word, request_id}}` as the client's own exception tells it. It knows
 * of no test.
 */

import { createInterface } from "node:readline";

import * as aisdk from "./aisdk.js";
import * as anthropic from "./anthropic.js";
import * as gemini from "./gemini.js";
import * as ollama from "./ollama.js";
import * as openai from "./openai.js";

const CLIENTS = {
  openai: openai.chatCompletions,
  "openai-responses": openai.responses,
  anthropic: anthropic.messages,
  gemini: gemini.generateContent,
  ollama: ollama.chat,
  "ai-sdk-openai": aisdk.openai,
  "ai-sdk-anthropic": aisdk.anthropic,
  "ai-sdk-google": aisdk.google,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, client, feature, ...task } = JSON.parse(line);
  const { explain, ...features } = CLIENTS[client](task);
  let result;
  try {
    result = { said: await features[feature](task.text) };
  } catch (error) {
    result = { raised: { type: error.constructor.name, ...explain(error) } };
  }
  process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);
}
