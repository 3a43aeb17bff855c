/** Vercel's AI SDK with the providers of OpenAI, Anthropic and Google. */

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogle } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, Output, streamText, tool } from "ai";

import { CityZod, TripZod, weather } from "./weather.js";

// The SDK keeps the headers of an answer, and what it understood of the body.
const explain = ({ statusCode, message, responseHeaders, data }) => ({
  status: statusCode,
  message,
  word: data?.error?.status ?? data?.error?.code ?? data?.error?.type,
  request_id: responseHeaders?.["x-ingate-request-id"],
});

function features(model) {
  const asked = (prompt) => ({ model, prompt, maxRetries: 0 });
  const tools = { get_weather: tool({ inputSchema: CityZod, execute: weather }) };
  return {
    explain,
    chat: async (prompt) => (await generateText(asked(prompt))).text,
    async stream(prompt) {
      let said = "";
      // Without a handler of its own, the SDK prints what goes wrong.
      for await (const part of streamText({ ...asked(prompt), onError: () => {} }).fullStream) {
        if (part.type === "error") {
          throw part.error;
        }
        said += part.type === "text-delta" ? part.text : "";
      }
      return said;
    },
    tools: async (prompt) => (await generateText({ ...asked(prompt), tools, stopWhen: isStepCount(3) })).text,
    structured: async (prompt) =>
      (await generateText({ ...asked(prompt), output: Output.object({ schema: TripZod }) })).output,
  };
}

export const openai = ({ url, key, model }) => features(createOpenAI({ baseURL: `${url}/v1`, apiKey: key })(model));
export const anthropic = ({ url, key, model }) =>
  features(createAnthropic({ baseURL: `${url}/v1`, apiKey: key })(model));
// A name with a slash is a whole path for the SDK.
export const google = ({ url, key, model }) =>
  features(createGoogle({ baseURL: `${url}/v1beta`, apiKey: key })(`models/${model}`));
